"""The leaderboard of a study and the history of a dataset."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from campaign_rows import BAD, GOOD, campaign, plain_json, store_rows
from report_examples import ACCURACY, LOSS, RANDOM, FakeLedger, fake
from rich.console import Console, RenderableType

from automl.comparing import tables
from automl.comparing.history import history
from automl.comparing.leaderboard import leaderboard
from automl.contracts import UserError
from automl.ledger import CampaignRow, Ledger
from automl.report import collect
from automl.report.statistics import holm


def shown(what: RenderableType, width: int) -> str:
    console = Console(file=StringIO(), width=width, record=True)
    console.print(what)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= width
    return text


def noise(number: int, *, arms: int = 4, seeds: int = 5, lift: float = 0.0, **options: Any) -> FakeLedger:
    """Equal arms, but for `lift` of the second one."""
    rng = random.Random(number)
    names = ["random", *(f"arm-{i}" for i in range(1, arms))]
    values = {
        name: [0.9 + rng.gauss(0, 0.01) + (lift if name == "arm-1" else 0) for _ in range(seeds)]
        for name in names
    }
    return campaign(values, number, **options)


def test_the_best_campaign_comes_first_and_other_data_are_ranked_apart(ledger: Ledger) -> None:
    made = [campaign(BAD, 1), campaign(GOOD, 2), campaign(GOOD, 3, data="b" * 64), campaign(BAD, 4)]
    store_rows(
        ledger,
        *made,
        campaign(GOOD, 5, state="interrupted"),
        fake({"random": RANDOM}, number=6, data="a" * 64),
    )
    found = leaderboard(ledger, ledger.campaigns("nas-digits"))
    assert [board.data for board in found.boards] == ["a" * 64, "b" * 64]
    places = [(entry.rank, entry.campaign) for entry in found.boards[0].entries]
    assert places[:3] == [
        (1, "nas-digits-2"),
        (2, "nas-digits-4"),
        (3, "nas-digits-1"),
    ]  # the newer of equals first
    assert {name for rank, name in places if rank is None} == {"nas-digits-5", "nas-digits-6"}
    first = found.boards[0].entries[0]
    assert (first.arm, first.seeds, first.test) == ("tpe", 5, None)
    assert first.fresh == pytest.approx(0.95)
    assert first.interval is not None
    assert first.interval[0] < 0.95 < first.interval[1]
    for width in (60, 130):
        assert "are ranked apart" in " ".join(shown(tables.leaderboard(found, width), width).split())
    data: Any = plain_json(found.to_json())
    assert data["boards"][0]["entries"][0]["campaign"] == "nas-digits-2"


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": LOSS},
        {"data": None},
        {"task": {"dataset": "digits", "metrics": ACCURACY, "split": {"seed": 7}}},
        {"task": {"dataset": "digits", "metrics": ACCURACY, "target": "y"}},
    ],
)
def test_what_is_measured_otherwise_is_ranked_apart(ledger: Ledger, changes: dict[str, Any]) -> None:
    store_rows(ledger, campaign(GOOD, 1), campaign(GOOD, 2, **changes))
    found = leaderboard(ledger, ledger.campaigns("nas-digits"))
    assert [len(board.entries) for board in found.boards] == [1, 1]


def test_one_without_retrainings_lowers_the_level_of_all_and_a_loss_is_best_when_small(
    ledger: Ledger,
) -> None:
    small = {"random": [0.1, 0.2]}
    large = {"random": [0.5, 0.6]}
    store_rows(ledger, campaign(large, 1, metrics=LOSS), campaign(small, 2, metrics=LOSS, fresh=False))
    (board,) = leaderboard(ledger, ledger.campaigns("nas-digits")).boards
    assert board.level == "validation"
    assert [entry.campaign for entry in board.entries] == ["nas-digits-2", "nas-digits-1"]
    one = campaign({"random": [0.1]}, 1, name="single")
    store_rows(ledger, one)
    (board,) = leaderboard(ledger, ledger.campaigns("single")).boards
    assert (board.entries[0].interval, board.entries[0].seeds) == (None, 1)
    with pytest.raises(UserError, match="a study that has run"):
        leaderboard(ledger, [])


def test_a_light_standing_says_what_the_whole_report_says(ledger: Ledger) -> None:
    from automl.report.standing import standings

    made = [noise(1), campaign(GOOD, 2, fresh=False), campaign(BAD, 3, state="interrupted")]
    made[0].opening(made[0].search_rows[0].id, [0.8, 0.9])
    store_rows(ledger, *made)
    for light in standings(ledger, ledger.campaigns("nas-digits")):
        whole = collect(ledger, light.campaign)
        assert list(light.arms) == list(whole.arms)
        assert light.test_openings == whole.test_openings
        for name, arm in whole.arms.items():
            for ours, theirs in zip(light.arms[name].searches, arm.searches, strict=True):
                assert ours == replace(theirs, anytime=())


def test_p_values_are_corrected_over_all_campaigns_of_a_dataset(ledger: Ledger) -> None:
    lift = 0.016
    store_rows(ledger, *(noise(i, lift=lift if i == 1 else 0.0) for i in range(1, 9)))
    alone = history(ledger, ledger.campaigns()[:1], "digits")
    found = history(ledger, ledger.campaigns(), "digits")
    assert (found.campaigns, found.comparisons, len(found.claims)) == (8, 24, 24)
    single = [claim.single_p_value or 1.0 for claim in found.claims]
    assert [claim.p_value for claim in found.claims] == pytest.approx(holm(single)[0])
    before = next(claim for claim in alone.claims if claim.arm == "arm-1")
    now = next(claim for claim in found.claims if claim.campaign == "nas-digits-1" and claim.arm == "arm-1")
    assert before.p_value is not None
    assert now.p_value is not None
    assert now.p_value > before.p_value
    assert all(claim.verdict == "undecided" for claim in found.negative)
    assert sum(arm.better + arm.worse + arm.undecided for arm in found.arms) == 24
    for width in (60, 130):
        shown(tables.history(found, width), width)


def test_a_history_keeps_losses_other_data_openings_and_what_made_no_claim(ledger: Ledger) -> None:
    lost = campaign({"random": GOOD["tpe"], "tpe": BAD["tpe"]}, 1)
    lost.opening(lost.search_rows[0].id, [0.8])
    alone = campaign({"random": GOOD["random"]}, 2)
    without = campaign({"tpe": GOOD["tpe"]}, 3)
    open_one = campaign(GOOD, 4, state="interrupted")
    open_one.opening(open_one.search_rows[0].id, [0.8])
    renamed = campaign(GOOD, 1, name="other", task={"dataset": "/data/copy.csv", "metrics": ACCURACY})
    changed = campaign(GOOD, 2, name="other", data="b" * 64)
    elsewhere = campaign(GOOD, 3, name="other", data="c" * 64, task={"dataset": "wine", "metrics": ACCURACY})
    elsewhere.row.provenance["data"]["name"] = "wine"
    store_rows(ledger, lost, alone, without, open_one, renamed, changed, elsewhere)
    found = history(ledger, ledger.campaigns(), "digits")
    assert (found.campaigns, found.studies, found.test_openings) == (6, ("nas-digits", "other"), 2)
    assert dict(found.datas) == {"a" * 64: 5, "b" * 64: 1}
    assert dict(found.left_out) == {
        "nas-digits-2": "it has no arm but random",
        "nas-digits-3": "it has no arm random",
        "nas-digits-4": "interrupted",
    }
    assert [claim.verdict for claim in found.claims if claim.campaign == "nas-digits-1"] == ["worse"]
    assert "worse" in {claim.verdict for claim in found.negative}
    data: Any = plain_json(found.to_json())
    assert (data["correction"], data["test_openings"]) == ("Holm", 2)
    assert history(ledger, ledger.campaigns(), "b" * 12).campaigns == 1
    assert history(ledger, ledger.campaigns(), "copy.csv").campaigns == 5
    with pytest.raises(UserError, match="DATASET must be one that a campaign was on, but got 'moons'; known"):
        history(ledger, ledger.campaigns(), "moons")


def test_a_history_counts_looks_by_winners_of_other_data(ledger: Ledger) -> None:
    tried = [{"name": "hand", "dataset": "digits"}, {"name": "iris", "dataset": "iris"}]
    wine = {"dataset": "wine", "metrics": ACCURACY}
    other = campaign(GOOD, 1, name="o", data="c" * 64, task=wine, transfer=tried)
    other.row.provenance["data"]["name"] = "wine"
    store_rows(ledger, campaign(GOOD, 1), other)
    for dataset in ("hand", "iris"):
        ledger.close_test(ledger.open_test("o-1/tpe/0", "winner", ["t"], dataset).id, [0.8])
    found = history(ledger, ledger.campaigns(), "digits")
    assert (found.campaigns, found.test_openings, found.transfer_openings) == (1, 1, 1)
    text = "the test set was opened 1 time in all, 1 of them for winners of campaigns on other data"
    assert text in " ".join(shown(tables.history(found, 100), 100).split())


def test_one_seed_is_no_evidence(ledger: Ledger) -> None:
    store_rows(ledger, campaign({"random": [0.5], "tpe": [0.9]}, 1))
    found = history(ledger, ledger.campaigns(), "digits")
    assert found.comparisons == 0
    assert [(claim.p_value, claim.verdict) for claim in found.claims] == [(None, "undecided")]
    shown(tables.history(found, 60), 60)


@pytest.mark.slow
def test_the_work_for_a_campaign_does_not_grow_with_their_number(ledger: Ledger) -> None:
    made = [noise(i) for i in range(1, 41)]
    for one in made:
        for search in [row.id for row in one.search_rows]:
            for number in range(1, 6):
                one.trial(search, number, [0.5])
    store_rows(ledger, *made)
    rows = ledger.campaigns("nas-digits")
    history(ledger, rows[:2], "digits")  # plug-ins and libraries are loaded once
    leaderboard(ledger, rows[:2])

    def calls(work: Callable[[list[CampaignRow]], RenderableType], count: int) -> float:
        """Calls of functions for each of so many campaigns: equal in every run, unlike seconds."""
        made = 0

        def count_one(_frame: object, event: str, _argument: object) -> None:
            nonlocal made
            made += event in ("call", "c_call")

        sys.setprofile(count_one)
        try:
            shown(work(rows[:count]), 100)
        finally:
            sys.setprofile(None)
        return made / count

    for work in (
        lambda some: tables.leaderboard(leaderboard(ledger, some), 100),
        lambda some: tables.history(history(ledger, some, "digits"), 100),
    ):
        assert calls(work, 40) < 1.2 * calls(work, 10)
