"""Verdicts while a campaign runs: which seeds count, and when the first one is taken."""

import pytest
from report_examples import RANDOM, FakeLedger, fake

from automl.report import collect
from automl.report.campaign_report import CampaignReport

GAINS = [0.30, 0.31, 0.29, 0.305, 0.295, 0.3, 0.31, 0.29]


def running(
    ended: list[int], open_seeds: list[int], looks: dict[str, object], finals: int = 0, state: str = "running"
) -> CampaignReport:
    """tpe is 0.3 better than random; searches of open seeds have a best value, but still run."""
    first = int(str(looks["first"]))
    seeds = {"seeds": finals}
    ledger: FakeLedger = fake(
        {"random": RANDOM, "tpe": RANDOM}, seeds=range(first), state=state, looks=looks, final=seeds
    )
    for seed in sorted([*ended, *open_seeds]):
        for arm, value in (("random", 0.5 + seed / 1000), ("tpe", 0.5 + seed / 1000 + GAINS[seed])):
            search = ledger.search(arm, seed, state="running" if seed in open_seeds else "finished")
            ledger.trial(search, 0, [value])
            for number in range(finals if seed in ended else 1):
                if finals:
                    ledger.trial(search, number, [value], kind="final")
    ledger.row.spec["task"]["dataset"] = None
    return collect(ledger, ledger.row.id)


UNTIL = {"first": 3, "last": 8, "until_decided": True}


def test_before_the_first_look_there_is_no_verdict() -> None:
    (verdict,) = running([0, 1], [2, 3], {"first": 4, "last": 4}).comparison.verdicts
    assert (verdict.verdict, verdict.p_value, verdict.interval) == ("undecided", None, None)
    assert verdict.sentence.startswith("not decided yet: tpe against random is ahead by")


def test_a_look_is_taken_at_the_seeds_before_the_first_open_one() -> None:
    (verdict,) = running([0, 1, 2, 3, 5], [4], UNTIL).comparison.verdicts
    assert verdict.paired_seeds == (0, 1, 2, 3) and verdict.awaits is None
    assert verdict.verdict == "better"


@pytest.mark.parametrize("open_seeds", [[0], [1], [2]])
def test_which_seed_ends_first_decides_nothing(open_seeds: list[int]) -> None:
    ended = [seed for seed in range(4) if seed not in open_seeds]
    (verdict,) = running(ended, open_seeds, UNTIL).comparison.verdicts
    assert verdict.p_value is None and verdict.awaits


def test_values_of_retrainings_count_when_all_of_them_have_ended() -> None:
    comparison = running([0, 1, 2], [], UNTIL, finals=3).comparison
    assert comparison.compared == "fresh" and comparison.verdicts[0].p_value is not None
    comparison = running([0, 1], [2], UNTIL, finals=3).comparison
    assert comparison.verdicts[0].p_value is None


def test_a_campaign_that_ended_early_is_judged_by_what_it_has() -> None:
    looks = {"first": 5, "last": 5}
    (verdict,) = running([0, 1, 2], [], looks, state="finished").comparison.verdicts
    assert verdict.seeds == 3 and verdict.verdict == "better"


def test_a_study_without_a_plan_is_looked_at_once() -> None:
    ledger = fake({"random": RANDOM, "tpe": RANDOM}, seeds=range(2))
    for arm in ("random", "tpe"):
        for seed in range(2):
            ledger.trial(
                ledger.search(arm, seed), 0, [0.5 + 0.1 * (arm == "tpe") + seed / 50 * (arm == "tpe")]
            )
    report = collect(ledger, ledger.row.id)
    assert report.settings.plan.at_once and report.comparison.verdicts[0].p_value == pytest.approx(
        0.0577, abs=5e-4
    )
