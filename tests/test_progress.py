import io
from typing import Any

import pytest
from rich.console import Console

from automl.contracts import UserError
from automl.progress import (
    LINE_EVERY,
    LiveProgress,
    LogProgress,
    QuietProgress,
    SearchStatus,
    progress_for,
    summary,
    table,
)


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


def rendered(searches: list[SearchStatus]) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(table(searches))
    text = console.file
    assert isinstance(text, io.StringIO)
    return text.getvalue()


def test_a_row_says_state_trials_cost_and_best() -> None:
    row = rendered([status()]).splitlines()[1]
    assert "tpe" in row and "searching" in row
    assert "3 complete, 2 pruned, 1 running" in row
    assert "failed" not in row
    assert row.count("━") == 8 and row.count("╌") == 8
    assert "12/25 s" in row and "0.9877" in row


def test_no_budget_no_bar_and_an_overshoot_is_a_full_bar() -> None:
    assert "━" not in rendered([status(budget=None)])
    assert rendered([status(spent=26.0)]).count("━") == 16
    assert "–" in rendered([status(best=None)])


def test_the_summary_has_one_part_per_arm() -> None:
    text = summary([status(), status(seed=2, best=None), status(arm="random", failed=1)])
    assert text == (
        "tpe: 10 done, 2 running, 25 s, best 0.9877, – | random: 6 done, 1 running, 12 s, best 0.9877"
    )


def test_a_log_gets_a_line_every_ten_seconds_and_one_at_the_end() -> None:
    now, stream = [0.0], io.StringIO()
    with LogProgress(stream, clock=lambda: now[0]) as progress:
        for second in range(25):
            now[0] = float(second)
            progress.update([status(complete=second)])
        progress.message("a line of its own")
    lines = stream.getvalue().splitlines()
    assert [line.split()[1] for line in lines if line.startswith("tpe")] == ["2", "12", "22", "26"]
    assert lines.index("a line of its own") == 3
    assert LINE_EVERY == 10


def test_a_log_does_not_repeat_itself() -> None:
    stream = io.StringIO()
    with LogProgress(stream, clock=lambda: 0.0) as progress:
        progress.update([status()])
    assert len(stream.getvalue().splitlines()) == 1


def test_live_shows_the_last_table_and_messages_as_they_are() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    with LiveProgress(console) as progress:
        progress.update([status(complete=1)])
        progress.message("continuing [bold]quickstart-1[/]")
        progress.update([status(complete=7)])
    assert "7 complete" in stream.getvalue()
    assert "continuing [bold]quickstart-1[/]" in stream.getvalue()


def test_live_lets_go_of_the_terminal_after_an_error() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True)
    with pytest.raises(KeyboardInterrupt), LiveProgress(console) as progress:
        progress.update([status()])
        raise KeyboardInterrupt
    assert stream.getvalue().rstrip().endswith("\x1b[?25h")  # the cursor is back


def test_progress_by_name() -> None:
    assert isinstance(progress_for("quiet"), QuietProgress)
    assert isinstance(progress_for("live"), LiveProgress)
    assert isinstance(progress_for("auto"), LogProgress)  # standard error is no terminal here
    with pytest.raises(UserError, match="progress must be auto, live, log, quiet, but got 'loud'"):
        progress_for("loud")


def test_hundreds_of_searches_stay_readable() -> None:
    searches = [
        status(arm=arm, seed=seed, best=seed / 100, state="finished" if seed < 30 else "waiting")
        for seed in range(300)
        for arm in ("random", "tpe")
    ]
    assert "best 0 to 2.99 in 300 of 300 searches" in summary(searches)
    assert len(summary(searches)) < 200
    shown = rendered(searches).splitlines()
    assert len(shown) == 3 and "30 of 300 finished" in shown[1]
    assert summary([status(best=None)] * 9).endswith("best –")
