"""Which nodes of a cluster get trials: every one is examined first, those that come later, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from automl.contracts import Held, Json, Needs, Outcome, PluginSpec, TrialState, UserError
from automl.executors.tune import examination, nodes, preflight
from automl.executors.tune.preflight import Node, Order, Roster

NEEDS = Needs(["/study"], [PluginSpec("function", {"call": "my_code:objective"})], [], digest="d" * 64)
OWN = {"python": "3.11.7", "packages": {"torch": "2.13.0+cpu", "numpy": "2.5.1"}}
ORDER = Order(NEEDS, [Held(1.0)], own=OWN)
FINE: Json = {
    "host": "one",
    "python": "3.11.7",
    "packages": {"torch": "2.13.0+cu130", "numpy": "2.5.1"},
    "digest": "d" * 64,
    "gpus": [],
    "free": 50 << 30,
    "apart": False,
    "problems": [],
    "clock": 1000.0,
    "received": 1000.1,
}


class FakeCluster:
    """`found`: what is found on each host, now; a host that is not in it does not answer."""

    def __init__(self, *hosts: str, **found: Json | Exception) -> None:
        self.living = [Node(f"id-{host}", host, "10.0.0.1", cpus=2) for host in hosts]
        self.found = dict(found)
        self.asked: list[str] = []

    def nodes(self) -> list[Node]:
        return list(self.living)

    def ask(self, node: Node, order: Order) -> Any:
        self.asked.append(node.host)
        return (len(self.asked), node.host)

    def answers(self, handles: Sequence[Any], seconds: float) -> dict[Any, Json | Exception]:
        return {handle: self.found[handle[1]] for handle in handles if handle[1] in self.found}


def test_a_node_that_fails_is_left_out_and_told() -> None:
    told: list[str] = []
    broken = {**FINE, "problems": ["evaluator function: my_code must be importable, but …"]}
    cluster = FakeCluster("one", "two", "three", one=FINE, two=broken, three=OSError("Ray\nworker died"))
    cluster.living.append(Node("id-head", "head", "10.0.0.9", cpus=0))
    roster = Roster(cluster, ORDER, told.append)
    roster.settle()
    assert (roster.fit, roster.avoid) == ({"id-one"}, {"id-two", "id-three"})
    assert told == [
        "node one (10.0.0.1): CPUs: 2, Python 3.11.7, torch 2.13.0+cu130, data as here, 50.0 GiB free",
        "node two (10.0.0.1) is left out: evaluator function: my_code must be importable, but …",
        "node three (10.0.0.1) is left out: it could not be examined: worker died",
    ], "a line for each node that a trial fits on"


def test_no_node_left_is_the_users_mistake() -> None:
    broken = {**FINE, "packages": {"torch": "2.12.0", "numpy": "2.5.1"}}
    roster = Roster(FakeCluster("one", one=broken), ORDER, lambda _: None)
    with pytest.raises(UserError, match=r"no node .*\(10\.0\.0\.1\): torch is 2\.12\.0 there and 2\.13"):
        roster.settle()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"python": "3.11.9"}, "Python is 3.11.9 there and 3.11.7 here; install the driver's versions there"),
        ({"packages": {"torch": "2.13.0"}}, "numpy is not installed there and 2.5.1 here; install"),
        ({"packages": {"torch": "2.13.0+cu130", "numpy": "2.5.1", "pandas": "1.0"}}, None),
        (
            {"digest": "e" * 64},
            "its data are others than the driver's (eeeeeeeeeeee instead of dddddddddddd)",
        ),
        ({"free": 1 << 20}, "only 1 MiB are free where trials write"),
        ({"clock": 2000.0}, None),
    ],
)
def test_what_keeps_trials_away(change: Json, problem: str | None) -> None:
    found = nodes.problems_of({**FINE, **change}, ORDER)
    assert found == [] if problem is None else found[0].startswith(problem), found


def test_a_clock_that_differs_is_told() -> None:
    line = nodes.described(FakeCluster("one").living[0], {**FINE, "clock": 940.0}, ORDER)
    assert line.endswith("its clock is 60 s behind")


def test_a_node_that_shares_no_folder_is_told() -> None:
    line = nodes.described(FakeCluster("one").living[0], {**FINE, "apart": True}, ORDER)
    assert line.endswith("50.0 GiB free, no shared folder: checkpoints stay there, artifacts are lost")


def test_nodes_that_join_and_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    cluster = FakeCluster("one", one=FINE)
    roster = Roster(cluster, ORDER, told.append)
    roster.settle()
    assert not roster.look()
    cluster.living.append(Node("id-two", "two", "10.0.0.2", cpus=1))
    assert roster.look(), "it is to be avoided until it has answered"
    assert (roster.fit, roster.avoid) == ({"id-one"}, {"id-two"})
    cluster.found["two"] = FINE
    assert roster.look() and roster.fit == {"id-one", "id-two"} and not roster.avoid
    del cluster.living[0]
    assert roster.look() and roster.fit == {"id-two"}
    assert cluster.asked == ["one", "two"], "each once"


def test_a_slow_node_does_not_keep_the_others_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "LONG", 0.01)
    told: list[str] = []
    cluster = FakeCluster("one", "slow", one=FINE)
    roster = Roster(cluster, ORDER, told.append)
    roster.settle()
    assert roster.avoid == {"id-slow"} and "used as soon as it answers" in told[-1]
    cluster.found["slow"] = FINE
    assert roster.look() and not roster.avoid
    monkeypatch.setattr(preflight, "LOADING", 0.01)
    with pytest.raises(UserError, match=r"node slow .*: no answer"):
        Roster(FakeCluster("slow"), ORDER, told.append).settle()


def test_a_suspect_is_examined_again() -> None:
    cluster = FakeCluster("one", "two", one=FINE, two=FINE)
    roster = Roster(cluster, ORDER, lambda _: None)
    roster.settle()
    assert not roster.suspect("one") and roster.fit == {"id-one", "id-two"}
    cluster.found["one"] = {**FINE, "problems": ["evaluator function: …"]}
    assert roster.suspect("one") and roster.fit == {"id-two"} and roster.avoid == {"id-one"}
    assert not roster.suspect("unknown")


def test_whose_fault_a_failure_is() -> None:
    cluster = FakeCluster("one", "two", one=FINE, two=FINE)
    roster = Roster(cluster, ORDER, lambda _: None)
    roster.settle()
    at_import = Outcome(TrialState.FAILED, 0.0, reason="UserError: no module", host="one")
    assert roster.fault(at_import) == "", "its node is examined again, and is fit"
    assert cluster.asked == ["one", "two", "one"]
    cluster.found["one"] = {**FINE, "problems": ["evaluator function: no module"]}
    assert roster.fault(Outcome(TrialState.FAILED, 1.0, host="one")) == "", "it failed while it ran"
    assert roster.fault(Outcome(TrialState.COMPLETE, 0.0, [1.0], host="one")) == ""
    for _ in range(2):  # also for what was begun there before
        told = roster.fault(at_import)
        assert told == "its node one cannot run trials: evaluator function: no module"
    assert roster.avoid == {"id-one"} and len(cluster.asked) == 4


def test_gpus_that_torch_does_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    text = examination.no_device(1, "2.13.0+cpu")
    assert text.startswith("a trial holds gpus=1, but torch 2.13.0+cpu sees no CUDA device; install")
    cluster = FakeCluster("one", one=FINE)
    cluster.living.append(Node("id-two", "two", "10.0.0.2", cpus=1, gpus=1))
    cluster.found["two"] = {**FINE, "gpus": ["NVIDIA H200"]}
    told: list[str] = []
    roster = Roster(cluster, replace(ORDER, sizes=[Held(1.0, 1.0)]), told.append)
    roster.settle()
    assert cluster.asked == ["two"] and "GPUs: 1, NVIDIA H200, Python" in told[0]
