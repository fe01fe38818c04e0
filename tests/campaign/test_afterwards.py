"""What follows a live search, with outcomes told by hand: failures, limits, requests, killed drivers."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.campaign.live import LiveSearch
from automl.campaign.settings import SearchSettings
from automl.config import Retry
from automl.contracts import Direction, Ending, Job, Metric, Outcome, PluginSpec, Report, TrialState
from automl.ledger import Ledger
from automl.space import Choice, Space
from automl.strategies.searcher import Searcher

LOSS = [Metric("loss", Direction.MINIMIZE)]
SPACE = Space({"x": Choice(list(range(6)))})
GRID = PluginSpec("grid")
VALUES = {0: 0.3, 1: 0.1, 2: 0.2, 3: 0.9, 4: 0.8, 5: 0.7}  # of the search: 1, 2, 0 lead


class Bench:
    """A search of a grid on a ledger whose best three are evaluated again twice."""

    def __init__(self, ledger: Ledger, folder: Path, **changes: object) -> None:
        self.ledger, self.folder = ledger, folder
        given: dict[str, object] = {
            "finals": 2,
            "top": 3,
            "trials": 6,
            "retry": Retry(backoff=0.0),
            **changes,
        }
        self.settings = SearchSettings(
            metrics=LOSS,
            space={"name": "unused"},
            task={"dataset": None},
            evaluator=PluginSpec("function"),
            protocol=PluginSpec("network"),
            workdir=folder,
            import_path=[],
            cpus=1,
            gpus=0,
            deadline=60,
            final_deadline=90,
            **given,  # type: ignore[arg-type]
        )
        self.campaign = ledger.latest("s") or ledger.create_campaign("s", {}, "d", {})
        self.search = self.make()

    def make(self) -> LiveSearch:
        row = self.ledger.add_search(self.campaign.id, "arm", 0)
        searcher = Searcher.build(SPACE, GRID, PluginSpec("none"), LOSS, 0)
        made = LiveSearch(row, self.settings, self.ledger, searcher)
        trials = self.ledger.trials(search=row.id)
        made.restore(trials, self.ledger.reports(search=row.id), self.ledger.attempts(self.campaign.id))
        return made

    def searched(self) -> Bench:
        while (job := self.search.propose()) is not None:
            self.end(job, VALUES[int(str(job.config["x"]))])
        return self

    def follow(self) -> Job:
        job = self.search.propose_final()
        assert job is not None
        return job

    def again(self, values: dict[int, float | None]) -> Bench:
        """Evaluate all that may win; None: a bug."""
        for _ in range(6):
            job = self.follow()
            assert "/again-" in job.trial
            self.end(job, values[int(str(job.config["x"]))])
        return self

    def end(self, job: Job, value: float | None) -> None:
        state = TrialState.FAILED if value is None else TrialState.COMPLETE
        values = None if value is None else [value]
        self.search.finish(
            job.trial, job.token, Outcome(state, 1.0, values=values, reason="bug" if value is None else "")
        )

    @property
    def winner(self) -> object:
        """The configuration that the ledger names."""
        (search,) = self.ledger.searches(self.campaign.id)
        trial = self.ledger.trial(search.winner or "")
        return trial and trial.config["x"]


@pytest.fixture
def bench(ledger: Ledger, tmp_path: Path) -> Bench:
    return Bench(ledger, tmp_path)


def test_nothing_is_retrained_before_the_winner_is_named(bench: Bench) -> None:
    bench.searched()
    assert bench.winner == 1
    jobs = [bench.follow() for _ in range(6)]
    assert bench.search.propose_final() is None  # all are open
    assert not bench.search.idle
    for job in jobs:
        bench.end(job, {1: 0.5, 2: 0.4, 0: 0.6}[int(str(job.config["x"]))])
    assert bench.winner == 2
    finals = [bench.follow(), bench.follow()]
    assert {job.config["x"] for job in finals} == {2}
    assert all(job.final for job in finals)
    assert not any(job.final for job in jobs)
    assert bench.search.propose_final() is None


def test_budgets_do_not_pay_for_it(bench: Bench) -> None:
    spent = bench.searched().search.counts.spent
    bench.again({0: 0.5, 1: 0.5, 2: 0.5})
    assert bench.search.counts.spent == spent == 6.0
    assert bench.search.cost == 12.0
    assert bench.search.counts.complete == 6


def test_no_pruner_and_no_budget_ends_an_evaluation(bench: Bench) -> None:
    job = bench.searched().follow()
    assert job.remaining is None
    assert bench.search.report(job.trial, job.token, Report(1, 99.0, 50.0)) is None


@pytest.mark.parametrize(
    ("values", "winner"),
    [
        ({1: None, 2: 0.9, 0: 0.8}, 0),  # without a value it does not win
        ({1: None, 2: None, 0: None}, 1),  # unless none has one
        ({1: 0.5, 2: 0.5, 0: 0.5}, 1),  # of equal ones the best of the search
    ],
)
def test_failures(bench: Bench, values: dict[int, float | None], winner: int) -> None:
    bench.searched().again(values)
    assert bench.winner == winner
    assert bench.follow().config["x"] == winner


def test_a_lost_worker_is_replaced_and_nothing_is_counted_twice(bench: Bench) -> None:
    first = bench.searched().follow()
    bench.search.lost(first.trial, first.token, "its worker died", Ending.LOST)
    second = bench.follow()
    assert (second.trial, second.seed, second.attempt) == (first.trial, first.seed, 2)
    bench.end(second, 0.5)
    assert [bench.follow().trial.rpartition("-")[2] for _ in range(5)] == ["1", "2", "3", "4", "5"]


def test_a_killed_driver_goes_on(bench: Bench, ledger: Ledger, tmp_path: Path) -> None:
    bench.searched()
    done, open_one = bench.follow(), bench.follow()
    bench.end(done, 0.5)
    again = Bench(ledger, tmp_path)
    assert (again.follow().trial, again.winner) == (open_one.trial, 1)
    others = [again.follow() for _ in range(4)]
    assert again.search.propose_final() is None
    assert {job.trial.rpartition("-")[2] for job in others} == {"2", "3", "4", "5"}


def test_a_driver_that_was_killed_before_it_named_the_winner_names_it(
    bench: Bench, ledger: Ledger, tmp_path: Path
) -> None:
    bench.searched().again({1: 0.5, 2: 0.4, 0: 0.6})
    (search,) = ledger.searches("s-1")
    ledger.name_winner(search.id, f"{search.id}/1")
    assert Bench(ledger, tmp_path).winner == 2


@pytest.mark.parametrize(
    "reason", ["limits: the campaign has used its 9 wall seconds", "stopped by ann@host"]
)
def test_what_is_cut_selects_nothing_and_is_made_once_more(
    bench: Bench, ledger: Ledger, tmp_path: Path, reason: str
) -> None:
    bench.searched()
    for _ in range(5):
        bench.end(bench.follow(), 0.5)
    last = bench.follow()
    bench.search.cut(last.trial, last.token, reason)
    bench.search.finish(last.trial, last.token, last.late(0.5))
    bench.search.stop(reason)
    assert bench.search.idle
    assert bench.winner == 1
    again = Bench(ledger, tmp_path)
    assert again.winner == 1
    job = again.follow()
    assert (job.config, job.seed) == (last.config, last.seed)
    assert job.trial != last.trial
    again.end(job, 0.1)
    assert again.winner == last.config["x"]


def test_a_request_to_end_the_search_keeps_what_follows(bench: Bench) -> None:
    for _ in range(4):
        job = bench.search.propose()
        assert job is not None
        bench.end(job, VALUES[int(str(job.config["x"]))])
    bench.search.end("stopped by ann@host")
    assert bench.search.propose() is None
    first = bench.follow()
    assert "/again-" in first.trial


def test_only_what_may_win_keeps_its_checkpoints(bench: Bench, tmp_path: Path) -> None:
    for _ in range(6):
        job = bench.search.propose()
        assert job is not None
        (Path(job.workdir) / "checkpoints").mkdir(parents=True)
        bench.end(job, VALUES[int(str(job.config["x"]))])
    kept = {path.parent.name for path in tmp_path.glob("*/checkpoints")}
    by_config = {
        trial.id.rpartition("/")[2]: trial.config["x"] for trial in bench.ledger.trials(campaign="s-1")
    }
    assert {by_config[name] for name in kept} == {0, 1, 2}


@pytest.mark.parametrize("place", [0, 1])
def test_a_retraining_whose_model_is_lost_is_made_again_with_its_seed(bench: Bench, place: int) -> None:
    bench.searched().again({0: 0.5, 1: 0.4, 2: 0.6})
    finals = [bench.follow(), bench.follow()]
    for job in finals:
        bench.end(job, 0.3)
    bench.ledger.note_lost(finals[place].trial, "it is not in s3://bucket any more")
    bench.ledger.note_lost(finals[place].trial, "another reason")
    row = bench.ledger.trial(finals[place].trial)
    assert row is not None and row.lost == "it is not in s3://bucket any more"
    bench.search = bench.make()
    again = bench.follow()
    assert again.seed == finals[place].seed and again.trial.endswith("/final-2")
    assert again.config == finals[place].config
    assert bench.search.propose_final() is None
