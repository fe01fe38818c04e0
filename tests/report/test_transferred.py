"""What a report says of winners that were trained again on other datasets, from a real ledger."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from report_examples import LOSS, RANDOM, fake
from rich.console import Console

from automl.contracts import Outcome, TrialState
from automl.ledger import Ledger, NewTrial, SearchRow, owner_identity
from automl.ledger.searches import Searches
from automl.report import CampaignReport, collect, html, terminal
from automl.report.transferred_shown import order_text

WINE, IRIS = ({"name": name, "dataset": name} for name in ("wine", "iris"))
TPE: dict[str, Any] = {"strategy": {"name": "tpe", "options": {}}}
Values = Mapping[str, Sequence[float]]  # by arm, of each seed
FAILED = Outcome(TrialState.FAILED, device_seconds=2.0, reason="ValueError: no")


@dataclass
class Made:
    """A campaign in a ledger, with one trial and two retrainings for each search."""

    ledger: Ledger
    arms: Sequence[str] = ("random", "tpe")
    seeds: int = 3
    spec: Mapping[str, Any] = field(default_factory=dict)
    searches: dict[tuple[str, int], SearchRow] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arms = {arm: RANDOM if arm == "random" else TPE for arm in self.arms}
        asked = {"final": {"seeds": 2}, "transfer": [WINE], **self.spec}
        spec = fake(arms, seeds=range(self.seeds), **asked).row.spec
        self.row = self.ledger.create_campaign("nas-digits", spec, "digest", {})
        self.token = self.ledger.acquire(self.row.id, owner_identity())

    def search(self, values: Values) -> None:
        """Every search, with its winner and the values of that, retrained and on the study's test set."""
        for arm, own in values.items():
            for seed, value in enumerate(own):
                search = self.searches[arm, seed] = self.ledger.add_search(self.row.id, arm, seed)
                self.run(search, NewTrial("trial", 0, {"x": 0}, 1, 0, None), complete(value))
                self.ledger.finish_search(search.id, "budget", f"{search.id}/0")
                for number in range(2):
                    self.run(search, NewTrial("final", number, {"x": 0}, number, 0, None), complete(value))
                self.score(search, [value, value], None, [])

    def transfer(self, dataset: str, values: Values, *, failed: int = 0, config: int = 0) -> None:
        """Two trainings on `dataset` of every search, the first `failed` of which fail; and its test set."""
        for arm, own in values.items():
            for seed, value in enumerate(own):
                search, trained = self.searches[arm, seed], []
                for place in range(2):
                    number = self.numbers[search.id] = self.numbers.get(search.id, -1) + 1
                    new = NewTrial("transfer", number, {"x": config}, number, 0, None, dataset)
                    outcome = FAILED if place < failed else complete(value - 0.01)
                    row = self.run(search, new, outcome)
                    trained += [] if place < failed else [row]
                if trained:
                    self.score(search, [value + 0.01, value - 0.01][: len(trained)], dataset, trained)

    def run(self, search: SearchRow, new: NewTrial, outcome: Outcome) -> str:
        row = self.ledger.start_trial(search.id, new)
        told = new.number if new.kind == "trial" else None
        assert self.ledger.finish_trial(row.id, row.token, outcome, told=told, attributes={})
        return row.id

    def score(
        self, search: SearchRow, values: list[float], dataset: str | None, scored: Sequence[str]
    ) -> None:
        opening = self.ledger.open_test(search.id, "winner", scored or None, dataset)
        self.ledger.close_test(opening.id, values)

    def report(self, *, finish: bool = True) -> CampaignReport:
        if finish:
            assert self.ledger.finish_campaign(self.row.id, self.token)
        return collect(self.ledger, self.row.id)


def complete(value: float) -> Outcome:
    return Outcome(TrialState.COMPLETE, device_seconds=2.0, values=[value])


def printed(report: CampaignReport) -> str:
    text = io.StringIO()
    Console(width=80, file=text).print(terminal(report))
    return text.getvalue()


HERE: Values = {"random": [0.80, 0.81, 0.82], "tpe": [0.91, 0.90, 0.92]}


def test_values_costs_verdicts_and_the_order_of_arms(any_ledger: Ledger) -> None:
    made = Made(any_ledger)
    made.search(HERE)
    made.transfer("wine", {"random": [0.75, 0.76, 0.77], "tpe": [0.70, 0.70, 0.72]})
    report = made.report()
    (wine,) = report.transfers
    assert [(arm.arm, arm.test.n, arm.failed, arm.test_openings) for arm in wine.arms] == [
        ("random", 3, 0, 3),
        ("tpe", 3, 0, 3),
    ]
    random, tpe = wine.arms
    assert random.test.mean == pytest.approx(0.76) and random.test.sd == pytest.approx(0.01)
    assert random.validation.mean == pytest.approx(0.75)
    assert tpe.searches[0].test == pytest.approx((0.71, 0.69)) and tpe.device_seconds == 12.0
    assert (wine.trainings, wine.device_seconds, wine.test_openings) == (12, 24.0, 6)
    (verdict,) = wine.verdicts
    assert (verdict.arm, verdict.verdict, verdict.compared) == ("tpe", "worse", "test")
    assert verdict.sentence.startswith("on wine: tpe is worse than random by 5.3 points (95 % interval ")
    assert (wine.ranking, wine.own_ranking, wine.same_order) == (("random", "tpe"), ("tpe", "random"), False)
    assert order_text(wine) == "the best arm here is tpe, on wine it is random"
    # nothing of it counts as the study's own
    assert report.test_openings == 6 and report.comparison.verdicts[0].verdict == "better"
    search = report.arms["tpe"].searches[0]
    assert (search.trials.complete, search.device_seconds, search.final_device_seconds) == (1, 2.0, 4.0)
    assert (search.test, search.test_openings, len(report.evaluations)) == ((0.91, 0.91), 1, 6)
    assert not any("wine" in line for line in report.warnings)


def test_it_is_shown_in_the_terminal_the_page_and_the_json(ledger: Ledger) -> None:
    made = Made(ledger, spec={"transfer": [WINE, IRIS]})
    made.search(HERE)
    made.transfer("wine", {"random": [0.75, 0.76, 0.77], "tpe": [0.70, 0.70, 0.72]})
    made.transfer("iris", {"random": [0.95, 0.96, 0.95], "tpe": [0.99, 0.98, 0.99]})
    report = made.report()
    text = printed(report)
    assert max(map(len, text.splitlines())) <= 80 and "Winners trained on other datasets:" in text
    assert "digits (here)" in text and "76.0 ± 1.0" in text
    flat = " ".join(text.split())
    assert "arms have the same order on iris as here: tpe, random" in flat
    assert "wine: 12 trainings, 24 s; its test set was opened 6 times" in flat
    page = html(report)
    assert "<h2>Winners trained on other datasets</h2>" in page
    assert "<td>81.0 ± 1.0</td><td><strong>76.0 ± 1.0</strong></td><td>95.3 ± 0.6</td>" in page
    assert '<th scope="col">difference to random</th>' in page and "on wine: tpe is worse" in page
    data = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert [entry["dataset"] for entry in data["transfers"]] == ["wine", "iris"]
    assert data["transfers"][0]["arms"][1]["searches"][0]["winner"] == f"{report.campaign}/tpe/0/0"
    assert list(data)[-1] == "transfers"


def test_a_single_seed_has_no_interval(ledger: Ledger) -> None:
    made = Made(ledger, seeds=1)
    made.search({"random": [0.8], "tpe": [0.9]})
    made.transfer("wine", {"random": [0.7], "tpe": [0.75]})
    (wine,) = made.report().transfers
    (verdict,) = wine.verdicts
    assert (verdict.verdict, verdict.interval, wine.arms[0].test.sd) == ("undecided", None, None)
    assert "ahead by 5.0 points with one seed" in verdict.sentence


def test_failed_and_missing_trainings_are_told(ledger: Ledger) -> None:
    made = Made(ledger)
    made.search(HERE)
    made.transfer("wine", {"random": [0.75, 0.76, 0.77]}, failed=1)
    made.transfer("wine", {"tpe": [0.70]}, failed=2)
    report = made.report()
    (wine,) = report.transfers
    tpe = next(arm for arm in wine.arms if arm.arm == "tpe")
    assert (tpe.failed, tpe.test.mean, wine.arms[0].searches[0].test) == (2, None, (0.76,))
    told = [line for line in report.warnings if "on wine" in line]
    assert told == [
        "random on wine: of 6 trainings 3 failed (seeds 0, 1, 2)",
        "tpe on wine: of 6 trainings 2 failed and 4 did not come to an end (seeds 0, 1, 2); a seed without "
        "a value is left out",
    ]
    assert wine.same_order is None and order_text(wine) == ""
    assert "no seed has a result of both arms" in wine.verdicts[0].sentence
    assert sum(failure.count for failure in report.failures) == 5
    printed(report)


def test_only_trainings_of_the_present_winner_count_but_all_costs_do(ledger: Ledger) -> None:
    made = Made(ledger)
    made.search(HERE)
    values: Values = {"random": [0.75, 0.76, 0.77], "tpe": [0.70, 0.70, 0.72]}
    made.transfer("wine", values)
    search = ledger.reopen_search(made.searches["tpe", 0].id)
    made.run(search, NewTrial("trial", 1, {"x": 1}, 1, 1, None), complete(0.95))
    ledger.finish_search(search.id, "budget", f"{search.id}/1")
    made.transfer("wine", {"tpe": [0.80]}, config=1)
    report = made.report()
    (wine,) = report.transfers
    tpe = next(arm for arm in wine.arms if arm.arm == "tpe")
    assert tpe.searches[0].winner == f"{search.id}/1"
    assert tpe.searches[0].test == pytest.approx((0.81, 0.79))
    assert (tpe.device_seconds, tpe.trainings, tpe.test_openings) == (16.0, 8, 4)
    told = "tpe on wine: the test set was opened more than once for a search (seed 0), so later values"
    assert any(line.startswith(told) for line in report.warnings)


def test_three_arms_are_corrected_together_and_others_may_change_places(ledger: Ledger) -> None:
    made = Made(ledger, arms=("random", "tpe", "evolution"))
    made.search({**HERE, "evolution": [0.85, 0.86, 0.85]})
    wine: Values = {"random": [0.6, 0.61, 0.62], "tpe": [0.7, 0.71, 0.71], "evolution": [0.5, 0.52, 0.51]}
    made.transfer("wine", wine)
    (found,) = made.report().transfers
    assert [verdict.comparisons for verdict in found.verdicts] == [2, 2]
    assert order_text(found) == (
        "the best arm here and on wine is tpe, but the others change places: tpe, evolution, random here, "
        "tpe, random, evolution there"
    )


def test_equal_arms_have_no_order(ledger: Ledger) -> None:
    made = Made(ledger)
    made.search({"random": [0.9, 0.8], "tpe": [0.8, 0.9]})
    made.transfer("wine", {"random": [0.7, 0.7], "tpe": [0.6, 0.6]})
    (wine,) = made.report().transfers
    assert wine.ranking == ("random", "tpe") and wine.same_order is None and order_text(wine) == ""


def test_less_is_better_of_a_minimised_metric_and_its_margin_is_of_the_study_alone(ledger: Ledger) -> None:
    made = Made(ledger, spec={"metrics": LOSS, "equivalent": 100.0})
    made.search({"random": [3.0, 3.1, 3.2], "tpe": [2.0, 2.1, 2.3]})
    made.transfer("wine", {"random": [9.0, 9.1, 9.5], "tpe": [7.0, 7.3, 7.4]})
    report = made.report()
    (wine,) = report.transfers
    assert wine.ranking == ("tpe", "random") and wine.same_order
    assert wine.verdicts[0].verdict == "better" and wine.verdicts[0].within is None
    assert "<strong>7.233 ± 0.21</strong>" in html(report)


def test_while_it_runs_a_look_waits_for_seeds_in_their_order(ledger: Ledger) -> None:
    made = Made(ledger)
    made.search(HERE)
    begun = made.report(finish=False)
    assert begun.transfers[0].trainings == 0 and "other datasets" not in printed(begun) + html(begun)
    made.transfer("wine", {"random": [0.75, 0.76, 0.77], "tpe": [0.70, 0.70]})
    (verdict,) = made.report(finish=False).transfers[0].verdicts
    assert verdict.awaits == 3 and verdict.sentence.startswith("on wine: not decided yet: tpe against random")
    assert not any("on wine" in line for line in made.report(finish=False).warnings)
    last = made.searches["tpe", 2]
    new = [NewTrial("transfer", number, {"x": 0}, number, 0, None, "wine") for number in range(2)]
    first = made.run(last, new[0], complete(0.7))
    made.score(last, [0.72], "wine", [first])
    assert made.report(finish=False).transfers[0].verdicts[0].awaits == 4  # one of its trainings is open
    made.score(last, [0.72, 0.72], "wine", [first, made.run(last, new[1], complete(0.7))])
    assert made.report(finish=False).transfers[0].verdicts[0].verdict == "worse"


def test_a_study_without_the_key_says_nothing_and_reads_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(ledger, spec={"transfer": None})
    made.search(HERE)
    monkeypatch.delattr(Searches, "transfer_openings")
    report = made.report()
    assert report.transfers == () and "transfers" not in report.to_json()
    assert "other datasets" not in printed(report) + html(report)


def test_a_dataset_that_the_study_has_dropped_stays_in_the_report(ledger: Ledger) -> None:
    made = Made(ledger, spec={"transfer": []})
    made.search(HERE)
    made.transfer("wine", {"random": [0.75, 0.76, 0.77], "tpe": [0.70, 0.70, 0.72]})
    assert [one.dataset for one in made.report().transfers] == ["wine"]


def test_names_are_escaped(ledger: Ledger) -> None:
    made = Made(ledger, spec={"transfer": [{"name": "<b>"}]})
    made.search(HERE)
    made.transfer("<b>", HERE)
    assert "<b>" not in html(made.report()).partition("<h2>Winners trained")[2].partition("<h2>")[0]
