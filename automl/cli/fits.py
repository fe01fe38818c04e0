"""The command fit: from a table to a fitted model.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli.common import Set, note, open_ledger, say, write_text

if TYPE_CHECKING:
    from automl.fitting import Outcome, Plan, Wishes
    from automl.tables.monotone import Trend

PANEL = "Campaigns"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel=PANEL)(fit)


def fit(  # noqa: PLR0913 - each is an option of the command
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A table, such as data.csv.")],
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column to predict. Default: guessed, and told.")
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0.05, metavar="M", help="Time on the clock for all of it.")
    ] = 5.0,
    metric: Annotated[
        str | None, typer.Option(metavar="METRIC", help="What to search by. Default: guessed, and told.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the study. Default: that of the file.")
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(metavar="HELD_OUT", help="A table that is the test. Default: a part of the rows."),
    ] = None,
    group: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Rows with one value of it stay together.")
    ] = None,
    when: Annotated[
        str | None, typer.Option("--time", metavar="COLUMN", help="The last rows by it are the test.")
    ] = None,
    increasing: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Predictions may only rise with it. May be given several times."),
    ] = None,
    decreasing: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Predictions may only fall with it.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="How much each row counts when models are fitted.")
    ] = None,
    infer_limit: Annotated[
        float | None, typer.Option(metavar="MS", help="Milliseconds that a prediction of one row may take.")
    ] = None,
    size_limit: Annotated[
        str | None, typer.Option(metavar="SIZE", help="What the model's file may take, such as 50MB.")
    ] = None,
    cpus: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="CPUs to use. Default: all that there are.")
    ] = None,
    refit: Annotated[
        bool, typer.Option("--refit/--no-refit", help="Fit what predicts on all rows after the test.")
    ] = True,
    overrides: Set = None,
    write_study: Annotated[
        Path | None, typer.Option("--write-study", metavar="FILE", help="Write the study; run nothing.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew, with other seeds.")] = False,
    progress: Annotated[str, typer.Option(help="auto, live, log or quiet.")] = "auto",
) -> None:
    """Find and fit a model for a table, within a time on the clock, and test it on rows that it never saw.

    It is a study, with random search at equal cost. Ctrl-C at any time: the same command goes on. More
    minutes go on from there.

    Example: automl fit houses.csv --target price --minutes 2
    """
    began = time.monotonic()
    from automl.data.sources import kept
    from automl.fitting import Wishes

    given = tuple(overrides or ())
    wishes = Wishes(
        target,
        minutes,
        metric,
        name,
        group,
        when,
        overrides=given,
        cpus=cpus,
        refit=refit,
        test=test,
        monotone=_trends(increasing or (), decreasing or ()),
        weights=weights,
        infer_limit=infer_limit,
        size_limit=size_limit,
    )
    with kept():
        planned = _planned(source, wishes)
        for line in planned.told:
            note(line)
        if write_study is not None:
            write_text("--write-study", write_study, planned.text)
            say(f"wrote {write_study}\nnext:  automl check {write_study}\n       automl run {write_study}")
            return
        _say(_found(planned, minutes, fresh, progress, began))


def _found(planned: Plan, minutes: float, fresh: bool, progress: str, began: float) -> Outcome:
    from automl.campaign import Wanted, run_campaign
    from automl.fitting import outcome_of
    from automl.ledger import resolve_store
    from automl.progress import progress_for

    store, shown = resolve_store(), progress_for(progress)
    campaign = run_campaign(planned.study, store=store, wanted=Wanted(fresh), progress=shown, began=began)
    with open_ledger(store) as (_, ledger):
        return outcome_of(ledger, campaign, minutes, planned.rows[2])


def _trends(increasing: Sequence[str], decreasing: Sequence[str]) -> dict[str, Trend]:
    from automl.contracts import UserError

    if both := sorted(set(increasing) & set(decreasing)):
        raise UserError(f"a column must be increasing or decreasing, but {', '.join(both)} is both; drop one")
    found: dict[str, Trend] = dict.fromkeys(increasing, "increasing")
    return {**found, **dict.fromkeys(decreasing, "decreasing")}


def _planned(source: Path, wishes: Wishes) -> Plan:
    from automl.contracts import UserError
    from automl.fitting import plan

    try:
        return plan(source, wishes)
    except UserError as error:
        text = str(error)
        known = "task." not in text or "--set" in text
        raise UserError(
            text if known else f"{text} (keys such as task.… are set by --set KEY=VALUE)"
        ) from None


def _say(outcome: Outcome) -> None:
    say(f"\n{outcome.campaign}")
    for line in outcome.lines:
        say(line)
    arm = f" --arm {outcome.arm}" if outcome.arm else ""
    say(f"\nnext:  automl predict {outcome.study} new.csv -o predictions.csv{arm}")
    say(f"       automl leaderboard {outcome.study} --models")
    say(f"       automl report {outcome.campaign} --html report.html\n       automl ui {outcome.campaign}")
