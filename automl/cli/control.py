"""Commands about campaigns that run elsewhere: stop, pause, resume.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli.common import Json, Name, emit, find_campaign, only_json, open_ledger, say

if TYPE_CHECKING:
    from automl.ledger import Ledger
    from automl.upkeep.asking import Heard
    from automl.upkeep.targets import Target

PANEL = "Campaigns"
Target_ = Annotated[
    str, typer.Argument(metavar="NAME", help="A study or campaign, NAME/ARM/SEED, or a trial's id.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for command in (stop, pause, resume):
        app.command(rich_help_panel=PANEL)(command)


def stop(name: Target_, as_json: Json = False) -> None:
    """End a campaign, a search or a trial now, from any machine: what is open pays what it has used.

    A stopped campaign retrains nothing and leaves the test set sealed; automl resume lets it go on.
    Example: automl stop quickstart-3/tpe/0/17
    """
    from automl.upkeep import asking

    with only_json(as_json), open_ledger() as (_, ledger):
        heard = asking.stop(ledger, _target(ledger, name))
    _tell(heard, as_json)


def pause(name: Name, as_json: Json = False) -> None:
    """Start no new trials of a campaign, from any machine; open ones go on to their end.

    Example: automl pause quickstart
    """
    from automl.upkeep import asking

    with only_json(as_json), open_ledger() as (_, ledger):
        heard = asking.pause(ledger, _target(ledger, name))
    _tell(heard, as_json)


def resume(name: Name, as_json: Json = False) -> None:
    """Let a paused campaign go on, or a stopped one at its next automl run.

    Example: automl resume quickstart
    """
    from automl.upkeep import asking

    with only_json(as_json), open_ledger() as (_, ledger):
        heard = asking.resume(ledger, _target(ledger, name))
    _tell(heard, as_json)


def _target(ledger: Ledger, name: str) -> Target:
    """The campaign, search or trial of that name; a study's name means its latest campaign."""
    from automl.upkeep.targets import target_of

    first, _, rest = name.partition("/")
    if name.endswith((".yaml", ".yml")) or Path(name).is_file():
        first, rest = name, ""
    return target_of(ledger, find_campaign(ledger, first), rest)


def _tell(heard: Heard, as_json: bool) -> None:
    if as_json:
        emit(asdict(heard))
    else:
        say(heard.text)
