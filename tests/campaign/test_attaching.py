"""The report at the end of a campaign, on a disk that is full: waited for, and attached by the next run."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import growing_study
import pytest

from automl.campaign import attaching
from automl.ledger import Ledger, Store

Files = dict[str, list[Path]]


def reports(store: Store) -> list[Path]:
    return list(Path(store.artifacts).glob("**/report.html"))


def fill_disk(patch: pytest.MonkeyPatch, name: str, times: int) -> list[Path]:
    """Refuse to write files of this name so many times; which were refused."""
    refused: list[Path] = []
    write = Path.write_text

    def limited(path: Path, *text: Any, **options: Any) -> int:
        if path.name == name and len(refused) < times:
            refused.append(path)
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, *text, **options)

    patch.setattr(Path, "write_text", limited)
    return refused


@pytest.mark.slow
@pytest.mark.parametrize("name", ["report.html", "comparison.json"])
def test_a_disk_that_is_full_for_a_moment(
    name: str, study: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attaching, "PAUSE", 0.01)
    refused = fill_disk(monkeypatch, name, times=3)
    campaign = growing_study.run(study, store, "budget.trials=1", "seeds=1")
    assert len(refused) == 3
    assert len(reports(store)) == 1
    with Ledger(store) as ledger:
        assert ledger.campaign(campaign).recorded == 2


@pytest.mark.slow
def test_one_that_stays_full_is_told_and_the_next_run_attaches_the_report(
    study: Path, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(attaching.attach_when_written, "__defaults__", (0.0,))
    with monkeypatch.context() as patch:
        fill_disk(patch, "report.html", times=1)
        campaign = growing_study.run(study, store, "budget.trials=1", "seeds=1")
    assert f"make room, then run `automl run {campaign}`" in caplog.text
    assert "No space left on device" in caplog.text
    assert reports(store) == []
    with Ledger(store) as ledger:
        assert ledger.campaign(campaign).state == "finished"
        assert ledger.campaign(campaign).recorded < 2
        assert growing_study.run(study, store, "budget.trials=1", "seeds=1") == campaign
        assert len(reports(store)) == 1
        assert ledger.campaign(campaign).recorded == 2
        assert growing_study.differences(store, ledger, campaign) == []
