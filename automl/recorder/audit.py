"""Compares ledger and MLflow, and corrects MLflow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from automl.contracts import TrialState
from automl.recorder.answers import told
from automl.recorder.points import Point, latest_points, stored_value
from automl.recorder.projection import Projection, project
from automl.recorder.wanted_run import WantedRun
from automl.recorder.writer import StoredRun, Writer
from automl.recorder.writer_choice import open_writer

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger
    from automl.ledger.rows import SearchRow, TrialRow
    from automl.ledger.store import Store


@dataclass(frozen=True)
class Audit:
    """How MLflow compares with the ledger: numbers of trials and of their runs, and identities.

    `missing`: without a run; `duplicate`: more than one run, or a run of something the ledger does not
    know; `stuck`: RUNNING while nothing runs; `different`: another status, parameter, value or parent.
    """

    trials: int
    runs: int
    missing: list[str]
    duplicate: list[str]
    stuck: list[str]
    different: list[str]

    @property
    def faults(self) -> dict[str, list[str]]:
        """The lists that are not empty, by name."""
        lists = {
            "missing": self.missing,
            "duplicate": self.duplicate,
            "stuck": self.stuck,
            "different": self.different,
        }
        return {name: identities for name, identities in lists.items() if identities}

    def to_json(self) -> dict[str, object]:
        """The audit as plain JSON."""
        return asdict(self)


def audit(store: Store, ledger: Ledger, campaign_id: str) -> Audit:
    """Whether MLflow has every trial of a campaign exactly once and right; changes no run.

    Searches and the campaign itself count too. While a driver is at work, only what it has recorded to the
    end is judged.
    """
    expected = _Expected.of(ledger, campaign_id)
    with _opened(store, expected) as writer:
        return _Comparison.of(expected, writer).audit(expected)


def repair(store: Store, ledger: Ledger, campaign_id: str) -> Audit:
    """Write what is missing or wrong, remove what is too much; returns a new audit. May be repeated."""
    expected = _Expected.of(ledger, campaign_id)
    with _opened(store, expected) as writer:
        # a server does not let us change some values: these need a new run, whose children a new parent
        for renew in (False, True, False):
            comparison = _Comparison.of(expected, writer)
            if comparison.clean:
                break
            _correct(expected, comparison, writer, renew=renew)
        expected.mark(ledger)
        return _Comparison.of(expected, writer).audit(expected)


@contextmanager
def _opened(store: Store, expected: _Expected) -> Iterator[Writer]:
    """The writer of a campaign. Raises `RunError` for answers of a server that cannot be used."""
    with told(store, f"the audit of {expected.projection.campaign.id}"):
        writer = open_writer(store, expected.projection.campaign)
        try:
            yield writer
        finally:
            writer.close()


@dataclass(frozen=True)
class _Expected:
    """What MLflow must have by now: `runs`, parents first. `live`: a driver is adding to it."""

    projection: Projection
    searches: list[SearchRow]
    trials: list[TrialRow]
    runs: list[WantedRun]
    live: bool

    @classmethod
    def of(cls, ledger: Ledger, campaign_id: str) -> _Expected:
        ledger.check_references()  # a run of a trial that lost its search must not count as one too many
        campaign = ledger.campaign(campaign_id)
        status = None if campaign is None else ledger.status(campaign)
        projection, searches = project(ledger, campaign_id, interrupted=status == "interrupted")
        trials = ledger.trials(campaign=campaign_id)
        live = status == "running"
        reports = ledger.reports(campaign=campaign_id) if projection.with_trials else {}
        judged = [trial for trial in trials if projection.with_trials and (not live or trial.recorded == 2)]
        runs = [projection.trial_run(trial, reports.get(trial.id, [])) for trial in judged]
        if not live:
            openings = ledger.openings(campaign_id)
            parents = projection.search_runs(searches, trials, openings)
            ended = trials if projection.campaign.state == "finished" else []
            runs = [projection.campaign_run(ended), *parents, *runs]
        return cls(projection, searches, trials, runs, live)

    @cached_property
    def identities(self) -> set[str]:
        """All that the ledger has of this campaign."""
        rows = {row.id for row in self.trials} | {row.id for row in self.searches}
        return rows | {self.projection.campaign.id}

    def knows(self, identity: str) -> bool:
        """Whether the ledger has this identity, or may have by now."""
        return self.live or identity in self.identities

    def mark(self, ledger: Ledger) -> None:
        """Note in the ledger that MLflow has it all."""
        if self.live:
            return
        ledger.mark_recorded({row.id: 1 if row.state is TrialState.RUNNING else 2 for row in self.trials})
        ledger.mark_searches_recorded({row.id: 2 if row.state == "finished" else 1 for row in self.searches})
        campaign = self.projection.campaign
        ledger.mark_campaign_recorded(campaign.id, 2 if campaign.state == "finished" else 1)


@dataclass(frozen=True)
class _Comparison:
    """How MLflow differs. `runs`, and `wrong` (stuck or different), by identity; `extra`: runs too many."""

    runs: dict[str, StoredRun]
    extra: list[StoredRun]
    missing: list[str]
    wrong: dict[str, str]

    @classmethod
    def of(cls, expected: _Expected, writer: Writer) -> _Comparison:
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
        wrong = {}
        missing = []
        for wanted in expected.runs:
            stored = runs.get(wanted.identity)
            if stored is None:
                missing.append(wanted.identity)
            elif fault := _fault(wanted, stored, run_ids.get(wanted.parent, wanted.parent)):
                wrong[wanted.identity] = fault
        return cls(runs, extra, missing, wrong)

    @property
    def clean(self) -> bool:
        return not (self.missing or self.extra or self.wrong)

    def audit(self, expected: _Expected) -> Audit:
        identities = [run.identity for run in (*self.runs.values(), *self.extra)]
        return Audit(
            trials=len(expected.trials),
            runs=sum(identity.count("/") == 3 for identity in identities),
            missing=self.missing,
            duplicate=sorted({run.identity for run in self.extra}),
            stuck=[identity for identity, fault in self.wrong.items() if fault == "stuck"],
            different=[identity for identity, fault in self.wrong.items() if fault == "different"],
        )


def _correct(expected: _Expected, comparison: _Comparison, writer: Writer, *, renew: bool) -> None:
    for run in comparison.extra:
        writer.delete(run.run_id)
    if renew:
        for identity in comparison.wrong:
            writer.delete(comparison.runs[identity].run_id)
    identities = {*comparison.missing, *comparison.wrong}
    runs = [run for run in expected.runs if run.identity in identities]
    writer.write(runs)
    for wanted in runs:
        writer.upload(wanted.uid, wanted.artifacts)


def _fault(wanted: WantedRun, stored: StoredRun, parent: str | None) -> str:
    """`stuck`, `different`, or nothing."""
    if stored.status == "RUNNING" != wanted.status:
        return "stuck"
    same = (
        stored.status == wanted.status
        and stored.parent == parent
        and _holds(stored.params, wanted.params)
        and _holds(stored.tags, {"automl.state": wanted.tags["automl.state"]})
        and _same_values(wanted.metrics, stored)
    )
    return "" if same else "different"


def _holds(stored: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(stored.get(key) == value for key, value in wanted.items())


def _same_values(wanted: Iterable[Point], stored: StoredRun) -> bool:
    """Whether our metrics are right; others may have logged more under other keys."""
    wanted = list(wanted)
    if stored.points is None:
        latest = {point.key: stored_value(point.value) for point in latest_points(wanted)}
        return latest == {key: stored_value(stored.latest[key]) for key in latest if key in stored.latest}
    keys = {point.key for point in wanted}
    return _as_stored(wanted) == _as_stored(point for point in stored.points if point.key in keys)


def _as_stored(points: Iterable[Point]) -> set[tuple[Point, bool]]:
    values = ((point, *stored_value(point.value)) for point in points)
    return {(point._replace(value=value), is_nan) for point, value, is_nan in values}
