"""Which earlier campaigns are remembered: finished ones of the same metrics, on the same or similar data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from automl.config import Memory
from automl.contracts import Metric, PluginSpec, UserError
from automl.ledger import CampaignRow, Ledger
from automl.plugins import unknown
from automl.provenance import DataIdentity, Provenance
from automl.remembering.features import KIND, distance

MOST: Final = 10  # campaigns that are remembered at a time, the nearest ones
CLOSE: Final = 0.0001  # at least, of other data: 0 stands for the same
SHOWN: Final = 20  # campaigns that were passed over and are named


@dataclass(frozen=True)
class Present:
    """What earlier campaigns are compared with. `data` None: there are none; `evaluator`: the arm's."""

    study: str
    metrics: tuple[Metric, ...]
    data: DataIdentity | None
    evaluator: PluginSpec
    code: dict[str, str]
    version: str


@dataclass(frozen=True)
class Candidate:
    """A campaign that may be remembered. `distance` None: there are no data."""

    row: CampaignRow
    origin: Provenance
    distance: float | None

    @property
    def data(self) -> str:
        """The name of its data; "" without any."""
        return self.origin.data.name if self.origin.data else ""


@dataclass
class Choice:
    """Campaigns, the nearest first, and those that were passed over, with the reason."""

    chosen: list[Candidate] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)


def choose(ledger: Ledger, memory: Memory, present: Present) -> Choice:
    """The campaigns that `memory` means. Raises `UserError` for a name that cannot be remembered."""
    if isinstance(memory.source, list):
        return _named(ledger, memory.source, present)
    study = present.study if memory.source == "last" else None
    rows = [row for row in ledger.campaigns(study) if row.state == "finished"]
    rows.sort(key=lambda row: -row.created_at)
    if memory.source == "last":
        return _sorted_out(rows[:1], present)
    found = _sorted_out(rows, present)
    found.chosen.sort(key=lambda candidate: candidate.distance or 0.0)  # stable: of equals the newest first
    if len(found.chosen) > MOST:
        found.passed_over.append(
            f"{len(found.chosen) - MOST} further campaigns that are less similar or older"
        )
        del found.chosen[MOST:]
    return found


def _sorted_out(rows: Sequence[CampaignRow], present: Present) -> Choice:
    found = Choice()
    for row in rows:
        candidate = _candidate(row, present)
        if isinstance(candidate, str):
            found.passed_over.append(f"{row.id}: {candidate}")
        else:
            found.chosen.append(candidate)
    if len(found.passed_over) > SHOWN:
        found.passed_over[SHOWN:] = [f"{len(found.passed_over) - SHOWN} more"]
    return found


def _named(ledger: Ledger, names: Sequence[str], present: Present) -> Choice:
    found = Choice()
    for name in dict.fromkeys(names):
        row = _row(ledger, name)
        candidate = _candidate(row, present)
        if isinstance(candidate, str):
            raise UserError(f"memory.from: {name} must be like this study, but {candidate}; remove the name")
        if row.id not in {known.row.id for known in found.chosen}:
            found.chosen.append(candidate)
    return found


def _row(ledger: Ledger, name: str) -> CampaignRow:
    """The finished campaign of that name, or the last finished one of the study of that name."""
    row = ledger.campaign(name)
    if row is not None:
        if row.state != "finished":
            state = ledger.status(row)
            raise UserError(
                f"memory.from: {name} must be finished to be remembered, but is {state}; wait for it"
            )
        return row
    rows = ledger.campaigns(name)
    finished = [row for row in rows if row.state == "finished"]
    if finished:
        return finished[-1]
    if rows:
        raise UserError(
            f"memory.from: the study {name} must have a finished campaign to be remembered, but has none; "
            "wait for it, or remove the name"
        )
    known = [row.id for row in ledger.campaigns()]
    raise UserError(f"memory.from: {unknown('campaign or study', name, known)}")


def _candidate(row: CampaignRow, present: Present) -> Candidate | str:
    """The campaign as a candidate, or why it is none."""
    if row.summary.metrics != present.metrics:
        return f"it searched by {_shown(row.summary.metrics)}, not by {_shown(present.metrics)}"
    origin = Provenance.from_json(row.provenance)
    if present.data is None or origin.data is None:
        if present.data is not None or origin.data is not None:
            return "it has no data" if origin.data is None else "it has data, and this study none"
        if present.evaluator not in evaluators(row.spec).values():
            return "it measured by another evaluator, and there are no data to compare by"
        return Candidate(row, origin, None)
    if origin.data.digest == present.data.digest:
        return Candidate(row, origin, 0.0)
    if not origin.data.features:
        return "its data are others, and no meta-features of them were kept"
    gap = distance(origin.data.features, present.data.features)
    if gap is None:
        kinds = origin.data.features.get(KIND), present.data.features.get(KIND)
        return f"its data are of another kind ({kinds[0]}, not {kinds[1]})"
    return Candidate(row, origin, max(gap, CLOSE))


def evaluators(spec: dict[str, Any]) -> dict[str, PluginSpec]:
    """By arm of a resolved study, the evaluator that measured its trials."""
    found = {}
    for name, arm in spec.get("arms", {}).items():
        evaluator = (arm or {}).get("evaluator") or spec.get("evaluator") or {}
        found[name] = PluginSpec(evaluator.get("name", ""), evaluator.get("options") or {})
    return found


def _shown(metrics: Sequence[Metric]) -> str:
    return ", ".join(f"{metric.name} ({metric.direction.value})" for metric in metrics)
