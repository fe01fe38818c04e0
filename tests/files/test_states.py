from __future__ import annotations

from pathlib import Path

import pytest
import torch
from faulty import Faults

from automl.files import Folder, StorageError, StoredCheckpoints, fetch_states


def trial(tmp_path: Path, attempt: int, url: str) -> StoredCheckpoints:
    return StoredCheckpoints(tmp_path / f"node{attempt}" / "a-1/tpe-0/3/checkpoints", f"{url}/checkpoints")


def saved(tmp_path: Path, url: str, steps: int = 3) -> StoredCheckpoints:
    first = trial(tmp_path, 1, url)
    for step in range(1, steps + 1):
        first.save(step, {"weights": torch.full((3,), float(step))})
        first.settle()
    return first


def test_another_node_continues_from_the_newest_state(url: str, tmp_path: Path) -> None:
    saved(tmp_path, url)
    found = trial(tmp_path, 2, url).load()
    assert found is not None and found[0] == 3
    assert torch.equal(found[1]["weights"], torch.full((3,), 3.0))
    names = [entry.name for entry in Folder(f"{url}/checkpoints").entries()]
    assert [name[:13] for name in names] == ["step-00000002"] * 2 + ["step-00000003"] * 2


def test_later_states_of_an_abandoned_attempt_go(url: str, tmp_path: Path) -> None:
    saved(tmp_path, url)
    second = trial(tmp_path, 2, url)
    second.save(1, {"weights": torch.zeros(3)})
    second.settle()
    found = trial(tmp_path, 3, url).load()
    assert found is not None and found[0] == 1


def test_a_damaged_state_is_skipped_for_the_one_before(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved(tmp_path, url)
    (data,) = (tmp_path / "there/checkpoints").glob("step-00000003-*.pt")
    data.write_bytes(data.read_bytes()[:-1])
    found = trial(tmp_path, 2, url).load()
    assert found is not None and found[0] == 2
    assert "skipped a checkpoint" in caplog.text


def test_a_state_of_another_trial_is_not_loaded(url: str, tmp_path: Path) -> None:
    saved(tmp_path, url)
    other = StoredCheckpoints(tmp_path / "a-1/tpe-0/4/checkpoints", f"{url}/checkpoints")
    assert other.load() is None


def test_a_storage_that_is_away_delays_no_training_and_is_told(
    url: str, tmp_path: Path, faults: Faults
) -> None:
    faults.always["write"] = OSError("away")
    first = saved(tmp_path, url, 2)
    assert set(first.failed) == {1, 2} and "away" in first.failed[2]
    found = first.load()
    assert found is not None and found[0] == 2  # this node has it
    faults.always = {"list": OSError("away")}
    with pytest.raises(StorageError):  # another one must not begin anew in silence
        trial(tmp_path, 2, url).load()


def test_of_many_states_only_the_newest_ones_go_through_a_slow_storage(
    url: str, tmp_path: Path, faults: Faults
) -> None:
    faults.slow = 0.05
    first = trial(tmp_path, 1, url)
    for step in range(1, 21):
        first.save(step, {"weights": torch.zeros(3)})
    first.settle()
    found = trial(tmp_path, 2, url).load()
    assert found is not None and found[0] == 20
    assert faults.calls["write"] < 20


def test_all_states_can_be_fetched(url: str, tmp_path: Path) -> None:
    saved(tmp_path, url)
    fetch_states(f"{url}/checkpoints", tmp_path / "all")
    assert len(list((tmp_path / "all").glob("*.pt"))) == 2
