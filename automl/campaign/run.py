"""Runs a study from its first trial to the report in MLflow, or continues an interrupted campaign."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from automl.campaign.attaching import attach_when_written
from automl.campaign.clock import CampaignClock
from automl.campaign.continuing import Chosen, Wanted, choose_campaign
from automl.campaign.control import Control
from automl.campaign.kills import tell_of_kills
from automl.campaign.lease import Lease, held
from automl.campaign.limits import CampaignLimits, Pace
from automl.campaign.logged import LoggedJobs
from automl.campaign.models import Models
from automl.campaign.needs import luggage_of, needs_of
from automl.campaign.openings import import_ahead, open_data, open_tables, unopened
from automl.campaign.planning import check_data, plan_searches
from automl.campaign.pool import Pool
from automl.campaign.quota import charged_to, check_quotas
from automl.campaign.refitting import begin_refit
from automl.campaign.search import Search, alive
from automl.campaign.sharing import Driven, Sharing
from automl.campaign.storing import chosen_storage
from automl.campaign.transferring import check_kept, notes_of, read_transfers
from automl.campaign.until_decided import add_seeds
from automl.config import ResolvedStudy, Study, resolve, with_executor
from automl.contracts import Executor, Task
from automl.data import load_task, sources
from automl.ledger import CampaignRow, Ledger, Store, as_interrupts, user_name
from automl.notifying import Announcer, Targets, check_targets
from automl.private import private
from automl.progress import Progress
from automl.recorder import Recorder, RecordingError
from automl.signs import Signs
from automl.storage import open_ledger, refresh_statistics

AS_WRITTEN = Wanted()


@private()
@as_interrupts()
def run_campaign(
    study: Study,
    *,
    store: Store,
    wanted: Wanted = AS_WRITTEN,
    progress: Progress,
    began: float | None = None,
    executor: Executor | None = None,
) -> str:
    """Run `study` to its end and return the campaign's id.

    The latest campaign of the same study is continued: an interrupted one goes on, and it grows by what the
    study asks for beyond it; one that has all of that is left alone. `wanted` says what is asked for besides.
    Raises `UserError` before anything is created when a resource or data is missing, `RunError`
    when another process runs this campaign or the ledger stays away. What MLflow did not take is told.
    `began`: the monotonic time from which its limits count, by default now. `executor`: one that exists
    already, such as that of a program's own loop; by default the study's.
    """
    began = time.monotonic() if began is None else began
    resolved = resolve(study)
    executor = executor or resolved.executor
    resolved = with_executor(resolved, executor)
    try:
        executor.bring(luggage_of(study))
        executor.check()
        resolved = replace(resolved, storage=chosen_storage(resolved, progress))
        others = read_transfers(resolved, study.transfer)
        task, reading = _read(study, executor)
        resolved = _counted(resolved, task, reading)
        check_targets(study)
        # processes of trials load while the data are checked, which imports much here, too
        executor.examine(needs_of(resolved, task, store), progress.message)
        check_data(resolved, task)
        with open_ledger(store) as ledger:
            for line in (*(task.notes if task else ()), *notes_of(others)):
                progress.message(f"data: {line}")
            check_quotas(ledger, charged_to(study, user_name()))
            digests = {name: data.digest for name, data in others.items()}
            chosen = choose_campaign(ledger, resolved, task, wanted, progress, digests)
            row = chosen.row
            announcer = Announcer(ledger, store, Targets.of(study), progress.message, wanted.firing)
            if nothing := _nothing_to_do(chosen):
                announcer.owed(row.id)
                progress.message(f"{row.id} {nothing}")
                return row.id
            if chosen.study != study:
                grown = with_executor(resolve(chosen.study), executor)
                resolved = replace(_counted(grown, task, reading), storage=resolved.storage)
                check_kept(resolved, others, row)
            progress.message(f"{'continuing' if chosen.continued else 'starting'} {row.id}")
            if chosen.continued:
                ledger.check_references()
                tell_of_kills(ledger, row.id, progress)
            _drive(resolved, chosen, store, ledger, progress, announcer, began)
            return row.id
    finally:
        executor.close()


def _read(study: Study, executor: Executor) -> tuple[Task | None, float]:
    """The data of a study, None for one without, and how many seconds they took."""
    if executor.in_process:
        sources.forget()
    began = time.monotonic()
    task = load_task(study.task.model_dump(mode="json"), [study.source]) if study.task.dataset else None
    return task, time.monotonic() - began


def _counted(resolved: ResolvedStudy, task: Task | None, reading: float) -> ResolvedStudy:
    """The same with what is known of its data; `reading`: seconds that they took."""
    if task is None:
        return replace(resolved, reading=reading)
    return replace(resolved, rows=len(task.train), all_rows=task.rows, reading=reading)


def _nothing_to_do(chosen: Chosen) -> str:
    """Why nothing is to be run; "" when something is."""
    row = chosen.row
    if row.was_stopped and row.recorded >= 2:
        advice = f"`automl resume {row.id}` lets it go on, --fresh starts another one"
        return f"was {row.reason}; nothing was started; {advice}"
    return "is complete: it has all that is asked for; nothing was started" if chosen.complete else ""


def _drive(
    resolved: ResolvedStudy,
    chosen: Chosen,
    store: Store,
    ledger: Ledger,
    progress: Progress,
    announcer: Announcer,
    began: float,
) -> None:
    """Run the chosen campaign to its end, as its one driver."""
    row, study, executor = chosen.row, resolved.study, resolved.executor
    with held(ledger, row.id, began) as lease, announcer.following(row, lease.token):
        if chosen.grows is not None:
            spec = study.to_json()
            row = ledger.grow_campaign(row.id, lease.token, spec, study.digest(), chosen.grows)
        folder = store.folder / "work" / row.id
        clock = CampaignClock(ledger.drives(row.id)[:-1], began)
        ledger.reopen_searches(row.id)
        recorder = Recorder(store, ledger, row.id, record=row.summary.record)
        recorder.start()
        driven = Driven(row.id, lease.token, study.weight, charged_to(study, row.begun_by))
        try:
            more, models = True, Models(ledger, progress, resolved.storage is not None)
            while more:
                searches = plan_searches(resolved, row, ledger, folder, clock)
                pace = Pace(executor.trials_at_once, resolved.reading, lambda: executor.restart)
                limits = CampaignLimits(study.limits, clock, searches, pace)
                if not executor.in_process:
                    import_ahead(searches)
                run = partial(_run_jobs, lease, limits, driven, (executor, recorder, progress), folder)
                run(ledger)
                if more := _open_tests(models, row, lease, limits):
                    continue
                going_on = row.state != "finished" and not limits.met
                more = going_on and add_seeds(ledger, row.id, executor.trials_at_once, progress)
                if not more and begin_refit(study, ledger, limits, row.id, progress):
                    run(ledger)
            if row.state != "finished":
                ledger.finish_campaign(row.id, lease.token, limits.met)
            announcer.ended(row.id)
            _record_the_rest(recorder, ledger, row.id, searches, folder)
            refresh_statistics(store)
        finally:
            recorder.close()


def _run_jobs(
    lease: Lease,
    limits: CampaignLimits,
    driven: Driven,
    by: tuple[Executor, Recorder, Progress],
    folder: Path,
    ledger: Ledger,
) -> None:
    """Run what the searches have to run now."""
    executor, recorder, progress = by
    control = Control(ledger, driven.campaign, limits, progress, executor.wake)
    signs = Signs(folder, lease.token, partial(alive, limits.searches))
    sharing = Sharing(ledger, driven, executor, limits, progress)
    with progress, signs.noted(), control.followed(), sharing.followed():
        pool = Pool(limits.searches, lease, progress, limits, sharing.slots, control)
        executor.run(LoggedJobs(pool, recorder))
    limits.met = limits.stopped or limits.met


def _record_the_rest(
    recorder: Recorder, ledger: Ledger, campaign: str, searches: list[Search], folder: Path
) -> None:
    """Wait for the disk and for MLflow. Those that stay away fail no campaign: the ledger has it all."""
    log = logging.getLogger(__name__)
    try:
        attach_when_written(recorder, ledger, campaign, searches, folder)
        recorder.drain()
    except OSError as error:  # not complete in MLflow: the next run attaches it
        text = "the report of %s must be written into %s, but: %s; make room, then run `automl run %s`"
        log.warning(text, campaign, folder, error.strerror, campaign)
    except RecordingError as error:
        log.warning("%s", error)


def _open_tests(models: Models, row: CampaignRow, lease: Lease, limits: CampaignLimits) -> bool:
    """Open the test set for each winner. Without time it stays sealed.

    True when models are lost instead, and have to be trained again first.
    """
    ledger = models.ledger
    waiting = unopened(limits.searches, ledger, row.id)
    lease.check()
    if waiting and not limits.out_of_time():
        if row.summary.dataset and models.lose(waiting):
            return True
        open_tables(waiting, ledger)
    places = {id(search): place for place, search in enumerate(limits.in_turn(limits.searches))}
    for one in sorted(waiting, key=lambda one: places[id(one.search)]):
        if row.summary.dataset and not limits.out_of_time() and limits.fits(one.search.outlook.score):
            lease.check()
            open_data(one, ledger)
    return False
