"""How the runs that MLflow has differ from those that it must have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    from automl.recorder.expected import Expected


@dataclass
class Found:
    """A run that MLflow has of an identity, as far as it is remembered.

    `fault`: but for its parent. `lost`: artifacts that the ledger lists and it has not.
    """

    run_id: str
    identity: str
    uid: str | None
    rank: tuple[int, ...]
    parent: str | None
    fault: str = ""
    lost: Sequence[str] = ()


@dataclass(frozen=True)
class Comparison:
    """How MLflow differs. `runs`, and `wrong` (stuck or different), by identity; `extra`: runs too many.

    `lost`: by identity, artifacts that the ledger lists and its run has not.
    """

    runs: dict[str, Found]
    extra: list[Found]
    missing: list[str]
    wrong: dict[str, str]
    lost: dict[str, Sequence[str]]

    @classmethod
    def of(cls, expected: Expected, writer: Writer) -> Comparison:
        """What `writer` reads now against what is expected; some runs are in memory at once."""
        runs: dict[str, Found] = {}
        extra: list[Found] = []
        for page in writer.read():
            own = [run for run in page if run.uid in (None, expected.projection.uid(run.identity))]
            # others are of another ledger's campaign with this name
            faults = _faults(expected, writer, [run for run in own if run.uid is not None])
            for run in own:
                known = faults.get(run.run_id, ("", []))
                found = Found(run.run_id, run.identity, run.uid, run.rank, run.parent, *known)
                if run.uid is None or not expected.knows(run.identity):
                    extra.append(found)
                    continue
                other = runs.setdefault(run.identity, found)
                if other is not found:
                    better, worse = sorted((other, found), key=lambda one: one.rank)
                    runs[run.identity] = better
                    extra.append(worse)
        wrong = {
            name: fault for name in expected.order if name in runs and (fault := _whole(expected, runs, name))
        }
        lost = {name: runs[name].lost for name in expected.order if name in runs and runs[name].lost}
        return cls(runs, extra, [name for name in expected.order if name not in runs], wrong, lost)

    @property
    def clean(self) -> bool:
        """Whether nothing is to be corrected."""
        return not (self.missing or self.extra or self.wrong)


def _faults(
    expected: Expected, writer: Writer, stored: Sequence[StoredRun]
) -> dict[str, tuple[str, list[str]]]:
    """What is wrong with runs, and which artifacts they lack, by run id; only of those that are compared."""
    wanted = {run.identity: run for runs in expected.runs({run.identity for run in stored}) for run in runs}
    pairs = ((wanted.get(run.identity), run) for run in stored)
    return {run.run_id: (_fault(one, run), _lost(one, run, writer)) for one, run in pairs if one is not None}


def _lost(wanted: WantedRun, stored: StoredRun, writer: Writer) -> list[str]:
    found = writer.files(stored.run_id) if wanted.listed else ()
    return [name for name in wanted.listed if PurePosixPath(name).parts[0] not in found]


def _whole(expected: Expected, runs: Mapping[str, Found], identity: str) -> str:
    """What is wrong with the run of an identity, its place below its parent included."""
    run = runs[identity]
    parent = expected.parent(identity)
    above = None if parent is None else runs.get(parent)
    wanted = (
        above.run_id if above is not None else None if parent is None else expected.projection.uid(parent)
    )
    return run.fault or ("" if run.parent == wanted else "different")


def _fault(wanted: WantedRun, stored: StoredRun) -> str:
    """`stuck`, `different`, or nothing; whatever its parent is."""
    if stored.status == "RUNNING" != wanted.status:
        return "stuck"
    same = (
        stored.status == wanted.status
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
    own = {point for point in stored.points if point.key in keys}
    return set(wanted) == own or _as_stored(wanted) == _as_stored(own)  # most have no infinity and no NaN


def _as_stored(points: Iterable[Point]) -> set[tuple[Point, bool]]:
    values = ((point, *stored_value(point.value)) for point in points)
    return {(point._replace(value=value), is_nan) for point, value, is_nan in values}
