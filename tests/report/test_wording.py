import pytest

from automl.contracts import Direction
from automl.report.judging import compare
from automl.report.statistics import Spread
from automl.report.wording import Units, of_intervals, p_text, seconds, sentence

MAX, MIN = Direction.MAXIMIZE, Direction.MINIMIZE
PERCENT = Units.of("accuracy", [0.9])


def said(
    random: list[float | None],
    tpe: list[float | None],
    direction: Direction = MAX,
    units: Units = PERCENT,
) -> str:
    arms = {"random": dict(enumerate(random)), "tpe": dict(enumerate(tpe))}
    return sentence(compare(arms, "random", direction)[0], direction, units)


def test_better_in_points() -> None:
    text = said([0.90, 0.91, 0.89, 0.90, 0.92], [0.93, 0.935, 0.93, 0.925, 0.94])
    assert text == "tpe is better than random by 2.8 points (95 % interval 1.9 to 3.7, p = 0.0012, 5 seeds)"


def test_a_smaller_loss_is_better_and_reads_positive() -> None:
    text = said([1.0, 1.1, 1.05, 1.02], [0.5, 0.62, 0.54, 0.51], MIN, Units())
    assert text.startswith("tpe is better than random by 0.5 (95 % interval 0.4")
    text = said([0.5, 0.62, 0.54, 0.51], [1.0, 1.1, 1.05, 1.02], MIN, Units())
    assert text.startswith("tpe is worse than random by 0.5 (95 % interval 0.4")


def test_who_lags_is_behind_in_either_direction() -> None:
    text = said([1.0, 1.1, 1.05], [1.2, 1.0, 1.3], MIN, Units())
    assert text.startswith(
        "cannot tell yet whether tpe is better than random: behind by 0.12 (95 % interval −0.3"
    )
    text = said([0.9, 0.8, 0.85], [0.7, 0.9, 0.6], MAX, Units())
    assert text.startswith(
        "cannot tell yet whether tpe is better than random: behind by 0.12 (95 % interval −0.3"
    )


def test_undecided_says_how_many_more() -> None:
    text = said([0.90, 0.91, 0.89], [0.91, 0.905, 0.91])
    assert text.startswith("cannot tell yet whether tpe is better than random: ahead by 0.83 points (95 % ")
    assert text.endswith("more seeds would")


@pytest.mark.parametrize(
    ("random", "tpe", "end"),
    [
        ([0.9], [0.91], "ahead by 1.0 points with one seed, which gives no interval; run more seeds"),
        ([0.9, 0.8], [0.9, 0.8], "they are equal on all 2 seeds; the results so far do not separate them"),
        (
            [0.9, None],
            [None, 0.9],
            "of both arms; seeds left out because one of the two arms has no value: 0, 1",
        ),
        ([0.90, 0.90, 0.90], [0.8, 1.0, 0.9001], "more than 1,000 more seeds would be needed"),
        (
            [0.5, 0.6],
            [0.6, 0.7],
            "the same on every seed, so no interval, p = 0.5, 2 seeds); about 4 more seeds would",
        ),
    ],
)
def test_cases_without_an_answer(random: list[float | None], tpe: list[float | None], end: str) -> None:
    text = said(random, tpe)
    assert text.startswith("cannot tell yet whether tpe is better than random")
    assert text.endswith(end)


def test_p_values_never_round_across_the_level() -> None:
    assert p_text(0.0504) == "p = 0.0504"
    assert p_text(0.04996) == "p = 0.0500"
    assert p_text(0.0001) == "p < 0.001"
    assert p_text(1.0) == "p = 1"


def test_only_fractions_are_percent() -> None:
    assert Units.of("accuracy", [0.5, 97.0]) == Units()
    assert Units.of("log_loss", [0.5]) == Units()
    assert PERCENT.value(0.98765) == "98.8"
    assert PERCENT.label("accuracy") == "accuracy, %"
    assert Units().spread(Spread(1234.5678, 0.1234, 3)) == "1235 ± 0.12"
    assert PERCENT.spread(Spread(None, None, 0)) == PERCENT.value(None) == "–"


def test_durations() -> None:
    assert [seconds(value) for value in (None, 0.5, 119.6, 1200, 72_000)] == [
        "–",
        "0.5 s",
        "120 s",
        "20 min",
        "20.0 h",
    ]


@pytest.mark.parametrize("nothing", [0.0, 5.6e-17, -5.6e-17, 1e-13])
def test_a_difference_of_nothing_has_no_sign(nothing: float) -> None:
    assert PERCENT.difference(nothing, sign=True) == "0"
    assert PERCENT.difference(-0.001, sign=True) == "−0.10"


def test_what_intervals_have_done_is_told_where_it_was_measured() -> None:
    assert of_intervals(None, None) == ""
    told = of_intervals((0.8764, 1234.56), None)
    assert told == "90 % intervals hold 87.6 % of the test rows, mean width 1235"
    told = of_intervals(None, (0.9123, 1.2345))
    assert told == "90 % sets hold 91.2 % of the test rows, 1.23 classes on average"
