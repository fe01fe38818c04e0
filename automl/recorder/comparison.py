"""How the runs that MLflow has differ from those that it must have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from automl.recorder.form import STEP_TAG
from automl.recorder.points import Point, latest_points, stored_value
from automl.recorder.results import TO_LAST
from automl.recorder.wanted_run import WantedRun
from automl.recorder.writer import StoredRun, Writer

JUDGED: Final = ("automl.state", STEP_TAG, "automl.winner", "automl.verdict", "automl.verdict.sentence")

if TYPE_CHECKING:
    from automl.recorder.audit import Expected


@dataclass(frozen=True)
class Comparison:
    """How MLflow differs. `runs`, and `wrong` (stuck or different), by identity; `extra`: runs too many.

    `lost`: by identity, artifacts that the ledger lists and its run has not.
    """

    runs: dict[str, StoredRun]
    extra: list[StoredRun]
    missing: list[str]
    wrong: dict[str, str]
    lost: dict[str, list[str]]

    @classmethod
    def of(cls, expected: Expected, writer: Writer) -> Comparison:
        """What `writer` reads now against what is expected."""
        runs: dict[str, StoredRun] = {}
        extra = []
        for run in writer.read():
            if run.uid not in (None, expected.projection.uid(run.identity)):
                continue  # of another ledger's campaign with this name
            if run.uid is None or run.identity in runs or not expected.knows(run.identity):
                extra.append(run)
            else:
                runs[run.identity] = run
        run_ids = {run.uid: run.run_id for run in runs.values()}
        wrong, lost = {}, {}
        missing = []
        for wanted in expected.runs:
            stored = runs.get(wanted.identity)
            if stored is None:
                missing.append(wanted.identity)
            elif fault := _fault(wanted, stored, run_ids.get(wanted.parent, wanted.parent)):
                wrong[wanted.identity] = fault
            if stored is not None and wanted.listed and (left := _lost(wanted, stored, writer)):
                lost[wanted.identity] = left
        return cls(runs, extra, missing, wrong, lost)

    @property
    def clean(self) -> bool:
        """Whether nothing is to be corrected."""
        return not (self.missing or self.extra or self.wrong)


def _lost(wanted: WantedRun, stored: StoredRun, writer: Writer) -> list[str]:
    found = writer.files(stored.run_id)
    return [name for name in wanted.listed if PurePosixPath(name).parts[0] not in found]


def _fault(wanted: WantedRun, stored: StoredRun, parent: str | None) -> str:
    """`stuck`, `different`, or nothing."""
    if stored.status == "RUNNING" != wanted.status:
        return "stuck"
    same = (
        stored.status == wanted.status
        and stored.parent == parent
        and _holds(stored.params, wanted.params)
        and _holds(stored.tags, {key: wanted.tags[key] for key in JUDGED if key in wanted.tags})
        and _same_values(wanted.metrics, stored)
    )
    return "" if same else "different"


def _holds(stored: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(stored.get(key) == value for key, value in wanted.items())


def _same_values(wanted: Iterable[Point], stored: StoredRun) -> bool:
    """Whether our metrics are right; others may have logged more under other keys."""
    wanted = [point for point in wanted if point.key != TO_LAST]
    if stored.points is None:
        latest = {point.key: stored_value(point.value) for point in latest_points(wanted)}
        return latest == {key: stored_value(stored.latest[key]) for key in latest if key in stored.latest}
    keys = {point.key for point in wanted}
    return _as_stored(wanted) == _as_stored(point for point in stored.points if point.key in keys)


def _as_stored(points: Iterable[Point]) -> set[tuple[Point, bool]]:
    values = ((point, *stored_value(point.value)) for point in points)
    return {(point._replace(value=value), is_nan) for point, value, is_nan in values}
