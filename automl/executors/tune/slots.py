"""How many trials fit on a cluster at once; the number follows nodes that come and go."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import ray
from ray.util.placement_group import placement_group, remove_placement_group

from automl.beside import beside
from automl.contracts import Held, Outcome, Room, UserError

if TYPE_CHECKING:
    from automl.executors.tune.preflight import Roster

LOOK: Final = 1.0  # seconds between two looks at the nodes


@dataclass(frozen=True)
class Share:
    """A slot: what the largest trial holds, all on one node. `custom`: Ray's resources of other names."""

    cpus: float
    gpus: float = 0.0
    custom: Mapping[str, float] = field(default_factory=dict)

    @property
    def bundle(self) -> dict[str, float]:
        """As Ray names it."""
        return self.of(Held(self.cpus, self.gpus))

    def of(self, held: Held) -> dict[str, float]:
        """What a trial of another size holds, as Ray names it."""
        return {"CPU": held.cpus, "GPU": held.gpus, **self.custom}

    def on(self, node: Mapping[str, float]) -> int:
        """How many of it a node with these resources holds."""
        return int(min(node.get(kind, 0) / held for kind, held in self.bundle.items() if held) + 1e-9)

    def __str__(self) -> str:
        others = "".join(f" {name}={held:g}" for name, held in self.custom.items())
        return f"cpus={self.cpus:g} gpus={self.gpus:g}{others}"


class Slots:
    """Slots for trials. `count`: as many as fit now, at most `most`. `held`: those that lanes hold.

    `sizes`: what trials hold, where some hold less than a slot. `rooms`: what each of `nodes` has. `follow`
    is called after each change. `grows`: further nodes may join.
    """

    def __init__(
        self,
        share: Share,
        most: int | None,
        *,
        grows: bool,
        sizes: Sequence[Held] = (),
        follow: Callable[[Slots], None] = lambda _: None,
    ) -> None:
        self.share, self.most, self.grows, self._follow = share, most, grows, follow
        self.sizes = tuple(sizes) or (Held(share.cpus, share.gpus),)
        self.count, self.held = 0, 0
        self.nodes: tuple[str, ...] = ()
        self.rooms: tuple[Room, ...] = ()
        self.roster: Roster | None = None  # None: every node may get trials

    @property
    def avoid(self) -> frozenset[str]:
        """The nodes that get no trials."""
        return frozenset() if self.roster is None else self.roster.avoid

    @property
    def lanes(self) -> int:
        """How many lanes are asked for: more than fit where a cluster may grow by what is asked of it."""
        return self.most if self.grows and self.most is not None else max(1, self.count)

    def fault(self, outcome: Outcome) -> str:
        """Why an attempt failed by the fault of its node; "" when it did not."""
        return "" if self.roster is None else self.roster.fault(outcome)

    def look(self) -> int:
        """Count what fits on the nodes that are there now."""
        if self.roster is not None:
            self.roster.look()
        nodes = _nodes(self.avoid)
        fit = sum(map(self.share.on, nodes.values()))
        self.count = fit if self.most is None else min(fit, self.most)
        found = {name: Room(node.get("CPU", 0.0), node.get("GPU", 0.0)) for name, node in nodes.items()}
        self.nodes, self.rooms = tuple(found), tuple(found.values())
        self._follow(self)
        return self.count

    def hold(self, slots: int) -> None:
        """Note how many the lanes hold that are open."""
        self.held = slots
        self._follow(self)

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Keep the count up to date inside the block, in a thread: a silent head holds up no trial."""

        def look() -> None:
            with suppress(Exception):  # the head is away: who waits for it notices
                self.look()

        if not self.grows:
            yield
            return
        with beside(look, LOOK, "ray nodes"):
            yield

    def need(self, patience: float) -> None:
        """Wait up to `patience` seconds for a node with room for a trial. Raises `UserError` without one."""
        if self.look() > 0:
            return
        if self.grows and patience > 0:
            log = "no node of the cluster has room for a trial (%s); waiting up to %g s for one"
            logging.getLogger(__name__).warning(log, self.share, patience)
            wanted = placement_group([self.share.bundle])  # what an autoscaler goes by
            end = time.monotonic() + patience
            while time.monotonic() < end:
                time.sleep(min(LOOK, patience))
                if self.look() > 0:
                    break
            remove_placement_group(wanted)
        if self.count == 0:
            raise UserError(self._refused())

    def _refused(self) -> str:
        nodes = list(_nodes(self.avoid).values()) or [{}]
        most = {kind: max(node.get(kind, 0) for node in nodes) for kind in self.share.bundle}
        custom = "".join(f" and {most[name]:g} {name}" for name in self.share.custom)
        return (
            f"a trial must fit on one node, but it asks for {self.share} "
            f"and the largest have {most['CPU']:g} CPUs and {most['GPU']:g} GPUs{custom}; "
            "lower executor.ray.cpus or .gpus, or add a node"
        )


def _nodes(avoid: frozenset[str] = frozenset()) -> dict[str, dict[str, float]]:
    alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return {node["NodeID"]: node["Resources"] for node in alive if node["NodeID"] not in avoid}
