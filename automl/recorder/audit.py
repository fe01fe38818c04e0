"""Compares ledger and MLflow, and makes MLflow right again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from automl.contracts import TrialState
from automl.recorder.images import RunImage
from automl.recorder.points import Point, latest_points, stored_value
from automl.recorder.projection import Projection, project
from automl.recorder.tracking import Recorded, Writer, open_writer

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger
    from automl.ledger.rows import SearchRow, TrialRow
    from automl.ledger.store import Store


def audit(store: Store, ledger: Ledger, campaign_id: str) -> dict[str, Any]:
    """Whether MLflow has every trial of a campaign exactly once and right; changes no run.

    `trials` and `runs` count trials in the ledger and their runs in MLflow. The lists name identities
    of trials, searches and the campaign: `missing` a run; `duplicate`: more than one run, or a run of
    something the ledger does not know; `stuck`: RUNNING while nothing runs; `different`: another
    status, parameter, value or parent. While a driver is at work, only what it has recorded to the end
    is judged.
    """
    expected = _Expected.of(ledger, campaign_id)
    writer = open_writer(store, expected.projection.campaign)
    try:
        return _Found.of(expected, writer).to_json(expected)
    finally:
        writer.close()


def repair(store: Store, ledger: Ledger, campaign_id: str) -> dict[str, Any]:
    """Write what is missing or wrong, remove what is too much; returns a new audit. May be repeated."""
    expected = _Expected.of(ledger, campaign_id)
    writer = open_writer(store, expected.projection.campaign)
    try:
        # a server does not let us change some values: these need a new run, whose children a new parent
        for renew in (False, True, False):
            found = _Found.of(expected, writer)
            if found.clean:
                break
            _mend(expected, found, writer, renew=renew)
        expected.mark(ledger)
        return _Found.of(expected, writer).to_json(expected)
    finally:
        writer.close()


@dataclass(frozen=True)
class _Expected:
    """What MLflow must have by now: `images`, parents first. `live`: a driver is adding to it."""

    projection: Projection
    searches: list[SearchRow]
    trials: list[TrialRow]
    images: list[RunImage]
    live: bool

    @classmethod
    def of(cls, ledger: Ledger, campaign_id: str) -> _Expected:
        campaign = ledger.campaign(campaign_id)
        status = None if campaign is None else ledger.status(campaign)
        projection, searches = project(ledger, campaign_id, interrupted=status == "interrupted")
        trials = ledger.trials(campaign=campaign_id)
        live = status == "running"
        reports = ledger.reports(campaign=campaign_id) if projection.with_trials else {}
        judged = [trial for trial in trials if projection.with_trials and (not live or trial.recorded == 2)]
        images = [projection.trial_run(trial, reports.get(trial.id, [])) for trial in judged]
        if not live:
            openings = ledger.openings(campaign_id)
            parents = projection.search_runs(searches, trials, openings)
            ended = trials if projection.campaign.state == "finished" else []
            images = [projection.campaign_run(ended), *parents, *images]
        return cls(projection, searches, trials, images, live)

    @cached_property
    def identities(self) -> set[str]:
        """All that the ledger has of this campaign."""
        rows = {row.id for row in self.trials} | {row.id for row in self.searches}
        return rows | {self.projection.campaign.id}

    def knows(self, identity: str) -> bool:
        """Whether the ledger has this identity, or may have by now."""
        return self.live or identity in self.identities

    def mark(self, ledger: Ledger) -> None:
        """Tell the ledger that MLflow has it all."""
        if self.live:
            return
        ledger.mark_recorded({row.id: 1 if row.state is TrialState.RUNNING else 2 for row in self.trials})
        ledger.mark_searches_recorded({row.id: 2 if row.state == "finished" else 1 for row in self.searches})
        campaign = self.projection.campaign
        ledger.mark_campaign_recorded(campaign.id, 2 if campaign.state == "finished" else 1)


@dataclass(frozen=True)
class _Found:
    """How MLflow differs. `extra`: runs that are too many; `wrong`: stuck or different, by identity."""

    runs: dict[str, Recorded]
    extra: list[Recorded]
    missing: list[str]
    wrong: dict[str, str]

    @classmethod
    def of(cls, expected: _Expected, writer: Writer) -> _Found:
        runs: dict[str, Recorded] = {}
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
        for image in expected.images:
            run_or_none = runs.get(image.identity)
            if run_or_none is None:
                missing.append(image.identity)
            elif what := _difference(image, run_or_none, run_ids.get(image.parent, image.parent)):
                wrong[image.identity] = what
        return cls(runs, extra, missing, wrong)

    @property
    def clean(self) -> bool:
        return not (self.missing or self.extra or self.wrong)

    def to_json(self, expected: _Expected) -> dict[str, Any]:
        ours = [run.identity for run in (*self.runs.values(), *self.extra)]
        return {
            "trials": len(expected.trials),
            "runs": sum(identity.count("/") == 3 for identity in ours),
            "missing": self.missing,
            "duplicate": sorted({run.identity for run in self.extra}),
            "stuck": [identity for identity, what in self.wrong.items() if what == "stuck"],
            "different": [identity for identity, what in self.wrong.items() if what == "different"],
        }


def _mend(expected: _Expected, found: _Found, writer: Writer, *, renew: bool) -> None:
    for run in found.extra:
        writer.delete(run.run_id)
    if renew:
        for identity in found.wrong:
            writer.delete(found.runs[identity].run_id)
    bad = {*found.missing, *found.wrong}
    images = [image for image in expected.images if image.identity in bad]
    writer.write(images)
    for image in images:
        writer.upload(image.uid, image.artifacts)


def _difference(image: RunImage, run: Recorded, parent: str | None) -> str:
    """`stuck`, `different`, or nothing."""
    if run.status == "RUNNING" != image.status:
        return "stuck"
    same = (
        run.status == image.status
        and run.parent == parent
        and _holds(run.params, image.params)
        and _holds(run.tags, {"automl.state": image.tags["automl.state"]})
        and _same_values(image.metrics, run)
    )
    return "" if same else "different"


def _holds(found: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(found.get(key) == value for key, value in wanted.items())


def _same_values(wanted: Iterable[Point], run: Recorded) -> bool:
    """Whether the metrics of ours are right; others may have logged more under other keys."""
    wanted = list(wanted)
    if run.points is None:
        latest = {point.key: stored_value(point.value) for point in latest_points(wanted)}
        return latest == {key: stored_value(run.latest[key]) for key in latest if key in run.latest}
    keys = {point.key for point in wanted}
    return _stored(wanted) == _stored(point for point in run.points if point.key in keys)


def _stored(points: Iterable[Point]) -> set[tuple[Any, ...]]:
    return {(point.key, stored_value(point.value), point.timestamp, point.step) for point in points}
