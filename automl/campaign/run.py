"""Runs a study from its first trial to the report in MLflow, or goes on where it was interrupted."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from automl import plugins, provenance
from automl.benchmarks import file_digest
from automl.campaign.lease import Lease, held
from automl.campaign.planning import check_data, plan_searches
from automl.campaign.pool import Pool
from automl.campaign.search import Search
from automl.campaign.simulated import AnySearch, is_simulated
from automl.config import ResolvedStudy, Study, resolve
from automl.contracts import Config, Tabular, Task, TrialState
from automl.data import load_task
from automl.data.sealed import open_test, open_test_column
from automl.executors.process import use_cpus
from automl.ledger import CampaignRow, Ledger, Store, TrialRow
from automl.progress import Progress
from automl.recorder import Recorder
from automl.report import cell_picture, collect, health_pictures, html


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
        with Ledger.open(store) as ledger:
            row, continued = _campaign_row(ledger, resolved, fresh, task)
            progress.message(f"{'continuing' if continued else 'starting'} {row.id}")
            with held(ledger, row.id) as lease:
                recorder = Recorder(store, ledger, row.id, record=row.spec.get("record", "trials"))
                recorder.start()
                try:
                    folder = store.folder / "work" / row.id
                    searches = plan_searches(resolved, row, ledger, folder)
                    with progress:
                        executor.run(Pool(searches, lease, progress))
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
    facts = provenance.collect(Path(study.source))
    if task is not None:
        facts["data"] = {"name": task.name, "digest": task.digest}
    elif isinstance(resolved.protocol, Tabular):
        file = resolved.protocol.options.file
        facts["data"] = {"name": Path(file).name, "digest": file_digest(file)}
    return ledger.create_campaign(study.name, study.to_json(), study.digest(), facts), False


def _finish(study: Study, row: CampaignRow, ledger: Ledger, searches: list[AnySearch], lease: Lease) -> None:
    """Open the test set for each winner, then end the campaign."""
    opened = {opening.search for opening in ledger.openings(row.id) if opening.values is not None}
    waiting = [search for search in searches if search.row.id not in opened and study.final.seeds]
    lease.check()
    _open_columns([s for s in waiting if is_simulated(s.final_evaluator)], study.final.seeds, ledger)
    for search in waiting:
        if study.task.dataset and isinstance(search, Search) and not is_simulated(search.final_evaluator):
            lease.check()
            _open_test(search, ledger)
    if row.state != "finished":
        ledger.finish_campaign(row.id, lease.token)


def _open_columns(searches: list[AnySearch], count: int, ledger: Ledger) -> None:
    """Open the test columns of benchmark tables, each table once, for all winners that have one."""
    groups: defaultdict[tuple[str, str], dict[str, Config]] = defaultdict(dict)
    for search in searches:
        options = search.final_evaluator.options
        if search.best is not None and options.get("test"):
            found = search.best[1]
            winner = found if isinstance(found, dict) else found.config
            groups[options["file"], options["test"]][search.row.id] = winner
    for (file, column), winners in groups.items():
        ids = ledger.open_tests({name: f"winner of {name}" for name in winners})
        openings = [ids[name] for name in winners]
        values = open_test_column(file, column, list(winners.values()), count, openings=openings)
        ledger.close_tests(dict(zip(openings, values, strict=True)))


def _open_test(search: Search, ledger: Ledger) -> None:
    """Open the test set once for a search's winner and score all its fresh-seed models."""
    trials = ledger.trials(search=search.row.id)
    models = [trial for trial in trials if trial.kind == "final" and trial.state is TrialState.COMPLETE]
    if search.best is None or not models:
        return
    plan = search.plan
    opening = ledger.open_test(search.row.id, f"winner of {search.row.id}")
    task = load_task(plan.task, plan.import_path)
    data = open_test(plan.task, plan.import_path, opening=opening.id)
    evaluator = plugins.build("evaluators", search.final_evaluator)
    if not plan.gpus:
        use_cpus(plan.cpus)
    primary = plan.metrics[0]
    scores = [evaluator.score(Path(model.workdir or "") / "model", task, data, [primary]) for model in models]
    details = scores if any(len(score) > 1 for score in scores) else None
    ledger.close_test(opening.id, [score[primary.name] for score in scores], details)


def _attach(
    recorder: Recorder, ledger: Ledger, campaign: str, searches: list[AnySearch], folder: Path
) -> None:
    """The report, winners' checkpoints and cells, and the courses of one-shot searches go to MLflow."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.html"
    data = collect(ledger, campaign)
    path.write_text(html(data), encoding="utf-8")
    recorder.attach(campaign, path, path.name)
    courses = {entry["trial"].rpartition("/")[0]: entry for entry in data["health"]}
    for search in searches:
        if isinstance(search, Search) and search.best is not None and search.best[1].workdir:
            _attach_winner(recorder, search, search.best[1], Path(search.best[1].workdir))
            if search.row.id in courses:
                for name, picture in health_pictures(courses[search.row.id]).items():
                    _attach_picture(recorder, search, name, picture)


def _attach_winner(recorder: Recorder, search: Search, winner: TrialRow, workdir: Path) -> None:
    recorder.attach(search.row.id, workdir / "checkpoints", "checkpoint")
    picture = cell_picture(search.plan.space, winner.derived or winner.config)
    if picture is not None:
        _attach_picture(recorder, search, "cell", picture)


def _attach_picture(recorder: Recorder, search: Search, name: str, picture: str) -> None:
    path = search.plan.workdir / f"{name}.svg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(picture, encoding="utf-8")
    recorder.attach(search.row.id, path, path.name)
