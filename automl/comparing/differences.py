"""What differs between two campaigns besides their values: winners, study, identity, environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from automl.identity import Change, changes
from automl.masking import mask
from automl.report import CampaignReport

_PLACES: Final = ("source", "record", "schedule")  # of a study: where and when it runs, not what
_ENVIRONMENT: Final = ("packages", "python", "platform", "host", "cores", "devices", "study", "project")


@dataclass(frozen=True)
class Differences:
    """Items that changed from the earlier campaign, by what they are of; `unknown`: what one did not note."""

    winner: tuple[Change, ...]
    study: tuple[Change, ...]
    identity: tuple[Change, ...]
    environment: tuple[Change, ...]
    unknown: tuple[str, ...]

    def titled(self) -> dict[str, tuple[Change, ...]]:
        """The groups by their headings."""
        return {
            "Winner": self.winner,
            "Study": self.study,
            "Code, data, spaces, version": self.identity,
            "Environment": self.environment,
        }


def differences(
    before: tuple[CampaignReport, Mapping[str, Any]], now: tuple[CampaignReport, Mapping[str, Any]]
) -> Differences:
    """What differs; each side is a report and the study as the ledger has it. Secrets are masked."""
    (old, old_spec), (new, new_spec) = before, now
    unknown = [
        f"{side.campaign} has no winner: it is {side.status}" for side in (old, new) if side.chosen is None
    ]
    unknown += [
        f"{side.campaign} has no identity of code and spaces: an earlier version ran it"
        for side in (old, new)
        if not side.provenance.get("identity")
    ]
    whole = not any(not side.provenance.get("identity") for side in (old, new))
    return Differences(
        winner=tuple(changes(_winner(old), _winner(new))) if old.chosen and new.chosen else (),
        study=tuple(changes(_study(old_spec), _study(new_spec))),
        identity=tuple(
            changes(old.provenance["identity"], new.provenance["identity"]) if whole else _data(old, new)
        ),
        environment=tuple(changes(_environment(old), _environment(new))),
        unknown=tuple(unknown),
    )


def _winner(report: CampaignReport) -> dict[str, Any]:
    chosen = report.chosen
    if chosen is None:
        return {}
    return {"arm": chosen.arm, "seed": chosen.search.seed, "config": chosen.best.trained}


def _study(spec: Mapping[str, Any]) -> Any:
    return mask({key: value for key, value in spec.items() if key not in _PLACES})


def _data(old: CampaignReport, new: CampaignReport) -> list[Change]:
    return changes({"data": _digest(old)}, {"data": _digest(new)})


def _digest(report: CampaignReport) -> Any:
    data = report.provenance.get("data")
    return data.get("digest") if isinstance(data, dict) else None


def _environment(report: CampaignReport) -> Any:
    return mask({key: report.provenance.get(key) for key in _ENVIRONMENT})
