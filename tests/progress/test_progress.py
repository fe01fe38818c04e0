import io
from typing import Any

import pytest
from rich.console import Console

from automl.contracts import UserError
from automl.progress import (
    LINE_EVERY,
    CampaignStatus,
    LiveProgress,
    LogProgress,
    QuietProgress,
    SearchStatus,
    progress_for,
)
from automl.progress.estimate import Estimate
from automl.progress.table import Shown
from automl.progress.words import duration, headline, summary


def status(**changes: Any) -> SearchStatus:
    values: dict[str, Any] = {
        "arm": "tpe",
        "seed": 1,
        "state": "searching",
        "complete": 3,
        "pruned": 2,
        "failed": 0,
        "running": 1,
        "spent": 12.4,
        "budget": 25.0,
        "best": 0.98765,
    }
    return SearchStatus(**{**values, **changes})


def campaign(*searches: SearchStatus, **changes: Any) -> CampaignStatus:
    values: dict[str, Any] = {"elapsed": 130.0, "metric": "accuracy", **changes}
    return CampaignStatus("told-1", searches, **values)


def rendered(
    shown: CampaignStatus, width: int = 120, height: int = 24, about: float | None = None
) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(Shown(shown, about))
    text = console.file
    assert isinstance(text, io.StringIO)
    return text.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 200])
def test_it_says_elapsed_left_about_best_and_a_bar_for_each_arm(width: int) -> None:
    rows = [status(best_trial="told-1/tpe/1/3"), status(arm="random", best=0.5, state="finished")]
    lines = rendered(campaign(*rows), width, about=95.0)
    text = " ".join(" ".join(lines).split())
    assert "told-1 · elapsed 2 min 10 s · left 13 s of 50 s on devices" in text
    assert "searches end in about 2 min" in text
    assert "best accuracy 0.9877: tpe, trial told-1/tpe/1/3" in text
    assert max(map(len, lines)) <= width
    (tpe,) = [line for line in lines if line.startswith("tpe")]
    (other,) = [line for line in lines if line.startswith("random")]
    size = 30 if width == 200 else 10
    assert (tpe.count("━"), other.count("━")) == (int(size * 12.4 / 25), size)
    assert ("2 pruned" in tpe) is (width == 200)


def test_nothing_is_said_before_it_can_be_known() -> None:
    text = " ".join(rendered(campaign(status(best=None))))
    assert "about" not in text and "best: nothing yet" in text
    assert "left" not in " ".join(rendered(campaign(status(budget=None))))
    assert "left 4 of 9 trials" in " ".join(rendered(campaign(status(budget=None, trials=9))))


def test_trials_are_counted_down_only_where_every_search_has_a_number() -> None:
    text = " ".join(headline(campaign(status(), status(arm="darts", trials=1)), None))
    assert "left 25 s of 50 s on devices" in text and "trials" not in text


@pytest.mark.parametrize("arms", [5, 18, 19, 300])
def test_arms_that_do_not_fit_are_told(arms: int) -> None:
    rows = [
        status(arm=f"arm-{number}", state="finished" if number < 250 else "searching")
        for number in range(arms)
    ]
    lines = rendered(campaign(*rows), 80)
    assert len(lines) <= 24
    told = [line for line in lines if line.startswith("… and")]
    shown = sum(line.startswith("arm-") for line in lines)
    if arms <= 18:
        assert shown == arms and not told
    else:
        assert shown == 17 and f"… and {arms - 17} more arms" in told[0]
    assert arms < 300 or all(f"arm-{number}" in " ".join(lines) for number in (250, 266))


def test_the_estimate_is_about_right_and_waits_until_it_can_know() -> None:
    estimate = Estimate()
    at = {second: campaign(status(spent=second / 4), elapsed=float(second)) for second in range(101)}
    said = {second: estimate.about(one) for second, one in at.items()}
    assert said[0] is said[4] is said[100] is None
    assert said[5] == pytest.approx(95.0) and said[50] == pytest.approx(50.0)
    assert estimate.about(campaign(status(spent=5.0), elapsed=101.0)) is None  # it has grown: looked at anew


def test_an_estimate_counts_from_the_first_look_not_over_a_limit_and_not_over_a_pause() -> None:
    estimate = Estimate()
    assert estimate.about(campaign(status(spent=12.5), elapsed=1000.0)) is None
    assert estimate.about(campaign(status(spent=15.0), elapsed=1010.0)) == pytest.approx(40.0)
    assert estimate.about(campaign(status(spent=15.0), elapsed=1010.0, limit=7.0)) == 7.0
    assert estimate.about(campaign(status(spent=15.0, state="paused"), elapsed=1010.0)) is None
    assert estimate.about(campaign(status(spent=15.0), elapsed=1011.0)) is None
    ended = campaign(status(state="retraining", retrained=1, retrainings=3))
    assert "searches have ended, 1 of 3 retrainings" in " ".join(headline(ended, None))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (61, "1 min 01 s"),
        (1800, "30 min"),
        (7500, "2 h 05 min"),
        (200000, "2 d 7 h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_summary_has_one_part_per_arm_and_few_of_many() -> None:
    text = summary(campaign(status(), status(seed=2, best=None), status(arm="random", failed=1)))
    assert text == (
        "elapsed 2 min 10 s, left 38 s of 1 min 15 s on devices | best accuracy 0.9877: tpe | "
        "tpe: 10 done, 2 running, 25 s, best 0.9877, – | random: 6 done, 1 running, 12 s, best 0.9877"
    )
    many = summary(campaign(*(status(arm=f"a{number}") for number in range(30))))
    assert "22 more arms: 110 done" in many and len(many) < 900


def test_a_log_gets_a_line_every_ten_seconds_and_one_at_the_end() -> None:
    now, stream = [0.0], io.StringIO()
    with LogProgress(stream, clock=lambda: now[0]) as progress:
        for second in range(25):
            now[0] = float(second)
            progress.update(campaign(status(complete=second)))
        progress.message("a line of its own")
    lines = stream.getvalue().splitlines()
    found = [line.partition("tpe: ")[2].split()[0] for line in lines if "tpe: " in line]
    assert found == ["2", "12", "22", "26"]
    assert lines.index("a line of its own") == 3
    assert LINE_EVERY == 10


def test_a_log_does_not_repeat_itself() -> None:
    stream = io.StringIO()
    with LogProgress(stream, clock=lambda: 0.0) as progress:
        progress.update(campaign(status()))
    assert len(stream.getvalue().splitlines()) == 1


def test_live_shows_the_last_table_and_messages_as_they_are() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=180)
    with LiveProgress(console) as progress:
        progress.update(campaign(status(complete=1)))
        progress.message("continuing [bold]quickstart-1[/]")
        progress.update(campaign(status(complete=7)))
    assert "7 complete" in stream.getvalue()
    assert "continuing [bold]quickstart-1[/]" in stream.getvalue()


def test_live_lets_go_of_the_terminal_after_an_error() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True)
    with pytest.raises(KeyboardInterrupt), LiveProgress(console) as progress:
        progress.update(campaign(status()))
        raise KeyboardInterrupt
    assert stream.getvalue().rstrip().endswith("\x1b[?25h")  # the cursor is back


def test_progress_by_name() -> None:
    assert isinstance(progress_for("quiet"), QuietProgress)
    assert isinstance(progress_for("live"), LiveProgress)
    assert isinstance(progress_for("auto"), LogProgress)  # standard error is no terminal here
    with pytest.raises(UserError, match="progress must be auto, live, log, quiet, but got 'loud'"):
        progress_for("loud")
