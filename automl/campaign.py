"""Runs a study: the one place that knows all rooms."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import yaml

from automl import plugins
from automl.contracts import Executor, Job, Outcome, Report, RunError, TrialState
from automl.data import load_task
from automl.data.sealed import open_test
from automl.executors.worker import build_evaluator
from automl.ledger import CampaignRow, Ledger, SearchRow, Store, owner_identity
from automl.progress import Progress
from automl.provenance import provenance
from automl.recorder import Recorder
from automl.report import collect, html
from automl.search import Plan, Search
from automl.strategies.searcher import Searcher
from automl.study import Arm, Study

HEARTBEAT = 2.0  # seconds
SHOW_EVERY = 0.25  # seconds between two updates of the live progress


def run_campaign(study: Study, *, store: Store, fresh: bool = False, progress: Progress) -> str:
    """Run `study` to its end and return the campaign's id.

    Continues the latest campaign of the same study when that was interrupted, unless `fresh`.
    Raises `UserError` before anything is created when a resource is missing, `RunError` when
    another process runs this campaign or the tracking server stays away.
    """
    executor = _executor(study)
    try:
        executor.check()
        ledger = Ledger.open(store)
        try:
            row, continued = _campaign_row(ledger, study, fresh)
            if continued:
                progress.message(f"continuing {row.id}")
            token = ledger.acquire(row.id, owner_identity())
            with _lease(ledger, row.id, token) as lease, _terminate_as_interrupt():
                _Campaign(study, row, ledger, store, executor, progress).run(lease)
                ledger.finish_campaign(row.id, token)
                _record_to_the_end(store, ledger, row.id, study)
            return row.id
        finally:
            ledger.close()
    finally:
        executor.close()


def _executor(study: Study) -> Executor:
    plugin = plugins.load("executors", study.executor.name)
    executor: Executor = plugin(plugin.Options(**study.executor.options))
    return executor


def _campaign_row(ledger: Ledger, study: Study, fresh: bool) -> tuple[CampaignRow, bool]:
    latest = ledger.latest(study.name)
    if latest is not None and latest.state != "finished" and latest.digest == study.digest() and not fresh:
        return latest, True
    spec = study.to_json()
    return ledger.create_campaign(study.name, spec, study.digest(), provenance(study)), False


class _Campaign:
    """The pool: a `JobSource` over all searches, the one that has spent the least first."""

    def __init__(
        self, study: Study, row: CampaignRow, ledger: Ledger, store: Store, executor: Executor, progress: Progress
    ) -> None:
        self.study, self.row, self.ledger, self.store = study, row, ledger, store
        self.executor, self.progress = executor, progress
        self.metrics = study.task.metrics
        self.recorder = Recorder(store, ledger, row.id, record=study.record)
        self.searches = self._searches()
        self._owner: dict[str, Search] = {}
        self._shown = 0.0
        self._lease: _Lease | None = None

    def run(self, lease: _Lease) -> None:
        """Search, retrain, open the test set, report."""
        self._lease = lease
        self.recorder.start()
        try:
            with self.progress:
                self.executor.run(self)
                self._show(force=True)
            for search in self.searches:
                self._open_test(search)
        finally:
            self.recorder.close()

    # --- JobSource ------------------------------------------------------------------------------

    def next_job(self) -> Job | None:
        """The next job: trials first, so that all arms meet the same noise; then retrainings."""
        assert self._lease is not None
        self._lease.check()
        self._show()
        for search in sorted(self.searches, key=lambda search: search.pressure):
            job = search.propose()
            if job is not None:
                return self._note(job, search)
        for search in self.searches:
            job = search.propose_final()
            if job is not None:
                return self._note(job, search)
        return None

    @property
    def finished(self) -> bool:
        """No job is open and none will come."""
        return all(search.idle for search in self.searches)

    def report(self, trial: str, token: str, report: Report) -> str | None:
        """Take a report; a reason ends the trial."""
        self._show()
        return self._owner[trial].report(trial, token, report)

    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        """Take the end of an attempt."""
        self._owner.pop(trial).finish(trial, token, outcome)
        self.recorder.wake()

    def lost(self, trial: str, token: str, reason: str) -> None:
        """The attempt's worker died."""
        self._owner.pop(trial).lost(trial, token, reason)

    def _note(self, job: Job, search: Search) -> Job:
        self._owner[job.trial] = search
        return job

    def _show(self, force: bool = False) -> None:
        now = time.monotonic()
        if force or now - self._shown > SHOW_EVERY:
            self._shown = now
            self.progress.update([search.status() for search in self.searches])

    # --- making the searches --------------------------------------------------------------------

    def _searches(self) -> list[Search]:
        trials = self.ledger.trials(campaign=self.row.id)
        reports = self.ledger.reports(campaign=self.row.id) if trials else {}
        found = []
        for seed in self.study.seeds:
            for name, arm in self.study.arms.items():
                row = self.ledger.add_search(self.row.id, name, seed)
                search = Search(row, self._plan(name, arm, seed), self.ledger, self._searcher(arm, seed))
                own = [trial for trial in trials if trial.search == row.id]
                search.restore(own, reports, self.row.heartbeat_at)
                found.append(search)
        return found

    def _plan(self, name: str, arm: Arm, seed: int) -> Plan:
        study = self.study
        evaluator = arm.evaluator or study.evaluator
        if arm.reference is not None:
            space, fixed = {"name": arm.reference}, plugins.load("spaces", arm.reference).default_config()
        else:
            chosen = arm.space or study.space
            space = chosen.model_dump(mode="json") if chosen else {}
            fixed = None if arm.strategy else {}
        resources = self.executor
        budget = study.budget
        devices = resources.gpus or resources.cpus
        limits = [b for b in (budget.device_seconds, budget.wall_seconds and budget.wall_seconds * devices) if b]
        return Plan(
            metrics=self.metrics,
            space=space,
            task=study.task.model_dump(mode="json"),
            evaluator=evaluator,
            protocol=study.evaluator,
            finals=study.final.seeds,
            workdir=self.store.folder / "work" / self.row.id / f"{name}-{seed}",
            import_path=[study.source],
            cpus=resources.cpus,
            gpus=resources.gpus,
            deadline=build_evaluator(evaluator).deadline,
            final_deadline=build_evaluator(study.evaluator).deadline,
            budget=min(limits) if limits else None,
            trials=budget.trials,
            fixed=fixed,
        )

    def _searcher(self, arm: Arm, seed: int) -> Searcher | None:
        if arm.strategy is None:
            return None
        space = arm.space or self.study.space
        return Searcher(
            plugins.load_space(space.model_dump(mode="json") if space else {}),
            arm.strategy,
            arm.pruner,
            self.metrics,
            seed,
        )

    # --- the sealed test set --------------------------------------------------------------------

    def _open_test(self, search: Search) -> None:
        """Open the test set once for a search's winner: all its fresh-seed models are scored at that opening."""
        if not self.study.task.dataset or search.plan.finals == 0 or search.best is None:
            return
        if any(o.values is not None for o in self.ledger.openings(self.row.id) if o.search == search.row.id):
            return
        models = [
            trial
            for trial in self.ledger.trials(search=search.row.id)
            if trial.kind == "final" and trial.state is TrialState.COMPLETE
        ]
        if not models:
            self.progress.message(f"{search.row.id}: no retraining succeeded, so the test set stays sealed")
            return
        opening = self.ledger.open_test(search.row.id, f"winner of {search.row.id}")
        task = load_task(search.plan.task, search.plan.import_path)
        data = open_test(search.plan.task, search.plan.import_path, opening=opening.id)
        evaluator = build_evaluator(search.plan.protocol if search.best[1].derived else search.plan.evaluator)
        primary = self.metrics[0]
        scores = [evaluator.score(Path(m.workdir or "") / "model", task, data, [primary]) for m in models]
        self.ledger.close_test(opening.id, [score[primary.name] for score in scores])


def _record_to_the_end(store: Store, ledger: Ledger, campaign: str, study: Study) -> None:
    """The finished campaign's runs, its resolved study and its report go to MLflow before we return."""
    recorder = Recorder(store, ledger, campaign, record=study.record)
    recorder.start()
    try:
        folder = store.folder / "work" / campaign
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "study.yaml").write_text(yaml.safe_dump(study.to_json(), sort_keys=False), encoding="utf-8")
        (folder / "report.html").write_text(html(collect(ledger, campaign)), encoding="utf-8")
        for name in ("study.yaml", "report.html"):
            recorder.attach(campaign, folder / name, name)
        recorder.drain()
    finally:
        recorder.close()


class _Lease:
    """Keeps our claim on a campaign alive from a thread of its own."""

    def __init__(self, ledger: Ledger, campaign: str, token: int) -> None:
        self.ledger, self.campaign, self.token = ledger, campaign, token
        self._lost = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise `RunError` when another process has taken the campaign over."""
        if self._lost.is_set():
            raise RunError(
                f"another process has taken over {self.campaign}; finished trials are safe, nothing was written twice"
            )

    def stop(self) -> None:
        """End the thread."""
        self._done.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._done.wait(HEARTBEAT):
            if not self.ledger.heartbeat(self.campaign, self.token):
                self._lost.set()
                return


@contextmanager
def _lease(ledger: Ledger, campaign: str, token: int) -> Iterator[_Lease]:
    lease = _Lease(ledger, campaign, token)
    try:
        yield lease
    finally:
        lease.stop()
        ledger.release(campaign, token)


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """SIGTERM ends a campaign as Ctrl-C does: it can be continued."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
