"""Commands about study files: init, check.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli.common import Json, Set, StudyFile, Trust, emit, note, only_json, say, write_text
from automl.cli.common import study_path as path_of

if TYPE_CHECKING:
    from automl.config import ResolvedStudy, Study
    from automl.data.summary import Summary
    from automl.forecast import Forecast

PANEL = "Campaigns"


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for command in (init, check):
        app.command(rich_help_panel=PANEL)(command)


def init(
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="A table, a folder of images, .npz or code.py.")
    ],
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column of a table to predict.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="The study file.")
    ] = None,
) -> None:
    """Write a study file for data or code of yours, with every guess in it as a comment.

    Example: automl init houses.csv --target price
    """
    from automl import templates
    from automl.contracts import UserError

    text = templates.template(source, target)
    file = output or Path(
        f"{templates.slug(Path(source.partition('.py:')[0]).name.removesuffix('.py'))}.yaml"
    )
    if file.exists():
        raise UserError(f"automl init must not write over {file}, which exists; name another file with -o")
    write_text("-o", file, text)
    say(text.rstrip())
    say(f"\nwrote {file}\nnext:  automl check {file}\n       automl run {file}")


def check(
    file: StudyFile,
    overrides: Set = None,
    call: Annotated[
        bool, typer.Option("--call", help="Call your own code too: functions that make data, your networks.")
    ] = False,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Check a study file and its data: every mistake at once, and what it will cost. Creates nothing.

    Code that the file names is imported, but no function of it is called.

    Example: automl check studies/quickstart.yaml --set budget.device_seconds=10
    """
    from automl.config import load_study, resolve, secret_values, warnings
    from automl.forecast import forecast

    with only_json(as_json):
        study = load_study(path_of(file), overrides or [], trust=trust)
        resolved = resolve(study)
        for evaluator in (resolved.protocol, *(arm.evaluator for arm in resolved.arms.values())):
            evaluator.check_code()
        found = None if study.task.dataset is None else _look_at_data(resolved, call)
        if study.notify:
            from automl.notifying import check_targets  # its libraries take a while to import

            check_targets(study)
        cost = forecast(resolved)
        for line in (*warnings(Path(study.source)), *secret_values(resolved)):
            note(line)
    if as_json:
        data = {} if found is None else {"data": found.to_json()}
        emit({"study": study.name, "arms": list(study.arms), "seeds": study.seeds, **cost.to_json(), **data})
        return
    say(f"{file} is valid")
    for line in [*forecast_lines(study, cost), *(found.lines() if found else [])]:
        say(line)


def _look_at_data(resolved: ResolvedStudy, call: bool) -> Summary | None:
    from automl.cli import checked  # a study without data need not wait for its libraries

    for line in () if call else checked.not_called(resolved):
        note(f"note: {line}; `automl run` does so before anything starts, and so does --call")
    for line in checked.transfer_notes(resolved, call):
        note(f"note: {line}")
    return checked.data_of(resolved, call)


def forecast_lines(study: Study, cost: Forecast) -> list[str]:
    """The arms and seeds of a study, and what it will cost."""
    shown = study.seeds if len(study.seeds) <= 10 else f"{study.seeds[0]} … {study.seeds[-1]}"
    seeds = f"seeds {shown}"
    if study.most_seeds > len(study.seeds):
        seeds = f"{len(study.seeds)} to {study.most_seeds} seeds, until every arm is decided"
    bounds = "; ".join(f"{name} {bound}" for name, bound in study.constraints.items())
    kept = [f"constraints: {bounds}"] if bounds else []
    return [f"{study.name}: {', '.join(study.arms)} × {seeds}", *kept, *cost.lines()]
