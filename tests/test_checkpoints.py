"""Checkpoints: exact, atomic, and never a damaged one."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from patience import PATIENCE

from automl.checkpoints import CheckpointFolder, State, remove_unfinished
from automl.contracts import UserError


@pytest.fixture
def saved(tmp_path: Path) -> CheckpointFolder:
    checkpoints = CheckpointFolder(tmp_path / "campaign" / "search" / "a" / "checkpoints")
    for step in (1, 2, 3):
        checkpoints.save(step, {"step": step, "w": torch.full((5,), float(step))})
    return checkpoints


def names(checkpoints: CheckpointFolder) -> list[str]:
    return sorted(path.name for path in checkpoints.folder.iterdir())


def newest(checkpoints: CheckpointFolder) -> tuple[int, State]:
    """The newest intact state, which must be there."""
    loaded = checkpoints.load()
    assert loaded is not None
    return loaded


def test_nothing_is_touched_before_the_first_save(tmp_path: Path) -> None:
    checkpoints = CheckpointFolder(tmp_path / "trial" / "checkpoints")
    assert checkpoints.load() is None
    assert list(tmp_path.iterdir()) == []


def test_round_trip_is_exact(tmp_path: Path) -> None:
    checkpoints = CheckpointFolder(tmp_path / "trial" / "checkpoints")
    model = torch.nn.BatchNorm2d(3)
    state: State = {
        "model": model.state_dict(),
        "rng": [torch.get_rng_state()],
        "nested": {"a": [1, 2.5, "x", None, True, (3, b"y")], 7: OrderedDict(z=1)},
        "big": 2**70,
        "nan": float("nan"),
        "half": torch.rand(3).to(torch.bfloat16),
    }
    checkpoints.save(12, state)
    step, loaded = newest(checkpoints)
    assert step == 12
    assert all(torch.equal(loaded["model"][name], value) for name, value in model.state_dict().items())
    assert torch.equal(loaded["rng"][0], state["rng"][0])
    assert loaded["nested"] == state["nested"] and loaded["big"] == 2**70 and loaded["nan"] != loaded["nan"]
    assert torch.equal(loaded["half"], state["half"])


def test_a_state_without_tensors_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from automl.checkpoints import CheckpointFolder as Folder\n"
        "folder = Folder(Path(sys.argv[1]) / 'a' / 'checkpoints')\n"
        "state = {'scores': [[0.5, float('inf')]], 'name': 'é', 'none': None, 'deep': {'n': 3}}\n"
        "folder.save(1, state); assert folder.load() == (1, state); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=PATIENCE)
    others = CheckpointFolder(tmp_path / "b" / "checkpoints")
    for step, state in enumerate([{"pair": (1, 2)}, {"bytes": b"a"}, {"keys": {1: "a"}}], start=1):
        others.save(step, state)
        assert newest(others) == (step, state), "what JSON would change is kept as it is"


def test_the_newest_two_are_kept(saved: CheckpointFolder) -> None:
    assert names(saved) == [f"step-0000000{step}.{kind}" for step in (2, 3) for kind in ("json", "pt")]
    assert newest(saved)[0] == 3


def damage_truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def damage_flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [damage_truncate, damage_flip, damage_empty, Path.unlink])
@pytest.mark.parametrize("kind", ["pt", "json"])
def test_damaged_files_are_skipped(
    saved: CheckpointFolder, damage: Callable[[Path], None], kind: str
) -> None:
    damage(saved.folder / f"step-00000003.{kind}")
    step, state = newest(saved)
    assert step == 2 and torch.equal(state["w"], torch.full((5,), 2.0))
    damage(saved.folder / f"step-00000002.{kind}")
    assert saved.load() is None
    saved.save(1, {"again": 1})
    assert saved.load() == (1, {"again": 1})
    assert len(names(saved)) == 2


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    checkpoints = CheckpointFolder(tmp_path / "trial" / "checkpoints")
    checkpoints.save(1, {"w": torch.zeros(1)})
    path = checkpoints.folder / "step-00000001.pt"
    whole = path.read_bytes()
    for position in range(0, len(whole), 23):
        flipped = bytearray(whole)
        flipped[position] ^= 0x10
        path.write_bytes(bytes(flipped))
        assert checkpoints.load() is None
    path.write_bytes(whole)
    assert checkpoints.load() is not None


def test_swapped_steps_are_noticed(saved: CheckpointFolder) -> None:
    two, three = (saved.folder / f"step-0000000{step}.pt" for step in (2, 3))
    three.rename(saved.folder / "x")
    two.rename(three)
    (saved.folder / "x").rename(two)
    assert saved.load() is None


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("name", ["search/b", "other/a"])
def test_files_of_another_trial_are_noticed(
    tmp_path: Path, saved: CheckpointFolder, both: bool, name: str
) -> None:
    other = CheckpointFolder(tmp_path / "campaign" / name / "checkpoints")
    other.save(3, {"other": 1})
    for kind in ("pt", "json") if both else ("pt",):
        shutil.copy(other.folder / f"step-00000003.{kind}", saved.folder)
    assert newest(saved)[0] == 2


def test_a_moved_store_still_loads(tmp_path: Path, saved: CheckpointFolder) -> None:
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.move(tmp_path / "campaign", tmp_path / "elsewhere")
    assert newest(CheckpointFolder(Path(moved) / "search" / "a" / "checkpoints"))[0] == 3


def test_later_steps_of_an_abandoned_attempt_go(saved: CheckpointFolder) -> None:
    damage_flip(saved.folder / "step-00000003.pt")
    saved.save(2, {"new": 2})
    assert saved.load() == (2, {"new": 2})
    assert all("00000003" not in name for name in names(saved))


@pytest.mark.parametrize(
    ("state", "where"),
    [
        ({"a": np.zeros(3)}, r"state\['a'\] is a ndarray"),
        ({"a": [torch.nn.Linear(1, 1)]}, r"state\['a'\]\[0\] is a Linear"),
        ({"a": {"b": {1, 2}}}, r"state\['a'\]\['b'\] is a set"),
        ({"a": np.float64(1)}, r"state\['a'\] is a float64"),
    ],
)
def test_what_could_not_be_loaded_is_refused(tmp_path: Path, state: dict[str, object], where: str) -> None:
    checkpoints = CheckpointFolder(tmp_path / "trial" / "checkpoints")
    with pytest.raises(UserError, match=where):
        checkpoints.save(1, state)
    assert checkpoints.load() is None


def test_a_harmful_pickle_with_a_fitting_manifest_is_not_run(tmp_path: Path, saved: CheckpointFolder) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, ...]:
            return (os.mkdir, (str(tmp_path / "canary"),))

    data = pickle.dumps({"owner": saved.owner, "step": 9, "state": Harm()}, protocol=2)
    (saved.folder / "step-00000009.pt").write_bytes(data)
    manifest = {"owner": saved.owner, "step": 9, "sha256": hashlib.sha256(data).hexdigest()}
    (saved.folder / "step-00000009.json").write_text(json.dumps(manifest))
    assert newest(saved)[0] == 3
    assert not (tmp_path / "canary").exists()


@pytest.mark.slow
def test_killed_at_any_moment_an_intact_state_remains(tmp_path: Path) -> None:
    program = (
        "import sys, torch; from pathlib import Path; from automl.checkpoints import CheckpointFolder\n"
        "c = CheckpointFolder(Path(sys.argv[1]))\n"
        "found = c.load(); step = found[0] if found else 0\n"
        "while True:\n"
        "    step += 1; c.save(step, {'w': torch.full((200_000,), step)}); print(step, flush=True)\n"
    )
    folder = tmp_path / "trial" / "checkpoints"
    rng = np.random.default_rng(0)
    last = 0
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        first = int(process.stdout.readline())
        assert first == last + 1
        time.sleep(float(rng.uniform(0.01, 0.3)))
        process.kill()
        printed = [first, *map(int, process.stdout.read().split())]
        process.wait()
        process.stdout.close()
        step, state = newest(CheckpointFolder(folder))
        assert step in (printed[-1], printed[-1] + 1)
        assert (state["w"] == step).all()
        last = step


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    left = [tmp_path / "alive.json.12.tmp", tmp_path / "model" / "config.json.4711.tmp"]
    kept = [tmp_path / "mine.tmp", tmp_path / "model" / "config.json", tmp_path / "4711.tmp.txt"]
    for path in (*left, *kept):
        path.touch()
    remove_unfinished(tmp_path)
    assert [path for path in (*left, *kept) if path.exists()] == kept
    remove_unfinished(tmp_path / "absent")
