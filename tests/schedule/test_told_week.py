"""A week of nights with a webhook: one message for each thing that happens, and no secret anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from webhook import webhook
from week_example import Week, firings, write_rows

from automl.ledger import Ledger, Store
from automl.notifying import announcer_of, delivery


def told_week(folder: Path, store: Store) -> Week:
    week = Week(folder, store, trials=6, seeds=3)
    week.file.write_text(week.file.read_text() + "notify: [{url: '${HOOK}'}]\n")
    return week


@pytest.mark.slow
def test_a_night_that_cannot_start_is_told_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "WAITS", (0.0,))
    monkeypatch.setenv("AUTOML_HIDDEN", "")
    with webhook() as hook:
        monkeypatch.setenv("HOOK", f"json://127.0.0.1:{hook.port}/Kanarie1x")
        week = told_week(tmp_path, store)
        (tmp_path / "rows.csv").rename(tmp_path / "away.csv")
        hook.statuses = [500, 500]
        week.run([1])
        week.run([1])  # another daemon: the message is settled, it is not tried for ever
        assert hook.received == []
        week.run([2, 2])
    assert hook.events == ["has failed"]
    assert "a scheduled start has failed" in hook.received[0]["message"]
    with Ledger(store) as ledger:
        assert firings(ledger) == [("failed", None), ("failed", None)]
        assert [row.state for row in ledger.notices("nightly")] == ["failed", "sent"]


@pytest.mark.slow
def test_a_week_is_told(any_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_HIDDEN", "")
    with webhook() as hook:
        monkeypatch.setenv("HOOK", f"json://me:Kanarie2x@127.0.0.1:{hook.port}/Kanarie1x")
        week = told_week(tmp_path, any_store)
        week.run([1, 2])
        assert hook.events == ["has ended", "has ended"]
        with Ledger(any_store) as ledger:
            row = ledger.latest("nightly")
            assert row is not None
            announcer_of(ledger, any_store, row, print).promoted(row.id, "1", "version 1 is the champion", {})
        (tmp_path / "rows.csv").rename(tmp_path / "away.csv")
        week.run([3])
        write_rows(tmp_path, 120, noise=0.4)
        week.run([4])
    assert hook.events[2:4] == ["promotion", "has failed"]
    assert sorted(hook.events[4:]) == ["has ended", "is a regression"]
    assert hook.paths[-1] == "/Kanarie1x"
    ids = [one["message"].rpartition("id: ")[2] for one in hook.received]
    assert len(set(ids)) == len(ids) == 6
    with Ledger(any_store) as ledger:
        assert {row.state for row in ledger.notices()} == {"sent"}
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"Kanarie1x" not in written and b"Kanarie2x" not in written
