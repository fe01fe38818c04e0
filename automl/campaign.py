"""Runs a study: the one place that knows all rooms."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from automl import plugins, provenance
from automl.config import Arm, Study
from automl.contracts import Executor, Job, Outcome, PluginSpec, Report, RunError, Task, TrialState
from automl.data import load_task
from automl.data.sealed import open_test
from automl.executors.worker import build_evaluator
from automl.ledger import CampaignRow, Ledger, Store, owner_identity
from automl.progress import Progress
from automl.recorder import Recorder
from automl.report import collect, html
from automl.search import Plan, Search
from automl.strategies.searcher import Searcher

HEARTBEAT = 2.0  # seconds
DEADLINE = 3600.0  # wall seconds of a trial whose evaluator has no such option
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
        task = load_task(study.task.model_dump(mode="json"), [study.source]) if study.task.dataset else None
        with Ledger.open(store) as ledger:
            row, continued = _campaign_row(ledger, study, fresh, task)
            progress.message(f"{'continuing' if continued else 'starting'} {row.id}")
            token = ledger.acquire(row.id, owner_identity())
            with _lease(ledger, row.id, token) as lease, _terminate_as_interrupt():
                recorder = Recorder(store, ledger, row.id, record=study.record)
                recorder.start()
                try:
                    _Campaign(study, row, ledger, executor, recorder, progress).run(lease, store.folder)
                    if row.state != "finished":
                        ledger.finish_campaign(row.id, token)
                    _attach_report(recorder, ledger, row.id, store.folder / "work" / row.id)
                    recorder.drain()
                finally:
                    recorder.close()
            return row.id
    finally:
        executor.close()


def _executor(study: Study) -> Executor:
    plugin = plugins.load("executors", study.executor.name)
    executor: Executor = plugin(plugin.Options(**study.executor.options))
    return executor


def _campaign_row(ledger: Ledger, study: Study, fresh: bool, task: Task | None) -> tuple[CampaignRow, bool]:
    """The campaign to run, and whether it is an earlier one: interrupted, or not wholly recorded."""
    latest = ledger.latest(study.name)
    same = latest is not None and not fresh and latest.digest == study.digest()
    if latest is not None and same and (latest.state != "finished" or latest.recorded < 2):
        return latest, True
    facts = provenance.collect(Path(study.source))
    if task is not None:
        facts["data"] = {"name": task.name, "digest": task.digest}
    return ledger.create_campaign(study.name, study.to_json(), study.digest(), facts), False


class _Campaign:
    """The pool: a `JobSource` over all searches, the one that has spent the least first."""

    def __init__(
        self,
        study: Study,
        row: CampaignRow,
        ledger: Ledger,
        executor: Executor,
        recorder: Recorder,
        progress: Progress,
    ) -> None:
        self.study, self.row, self.ledger = study, row, ledger
        self.executor, self.recorder, self.progress = executor, recorder, progress
        self._owner: dict[str, Search] = {}
        self._shown = 0.0

    def run(self, lease: _Lease, folder: Path) -> None:
        """Search, retrain, open the test set. `folder`: where the store keeps working files."""
        self._lease = lease
        self.searches = self._searches(folder / "work" / self.row.id)
        with self.progress:
            self.executor.run(self)
            self._show(force=True)
        for search in self.searches:
            lease.check()
            self._open_test(search)

    # --- JobSource ------------------------------------------------------------------------------

    def next_job(self) -> Job | None:
        """The next job: trials first, so that all arms meet the same noise; then retrainings."""
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

    def _searches(self, folder: Path) -> list[Search]:
        trials = self.ledger.trials(campaign=self.row.id)
        reports = self.ledger.reports(campaign=self.row.id) if trials else {}
        found = []
        for seed in self.study.seeds:
            for name, arm in self.study.arms.items():
                row = self.ledger.add_search(self.row.id, name, seed)
                search = Search(
                    row, self._plan(arm, folder / f"{name}-{seed}"), self.ledger, self._searcher(arm, seed)
                )
                own = [trial for trial in trials if trial.search == row.id]
                search.restore(own, reports, self.row.heartbeat_at)
                found.append(search)
        return found

    def _plan(self, arm: Arm, workdir: Path) -> Plan:
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
        limits = [
            b for b in (budget.device_seconds, budget.wall_seconds and budget.wall_seconds * devices) if b
        ]
        return Plan(
            metrics=study.task.metrics,
            space=space,
            task=study.task.model_dump(mode="json"),
            evaluator=evaluator,
            protocol=study.evaluator,
            finals=study.final.seeds,
            workdir=workdir,
            import_path=[study.source],
            cpus=resources.cpus,
            gpus=resources.gpus,
            deadline=_deadline(evaluator),
            final_deadline=_deadline(study.evaluator),
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
            self.study.task.metrics,
            seed,
        )

    # --- the sealed test set --------------------------------------------------------------------

    def _open_test(self, search: Search) -> None:
        """Open the test set once for a search's winner and score all its fresh-seed models."""
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
        primary = self.study.task.metrics[0]
        scores = [evaluator.score(Path(m.workdir or "") / "model", task, data, [primary]) for m in models]
        self.ledger.close_test(opening.id, [score[primary.name] for score in scores])


def _deadline(evaluator: PluginSpec) -> float:
    """Wall seconds that a trial may take."""
    options = plugins.load("evaluators", evaluator.name).Options(**evaluator.options)
    return float(getattr(options, "deadline", DEADLINE))


def _attach_report(recorder: Recorder, ledger: Ledger, campaign: str, folder: Path) -> None:
    """The finished campaign's report goes to its MLflow run."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.html"
    path.write_text(html(collect(ledger, campaign)), encoding="utf-8")
    recorder.attach(campaign, path, path.name)


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
                f"another process has taken over {self.campaign}; finished trials are safe, "
                "nothing was written twice; let that process go on"
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
