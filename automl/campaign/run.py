"""Runs a study from its first trial to the report in MLflow, or continues an interrupted campaign."""

from __future__ import annotations

from pathlib import Path

from automl import provenance
from automl.benchmarks import file_digest
from automl.campaign.lease import Lease, held
from automl.campaign.logged import LoggedJobs
from automl.campaign.openings import open_data, open_tables
from automl.campaign.planning import check_data, plan_searches
from automl.campaign.pool import Pool
from automl.campaign.search import Incumbent, Search
from automl.config import ResolvedStudy, Study, resolve
from automl.contracts import Tabular, Task
from automl.data import load_task
from automl.ledger import CampaignRow, Ledger, Store
from automl.progress import Progress
from automl.provenance import DataIdentity
from automl.recorder import Recorder
from automl.report import cell_picture, collect, course_pictures, html
from automl.storage import open_ledger


def run_campaign(study: Study, *, store: Store, fresh: bool = False, progress: Progress) -> str:
    """Run `study` to its end and return the campaign's id.

    Continues the latest campaign of the same study when that was interrupted, unless `fresh`.
    Raises `UserError` before anything is created when a resource or data is missing, `RunError`
    when another process runs this campaign or the tracking server stays away.
    """
    resolved = resolve(study)
    executor = resolved.executor
    try:
        executor.check()
        task = load_task(study.task.model_dump(mode="json"), [study.source]) if study.task.dataset else None
        check_data(resolved, task)
        with open_ledger(store) as ledger:
            row, continued = _campaign_row(ledger, resolved, fresh, task)
            progress.message(f"{'continuing' if continued else 'starting'} {row.id}")
            with held(ledger, row.id) as lease:
                recorder = Recorder(store, ledger, row.id, record=row.summary.record)
                recorder.start()
                try:
                    folder = store.folder / "work" / row.id
                    searches = plan_searches(resolved, row, ledger, folder)
                    with progress:
                        executor.run(LoggedJobs(Pool(searches, lease, progress), recorder))
                    _finish(study, row, ledger, searches, lease)
                    _attach(recorder, ledger, row.id, searches, folder)
                    recorder.drain()
                finally:
                    recorder.close()
            return row.id
    finally:
        executor.close()


def _campaign_row(
    ledger: Ledger, resolved: ResolvedStudy, fresh: bool, task: Task | None
) -> tuple[CampaignRow, bool]:
    """The campaign to run, and whether it is an earlier one: interrupted, or not wholly recorded."""
    study = resolved.study
    latest = ledger.latest(study.name)
    same = latest is not None and not fresh and latest.digest == study.digest()
    if latest is not None and same and (latest.state != "finished" or latest.recorded < 2):
        return latest, True
    origin = provenance.collect(Path(study.source), _data(resolved, task)).to_json()
    return ledger.create_campaign(study.name, study.to_json(), study.digest(), origin), False


def _data(resolved: ResolvedStudy, task: Task | None) -> DataIdentity | None:
    if task is not None:
        return DataIdentity(task.name, task.digest)
    if isinstance(resolved.protocol, Tabular):
        file = resolved.protocol.options.file
        return DataIdentity(Path(file).name, file_digest(file))
    return None


def _finish(study: Study, row: CampaignRow, ledger: Ledger, searches: list[Search], lease: Lease) -> None:
    """Open the test set for each winner, then end the campaign."""
    opened = {opening.search for opening in ledger.openings(row.id) if opening.values is not None}
    waiting = [search for search in searches if search.row.id not in opened and study.final.seeds]
    lease.check()
    open_tables(waiting, study.final.seeds, ledger)
    for search in waiting:
        if study.task.dataset:
            lease.check()
            open_data(search, ledger)
    if row.state != "finished":
        ledger.finish_campaign(row.id, lease.token)


def _attach(recorder: Recorder, ledger: Ledger, campaign: str, searches: list[Search], folder: Path) -> None:
    """The report, winners' checkpoints and cells, and the courses of one-shot searches go to MLflow."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.html"
    report = collect(ledger, campaign)
    path.write_text(html(report), encoding="utf-8")
    recorder.attach(campaign, path, path.name)
    courses = {entry.trial.rpartition("/")[0]: entry.course for entry in report.collapse}
    for search in searches:
        if search.best is not None and search.best.workdir is not None:
            _attach_winner(recorder, search, search.best, search.best.workdir)
            if search.row.id in courses:
                for name, picture in course_pictures(courses[search.row.id]).items():
                    _attach_picture(recorder, search, name, picture)


def _attach_winner(recorder: Recorder, search: Search, winner: Incumbent, workdir: Path) -> None:
    recorder.attach(search.row.id, workdir / "checkpoints", "checkpoint")
    picture = cell_picture(winner.trained, search.settings.space.get("name", "cell"))
    if picture is not None:
        _attach_picture(recorder, search, "cell", picture)


def _attach_picture(recorder: Recorder, search: Search, name: str, picture: str) -> None:
    path = search.settings.workdir / f"{name}.svg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(picture, encoding="utf-8")
    recorder.attach(search.row.id, path, path.name)
