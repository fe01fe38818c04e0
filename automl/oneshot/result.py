"""What a supernet search leaves: a record of each epoch, how it ended, and the network that it chose.

Inside the program these are dataclasses; checkpoints and artifacts hold the JSON that `to_json` gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from automl.contracts import Checkpoint, Config

Rule = Literal["eigenvalue", "skips"]
Action = Literal["stop", "rollback", "warn"]


@dataclass(frozen=True)
class EpochMeans:
    """Means over the steps of one epoch."""

    train_loss: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class Architecture:
    """What alpha says after an epoch: strengths (edges, operations) and the genotype derived from them.

    `entropy`: of the strengths, in nats, mean over the edges; `skips` of the `derived` operations are skip
    connections; `none_share`, `skip_share`: mean strength of these operations, None in spaces without them.
    """

    genotype: Config
    strengths: list[list[float]]
    entropy: float
    skips: int
    derived: int
    none_share: float | None = None
    skip_share: float | None = None


@dataclass(frozen=True)
class HealthReading:
    """A reading of the supernet's health: discretisation gap and largest eigenvalue of the Hessian."""

    supernet_accuracy: float
    path_accuracy: float
    discretisation_gap: float
    eigenvalue: float
    eigenvalue_products: int


@dataclass(frozen=True)
class EpochRecord:
    """What is known after `epoch` (0: before the first). Each part is None where it does not exist."""

    epoch: int
    means: EpochMeans | None = None
    architecture: Architecture | None = None
    health: HealthReading | None = None

    def to_json(self) -> dict[str, Any]:
        """All values by name, in one flat object; what is None is left out."""
        values: dict[str, Any] = {"epoch": self.epoch}
        for part in (self.means, self.architecture, self.health):
            values |= {} if part is None else asdict(part)
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EpochRecord:
        """The record that `to_json` wrote."""
        return cls(
            data["epoch"],
            _part(EpochMeans, data, "train_loss"),
            _part(Architecture, data, "genotype"),
            _part(HealthReading, data, "eigenvalue"),
        )


def _part(kind: type, data: Mapping[str, Any], key: str) -> Any:
    """The dataclass `kind` from the values of its fields, None where `data` lack `key`."""
    if key not in data:
        return None
    names = [item.name for item in fields(kind)]
    return kind(**{name: data[name] for name in names if name in data})


@dataclass(frozen=True)
class Verdict:
    """How a search ended. `alarms`: the epoch in which each rule rang; without any, nothing else is given.

    `rule` rang first, after `epoch`; `action` was taken then. `rollback`: the epoch to whose `genotype` the
    search went back.
    """

    alarms: dict[Rule, int] = field(default_factory=dict)
    epoch: int | None = None
    rule: Rule | None = None
    action: Action | None = None
    rollback: int | None = None
    genotype: Config | None = None

    @property
    def collapsed(self) -> bool:
        """Whether an alarm rang."""
        return bool(self.alarms)

    def to_json(self) -> dict[str, Any]:
        """As JSON; what is None is left out."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return {"collapsed": self.collapsed, **given}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        """The verdict that `to_json` wrote."""
        return cls(**{name: value for name, value in data.items() if name != "collapsed"})


@dataclass(frozen=True)
class RankedNetwork:
    """A random network and its accuracy by the shared weights."""

    config: Config
    supernet: float


@dataclass(frozen=True)
class SupernetResult:
    """What a search found. `seconds`, `selection_seconds`, `health_seconds`: its wall time by purpose.

    `skips`: skip connections of the chosen `genotype`; `selected`: numbers of the method's choice; `edges`
    and `operations` name the rows and columns of all strengths; `rank`: networks of the rank check.
    `epoch_seconds`: what one epoch of training the genotype is expected to take, where that was timed;
    `part`: how much of the last epoch was searched; `changed`: changes of the genotype to keep constraints.
    """

    genotype: Config
    epochs: int
    seconds: float
    selection_seconds: float
    health_seconds: float
    skips: int
    verdict: Verdict
    selected: dict[str, float]
    edges: list[str]
    operations: list[str]
    history: list[EpochRecord]
    rank: list[RankedNetwork]
    epoch_seconds: float | None = None
    part: float = 1.0
    changed: int = 0

    @property
    def note(self) -> str:
        """What should be known of its cost, and of its choice."""
        short = f"the budget left time for {self.part:.0%} of the last search epoch" if self.part < 1 else ""
        kept = f"{self.changed} changes of what the search chose keep constraints" if self.changed else ""
        return "; ".join(text for text in (short, kept) if text)

    def to_json(self) -> dict[str, Any]:
        """As a checkpoint holds it."""
        history = [record.to_json() for record in self.history]
        return {**asdict(self), "verdict": self.verdict.to_json(), "history": history}

    def carry(self) -> dict[str, Any]:
        """What checkpoints of the training that follows hold of the search."""
        return {"found": self.to_json()}

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint | None) -> SupernetResult | None:
        """The result that a checkpoint carries; None while the search goes on."""
        carried = (checkpoint[1].get("carry") or {}).get("found") if checkpoint else None
        return None if carried is None else cls.from_json(carried)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SupernetResult:
        """The result that `to_json` wrote."""
        parts = {
            "verdict": Verdict.from_json(data["verdict"]),
            "history": [EpochRecord.from_json(record) for record in data["history"]],
            "rank": [RankedNetwork(**network) for network in data["rank"]],
        }
        return cls(**{**data, **parts})

    def metrics(self) -> dict[str, float]:
        """Its numbers: cost, the chosen network, which alarms rang after which epoch."""
        metrics = {
            "epochs": float(self.epochs),
            "seconds": self.seconds,
            "selection_seconds": self.selection_seconds,
            "health_seconds": self.health_seconds,
            "skips": float(self.skips),
            **self.selected,
            "collapsed": float(self.verdict.collapsed),
        }
        metrics |= {f"alarm_{rule}": float(epoch) for rule, epoch in self.verdict.alarms.items()}
        last = self.history[-1].architecture
        if last is not None:
            metrics["entropy"] = last.entropy
        if self.verdict.epoch is not None:
            metrics["collapse_epoch"] = float(self.verdict.epoch)
            metrics["stopped"] = float(self.verdict.action != "warn")
        if self.verdict.rollback is not None:
            metrics["rollback_epoch"] = float(self.verdict.rollback)
        return metrics
