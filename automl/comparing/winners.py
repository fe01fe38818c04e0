"""Two exported winners: what differs in configuration, protocol, scores, seeds, identity and environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import JsonValue

from automl.export.signing import Maker, maker
from automl.export.winner import Winner, read_winner
from automl.identity import Change, changes
from automl.report.plain import plain

if TYPE_CHECKING:
    from automl.ledger.store import Store

_CONFIGURATION: Final = ("config", "genotype", "space")
_SEEDS: Final = ("seed", "seeds")  # of a certificate
_SEALS: Final = {"checksum", "signature"}


@dataclass(frozen=True)
class Exported:
    """A file, the campaign of its winner, and who signed it as far as this store can tell."""

    file: str
    campaign: str
    signed_by: Maker


@dataclass(frozen=True)
class WinnersDiff:
    """What changed from `before` to `now`, by what it is of. `notes`: why scores do not compare.

    Who signed a file is told, and is no difference.
    """

    before: Exported
    now: Exported
    groups: Mapping[str, tuple[Change, ...]]
    notes: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not any(self.groups.values())

    def to_json(self) -> dict[str, JsonValue]:
        """Plain JSON."""
        return {
            "equal": self.equal,
            "before": plain(self.before),
            "now": plain(self.now),
            "changes": plain(self.groups),
            "notes": plain(self.notes),
        }

    def lines(self) -> list[str]:
        """The difference in words."""
        shown = []
        for side in (self.before, self.now):
            claim = {
                Maker.THIS_STORE: "unchanged since it was exported",
                Maker.FORGED: "its signature does not fit",
            }.get(side.signed_by, "its checksum fits, which anybody can make")
            shown.append(f"{side.file}: {side.campaign}, {claim}; signed by {side.signed_by}")
        for title, items in self.groups.items():
            shown += [
                "",
                f"{title}:" if items else f"{title}: the same",
                *(f"  {change}" for change in items),
            ]
        return [*shown, *(f"note: {note}" for note in self.notes)]


def diff(before: Path, now: Path, store: Store) -> WinnersDiff:
    """The difference of two files. Raises `UserError` for one that is no winner, or was changed."""
    old, new = read_winner(before), read_winner(now)
    parts = _parts(old), _parts(new)
    groups = {title: tuple(changes(parts[0][title], parts[1][title])) for title in parts[0]}
    return WinnersDiff(
        before=Exported(str(before), old.certificate.campaign, maker(old, store)),
        now=Exported(str(now), new.certificate.campaign, maker(new, store)),
        groups=groups,
        notes=tuple(_notes(old, new)),
    )


def _parts(winner: Winner) -> dict[str, Any]:
    """All values of a winner, each in one group."""
    rest = winner.model_dump(mode="json", exclude=_SEALS)
    configuration = {key: rest.pop(key) for key in _CONFIGURATION}
    certificate, provenance = rest.pop("certificate"), rest.pop("provenance")
    seeds = {key: certificate.pop(key) for key in _SEEDS}
    identity = {"data": certificate.pop("data"), "code": certificate.pop("code")}
    identity["of the campaign"] = provenance.pop("identity", None)
    return {
        "Configuration": configuration,
        "Protocol": rest,
        "Scores": certificate,
        "Seeds": seeds,
        "Identity": identity,
        "Environment": provenance,
    }


def _notes(old: Winner, new: Winner) -> list[str]:
    notes = []
    certificates = old.certificate, new.certificate
    if len({(one.metric, one.direction) for one in certificates}) > 1:
        notes.append("their scores are of other metrics and do not compare")
    elif old.task.dataset != new.task.dataset or old.task.split != new.task.split:
        notes.append("their scores are on other data or another split and do not compare")
    elif certificates[0].data != certificates[1].data:
        notes.append("the data changed: their scores are on other data")
    return notes
