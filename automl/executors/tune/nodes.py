"""A node of a cluster, what it is examined for, and what its answer means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from automl.contracts import Held, Json, Needs
from automl.executors.tune import examination

SKEW: Final = 2.0  # seconds between two clocks that are told


@dataclass(frozen=True)
class Node:
    """A node of a cluster, and what it holds in all."""

    id: str
    host: str
    address: str
    cpus: float = 0.0
    gpus: float = 0.0

    def __str__(self) -> str:
        return f"node {self.host} ({self.address})"


@dataclass(frozen=True)
class Order:
    """What every node is examined for. `sizes`: what trials hold; `own`: the driver's versions."""

    needs: Needs
    sizes: Sequence[Held]
    own: Json = field(default_factory=examination.versions)

    @property
    def gpus(self) -> float:
        """The most that a trial holds."""
        return max(held.gpus for held in self.sizes)

    def fits(self, node: Node) -> bool:
        """Whether any trial fits on a node at all."""
        return any(node.cpus >= held.cpus and node.gpus >= held.gpus for held in self.sizes)


def problems_of(answer: Json | Exception, order: Order) -> list[str]:
    """Why trials must not run where this was found; empty when they may."""
    if isinstance(answer, Exception):
        last = (str(answer).strip().splitlines() or [type(answer).__name__])[-1]
        return [f"it could not be examined: {last}"]
    differing = _differing(answer, order.own)
    problems = [] if not differing else [f"{', '.join(differing)}; install the driver's versions there"]
    problems += answer["problems"]
    wanted = order.needs.digest
    if answer["digest"] and answer["digest"] != wanted:
        problems.append(
            f"its data are others than the driver's ({answer['digest'][:12]} instead of {wanted[:12]}); copy "
            "the driver's there"
        )
    if answer["free"] < examination.LEAST_FREE:
        problems.append(f"only {answer['free'] / 2**20:.0f} MiB are free where trials write; make room there")
    return problems


def described(node: Node, answer: Json, order: Order) -> str:
    """The line of a node that is fit."""
    packages = answer["packages"]
    said = [f"CPUs: {node.cpus:g}", *([f"GPUs: {node.gpus:g}"] if node.gpus else []), *answer["gpus"]]
    said += [f"Python {answer['python']}", f"torch {packages.get('torch', 'none')}"]
    said += ["data as here"] if order.needs.digest else []
    said.append(f"{answer['free'] / 2**30:.1f} GiB free")
    said += ["no shared folder: checkpoints stay there, artifacts are lost"] if answer["apart"] else []
    skew = answer["clock"] - answer["received"]
    said += (
        [f"its clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"] if abs(skew) > SKEW else []
    )
    return f"{node}: {', '.join(said)}"


def _differing(answer: Json, own: Json) -> list[str]:
    pairs = [("Python", answer["python"], own["python"])]
    pairs += [(name, answer["packages"].get(name), version) for name, version in own["packages"].items()]
    return [
        f"{name} is {there or 'not installed'} there and {here} here"
        for name, there, here in pairs
        if there is None or _public(there) != _public(here)
    ]


def _public(version: str) -> str:
    """Without what says for which device it was built: a driver may have no GPU."""
    return version.partition("+")[0]
