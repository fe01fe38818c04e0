from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from automl.contracts import RunError, UserError
from automl.ledger import Ledger, Store, owner_identity
from automl.ledger.owner import is_alive, is_same_host


def living_other() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def owner_of(pid: int) -> str:
    code = (
        f"from automl.ledger import owner; print(f'{{owner._host()}}:{pid}:{{owner._process_start({pid})}}')"
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_campaigns_are_numbered_by_study(any_ledger: Ledger) -> None:
    ids = [any_ledger.create_campaign(study, {}, "d", {}).id for study in ("a", "b", "a", "a-1")]
    assert ids == ["a-1", "b-1", "a-2", "a-1-1"]
    assert [c.id for c in any_ledger.campaigns()] == ["a-1", "a-2", "a-1-1", "b-1"]
    assert [c.id for c in any_ledger.campaigns("a")] == ["a-1", "a-2"]
    latest = any_ledger.latest("a")
    assert latest is not None and latest.id == "a-2"
    assert any_ledger.latest("nobody") is None
    assert any_ledger.campaign("a-7") is None


def test_a_campaign_reads_back_as_it_was_returned(any_ledger: Ledger) -> None:
    spec = {"name": "a", "arms": {"x": None}, "low": 1e-12, "text": "ünï"}
    row = any_ledger.create_campaign("a", spec, "digest", {"commit": "abc"})
    assert any_ledger.campaign("a-1") == row
    assert (row.spec, row.digest, row.provenance) == (spec, "digest", {"commit": "abc"})
    assert (row.state, row.owner, row.token, row.recorded) == ("running", None, 0, 0)


def test_drivers_at_once_get_campaigns_of_their_own(any_ledger: Ledger) -> None:
    made: list[str] = []

    def work() -> None:
        made.extend(any_ledger.create_campaign("a", {}, "d", {}).id for _ in range(3))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == sorted(f"a-{n}" for n in range(1, 13))


def test_only_one_living_driver(any_ledger: Ledger) -> None:
    any_ledger.create_campaign("a", {}, "d", {})
    other = living_other()
    try:
        any_ledger.acquire("a-1", owner_of(other.pid))
        row = any_ledger.campaign("a-1")
        assert row is not None and any_ledger.status(row) == "running"
        with pytest.raises(RunError, match=rf"a-1 is being run by .*:{other.pid}:"):
            any_ledger.acquire("a-1", owner_identity())
        assert any_ledger.campaign("a-1") == row
        other.kill()
        other.wait()
        assert any_ledger.status(row) == "interrupted"
        assert any_ledger.acquire("a-1", owner_identity()) == row.token + 1
    finally:
        other.kill()
        other.wait()


def test_a_driver_elsewhere_counts_as_dead_after_its_lease(any_ledger: Ledger) -> None:
    any_ledger.create_campaign("a", {}, "d", {})
    far = "elsewhere-00000000:1:1"
    token = any_ledger.acquire("a-1", far)
    with pytest.raises(RunError, match="elsewhere"):
        any_ledger.acquire("a-1", owner_identity())
    row = any_ledger.campaign("a-1")
    assert row is not None
    assert any_ledger.status(row) == "running"
    assert any_ledger.status(row, lease=0.0) == "interrupted"
    assert any_ledger.acquire("a-1", owner_identity(), lease=0.0) == token + 1
    assert not any_ledger.heartbeat("a-1", token)
    assert not any_ledger.finish_campaign("a-1", token)
    assert not any_ledger.release("a-1", token)


def test_releasing_and_finishing(any_ledger: Ledger) -> None:
    def status() -> str:
        row = any_ledger.campaign("a-1")
        assert row is not None
        return any_ledger.status(row)

    any_ledger.create_campaign("a", {}, "d", {})
    assert status() == "interrupted"
    token = any_ledger.acquire("a-1", owner_identity())
    assert any_ledger.heartbeat("a-1", token)
    assert status() == "running"
    assert any_ledger.release("a-1", token)
    assert status() == "interrupted"
    token = any_ledger.acquire("a-1", owner_identity())
    assert any_ledger.finish_campaign("a-1", token)
    assert status() == "finished"
    any_ledger.mark_campaign_recorded("a-1", 2)
    row = any_ledger.campaign("a-1")
    assert row is not None and any_ledger.is_driven(row)  # its end is recorded before it is let go
    assert any_ledger.release("a-1", token)
    row = any_ledger.campaign("a-1")
    assert row is not None and row.recorded == 2 and row.finished_at is not None and row.owner is None


def test_no_campaign_no_driver(ledger: Ledger) -> None:
    with pytest.raises(UserError, match="there is no 'a-1'"):
        ledger.acquire("a-1", owner_identity())


def test_identity_of_a_process() -> None:
    me = owner_identity()
    assert is_same_host(me) and is_alive(me)
    host, pid, start = me.rsplit(":", 2)
    assert int(pid) == os.getpid()
    assert not is_alive(f"{host}:{pid}:{int(start) + 1}")  # the number was given to another process
    assert not is_same_host(f"x{me}")
    assert owner_of(os.getpid()) == me


def test_a_zombie_is_dead() -> None:
    child = living_other()
    owner = owner_of(child.pid)
    assert is_alive(owner)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(owner)
    child.wait()
    assert not is_alive(owner)


def test_processes_without_proc(monkeypatch: Any) -> None:
    monkeypatch.setattr("automl.ledger.owner._read", lambda path: "")
    monkeypatch.setattr("automl.ledger.owner.Path.exists", lambda path: False)
    me = owner_identity()
    assert is_alive(me)
    assert not is_alive(me.rsplit(":", 2)[0] + ":999999999:then")


def test_searches(any_ledger: Ledger) -> None:
    any_ledger.create_campaign("a", {}, "d", {})
    row = any_ledger.add_search("a-1", "tpe", 2**40)
    assert row.id == f"a-1/tpe/{2**40}"
    assert any_ledger.add_search("a-1", "tpe", 2**40) == row
    second = any_ledger.add_search("a-1", "random", 0)
    assert [s.id for s in any_ledger.searches("a-1")] == [row.id, second.id]
    assert any_ledger.finish_search(row.id, "budget", f"{row.id}/3")
    assert not any_ledger.finish_search(row.id, "other", None)
    any_ledger.mark_searches_recorded({row.id: 2})
    kept = any_ledger.searches("a-1")[0]
    assert (kept.state, kept.reason, kept.winner, kept.recorded) == ("finished", "budget", f"{row.id}/3", 2)
    with pytest.raises(UserError, match="there is no 'b-1'"):
        any_ledger.add_search("b-1", "tpe", 0)


def test_an_opening_of_the_test_set_is_written_first_and_never_doubled(
    any_ledger: Ledger, any_store: Store
) -> None:
    any_ledger.create_campaign("a", {}, "d", {})
    search = any_ledger.add_search("a-1", "tpe", 0).id
    opened = any_ledger.open_test(search, "winner")
    with Ledger(any_store) as successor:  # its driver died before the values
        assert successor.open_test(search, "again") == opened
        assert successor.openings("a-1") == [opened]
        assert successor.close_test(opened.id, [0.5, 0.25], [{"loss": 0.5, "loss_low": 0.4}, {}])
    assert any_ledger.close_test(opened.id, [0.5, 0.25])  # the same values: an answer that was lost
    assert not any_ledger.close_test(opened.id, [0.9])
    second = any_ledger.open_test(search, "asked for")
    assert second.id != opened.id
    assert [(o.reason, o.values) for o in any_ledger.openings("a-1")] == [
        ("winner", [0.5, 0.25]),
        ("asked for", None),
    ]
    assert [o.details for o in any_ledger.openings("a-1")] == [[{"loss": 0.5, "loss_low": 0.4}, {}], None]
