"""What the run of a campaign says of the campaign itself: tags to filter by, and its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final

from automl.ledger.rows import CampaignRow, TrialSummary
from automl.ledger.study_summary import FIXED
from automl.recorder.form import STEP_TAG, Form
from automl.recorder.notes import campaign_note, last_tags
from automl.recorder.points import Point, counts
from automl.recorder.results import Result
from automl.recorder.texts import flatten

PACKAGES: Final = ("torch", "optuna", "scikit-learn", "ray", "mlflow")  # provenance.json has all
_UNITS: Final = {
    "device_seconds": "device-seconds",
    "trials": "trials",
    "wall_seconds": "seconds of wall time",
}


def campaign_tags(
    row: CampaignRow, spec: Mapping[str, object], commit: str, form: Form, result: Result
) -> dict[str, str]:
    """The tags of a campaign's run. `spec`: its study without secrets."""
    grows = {key: value for key, value in spec.items() if key not in FIXED}
    return {
        **_origin(row.provenance, form),
        **{f"automl.extent.{key}": value for key, value in flatten(grows)},
        "automl.kind": "campaign",
        "automl.config.study": row.study,
        "automl.state": row.state,
        "automl.study_digest": row.digest,
        "automl.executor": row.summary.executor,
        "automl.dataset": row.summary.dataset or "",
        "automl.space": _name(spec.get("space")),
        "automl.budget": budget(row),
        STEP_TAG: form.step_tag,
        **({} if form.earlier else result.tags),
        "mlflow.note.content": campaign_note(row, form, result),
        **last_tags(result.last),
        "mlflow.source.git.commit": commit,
    }


def campaign_points(trials: Iterable[TrialSummary], at: int, form: Form, result: Result) -> list[Point]:
    """Counts and costs of `trials`, and the numbers of the result; each at step 0."""
    known = iter(trials)
    first = next(known, None)
    points = [] if first is None else counts(chain([first], known), at, zeros=form.earlier)
    if form.earlier:
        return points
    return [*points, *(Point(key, value, at, 0) for key, value in result.metrics.items())]


def budget(row: CampaignRow) -> str:
    """The budget of a search, to filter by: `25 device-seconds`."""
    given = row.spec.get("budget") or {}
    parts = [f"{given[key]:.10g} {unit}" for key, unit in _UNITS.items() if given.get(key) is not None]
    return " or ".join(parts)


def _origin(provenance: Mapping[str, object], form: Form) -> dict[str, str]:
    """Where it comes from, without what is long: the file `provenance.json` has that."""
    kept = {}
    for key, value in flatten(provenance):
        part, _, name = key.partition(".")
        long = part == "identity" or key.startswith("data.features")
        if form.earlier or not (long or (part == "packages" and name not in PACKAGES)):
            kept[f"automl.{key}"] = value
    return kept


def _name(plugin: object) -> str:
    return str((plugin.get("name") if isinstance(plugin, Mapping) else plugin) or "")
