"""Which nodes of a joined cluster trials may run on: each is examined before it gets one.

A node that is not examined yet, or is found unfit, is to be avoided. Nodes that join later are examined when
they are seen, and those that are suspected once more.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from automl.contracts import Json, Outcome, TrialState, UserError
from automl.executors.tune import examination
from automl.executors.tune.nodes import Node, Order, described, problems_of
from automl.executors.worker import LOADING

LONG: Final = 60.0  # seconds that the others wait for a slow node
SHOWN: Final = 500  # characters of a problem


class Cluster(Protocol):
    """The cluster as it is asked."""

    def nodes(self) -> list[Node]:
        """Those that live now."""

    def ask(self, node: Node, order: Order) -> Any:
        """Begin to examine a node; a handle of the answer."""

    def answers(self, handles: Sequence[Any], seconds: float) -> dict[Any, Json | Exception]:
        """What is there after at most so many seconds: findings, or why there is none."""


class RayCluster:
    """The cluster that this process has joined."""

    def nodes(self) -> list[Node]:
        """Those that live now."""
        return [_node(one) for one in ray.nodes() if one["Alive"]]  # type: ignore[no-untyped-call]

    def ask(self, node: Node, order: Order) -> Any:
        """Begin to examine a node, in a worker that holds nothing: trials of others may hold it all."""
        there = NodeAffinitySchedulingStrategy(node.id, soft=False)
        task: Any = ray.remote(examination.examine)
        return task.options(num_cpus=0, max_retries=0, scheduling_strategy=there).remote(
            json.dumps({"needs": order.needs.to_json(), "gpus": order.gpus})
        )

    def answers(self, handles: Sequence[Any], seconds: float) -> dict[Any, Json | Exception]:
        """What is there after at most so many seconds."""
        ready, _ = ray.wait(list(handles), num_returns=len(handles), timeout=seconds)
        found: dict[Any, Json | Exception] = {}
        for handle in ready:
            try:
                found[handle] = {**json.loads(ray.get(handle)), "received": time.time()}
            except Exception as error:
                found[handle] = error
        return found


class Roster:
    """The nodes that may get trials, and those that must not.

    `fit`: their numbers, as Ray gives them. `unfit`: why, by number; a node that has left is in neither.
    """

    def __init__(self, cluster: Cluster, order: Order, tell: Callable[[str], None]) -> None:
        self._cluster, self._order, self._tell = cluster, order, tell
        self.fit: set[str] = set()
        self.unfit: dict[str, str] = {}
        self._asked: dict[Any, Node] = {}
        self._known: dict[str, Node] = {}
        self._looking = threading.RLock()  # a thread looks for new nodes; another one asks for a fault

    @property
    def avoid(self) -> frozenset[str]:
        """The nodes that must get no trial: unfit ones, and those that have not answered yet."""
        return frozenset(self._known) - self.fit

    @property
    def asked(self) -> list[Node]:
        """The nodes that have not answered yet."""
        return list(self._asked.values())

    def look(self, seconds: float = 0.0) -> bool:
        """Examine new nodes, and wait at most so long for answers. Whether `fit` or `avoid` changed."""
        with self._looking:
            return self._look(seconds)

    def _look(self, seconds: float = 0.0) -> bool:
        before = (set(self.fit), self.avoid)
        living = {node.id: node for node in self._cluster.nodes() if self._order.fits(node)}
        for node in living.values():
            if node.id not in self._known:
                self._known[node.id] = node
                self._asked[self._cluster.ask(node, self._order)] = node
        for gone in self._known.keys() - living.keys():
            del self._known[gone]
            self.fit.discard(gone)
            self.unfit.pop(gone, None)
        answers = self._cluster.answers(list(self._asked), seconds) if self._asked else {}
        for handle, answer in answers.items():
            node = self._asked.pop(handle)
            if node.id in self._known:  # it may have left meanwhile
                self._take(node, answer)
        return before != (self.fit, self.avoid)

    def settle(self) -> None:
        """Wait until every node has answered; for slow ones only until another is fit and a minute is over.

        Raises `UserError` when no node is fit.
        """
        began = told = time.monotonic()
        while self.look(seconds=0.5) or self._asked:
            now = time.monotonic()
            if self._asked and now - told > LONG:
                told = now
                names = ", ".join(map(str, self.asked))
                self._tell(f"{names}: no answer for {now - began:.0f} s; used as soon as it answers")
            if (self.fit and now - began > LONG) or now - began > LOADING:
                break
        if not self.fit:
            reasons = [f"{self._known[one]}: {why}" for one, why in self.unfit.items()]
            silent = [f"{node}: no answer" for node in self.asked]
            raise UserError("no node of the cluster can run trials; " + "\n".join(reasons + silent))

    def fault(self, outcome: Outcome) -> str:
        """Why a failed attempt is the fault of its node, which is then unfit; "" when it is the trial's own.

        An attempt that failed before its clock began, at imports or data, makes its node a suspect.
        """
        began = outcome.device_seconds > 0
        if outcome.state is not TrialState.FAILED or began or not self.suspect(outcome.host):
            return ""
        reasons = [why for one, why in self.unfit.items() if self._known[one].host == outcome.host]
        return f"its node {outcome.host} cannot run trials: {'; '.join(reasons)}"

    def suspect(self, host: str) -> bool:
        """Examine the nodes of a host again, where a trial failed before it began; whether one is unfit now.

        Waits for the answer: what they fail by is the node's fault, not the trial's.
        """
        with self._looking:
            for node in [one for one in self._known.values() if one.host == host and one.id in self.fit]:
                self.fit.discard(node.id)
                self._asked[self._cluster.ask(node, self._order)] = node
        while any(node.host == host for node in self.asked):
            self.look(seconds=0.5)
        return any(self._known[one].host == host for one in self.unfit)

    def _take(self, node: Node, answer: Json | Exception) -> None:
        problems = problems_of(answer, self._order)
        if not problems and isinstance(answer, Mapping):
            self.fit.add(node.id)
            self.unfit.pop(node.id, None)
            self._tell(described(node, answer, self._order))
            return
        self.unfit[node.id] = "; ".join(problems)[:SHOWN]
        self._tell(f"{node} is left out: {self.unfit[node.id]}")


def _node(one: Mapping[str, Any]) -> Node:
    held = one["Resources"]
    return Node(
        one["NodeID"],
        one["NodeManagerHostname"],
        one["NodeManagerAddress"],
        held.get("CPU", 0.0),
        held.get("GPU", 0.0),
    )
