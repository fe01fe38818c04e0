"""Commands about campaigns that are there: stop, pause, resume, rename, delete, gc.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli.common import Json, Name, emit, find_campaign, only_json, open_ledger, say
from automl.contracts import UserError
from automl.private import private

if TYPE_CHECKING:
    from automl.ledger import CampaignRow, Ledger
    from automl.upkeep.asking import Heard
    from automl.upkeep.targets import Target

PANEL = "Campaigns"
Target_ = Annotated[
    str, typer.Argument(metavar="NAME", help="A study or campaign, NAME/ARM/SEED, or a trial's id.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for command in (stop, pause, resume, rename, delete, gc):
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


def rename(
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Another name; the campaign's id takes it away.")],
    as_json: Json = False,
) -> None:
    """Give a campaign another name, which is shown beside its id, in MLflow too, and can be used for it.

    Example: automl rename quickstart-3 "first with tpe"
    """
    from automl.upkeep import renaming

    with only_json(as_json), open_ledger() as (store, ledger):
        campaign = find_campaign(ledger, name)
        text = renaming.rename(store, ledger, campaign, new)
    if as_json:
        emit({"campaign": campaign.id, "text": text})
    else:
        say(text)


def delete(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A campaign such as quickstart-3, or a study.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; NAME must be a campaign's id.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a campaign for good: rows, working files, MLflow runs. Its looks at test data stay counted.

    Example: automl delete quickstart-3
    """
    from automl.upkeep import deleting
    from automl.upkeep.sizes import shown

    with only_json(as_json), private(), open_ledger() as (store, ledger):
        if (row := _to_delete(ledger, name)) is None:
            return
        deleting.check_deletable(ledger, row)
        if yes and name != row.id:
            raise UserError(f"with --yes, NAME must be a campaign's id, but got {name!r}; write {row.id}")
        if not yes:
            _confirm(f"{row.id} ({ledger.status(row)}, {ledger.ended_trials(row.id)} trials have ended)")
        gone = deleting.delete(store, ledger, row)
    if as_json:
        emit(asdict(gone))
        return
    size = shown(gone.bytes)
    say(f"{gone.campaign} is deleted: {gone.rows} rows, {gone.runs} runs, {size} of working files")
    if gone.in_trash:
        say("its runs are in the trash of MLflow's server, where `mlflow gc` deletes them for good")
    if gone.looks:
        say(f"its {gone.looks} looks at the test set stay counted for later campaigns on the same data")
    if gone.models:
        say(f"registered models that were trained from it are kept: {', '.join(gone.models)}")


def gc(
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Also what this ledger does not know: no other uses the folder.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Remove what nobody needs: files of deleted campaigns and dead processes, checkpoints, MLflow's trash.

    Example: automl gc --dry-run
    """
    from automl.upkeep import leftovers
    from automl.upkeep.sizes import shown

    with only_json(as_json), open_ledger() as (store, ledger):
        found = leftovers.clear(store, ledger, dry=dry, unknown=unknown)
    if as_json:
        emit({"removed": not dry, "leftovers": [asdict(one) for one in found]})
        return
    for one in found:
        say(f"{one.count:6} {one.what}, {shown(one.bytes)}{' (kept)' if one.kept else ''}")
    if any(one.kept for one in found):
        say("kept: what another ledger in this folder may own; where there is none: automl gc --unknown")
    total = shown(sum(one.bytes for one in found if not one.kept))
    say(f"{total} would be removed by: automl gc" if dry else f"{total} removed")


def _to_delete(ledger: Ledger, name: str) -> CampaignRow | None:
    """The campaign; None, which is told, when it is deleted already."""
    gone = ledger.deletion(name)
    if gone is not None and gone.done_at is not None:
        say(f"{name} was deleted by {gone.by}; nothing was changed")
        return None
    return find_campaign(ledger, name)


def _confirm(what: str) -> None:
    """Ask. Raises `UserError` where nobody can be asked, and ends the command unless the answer is yes."""
    if not sys.stdin.isatty():
        raise UserError("automl delete must ask before it deletes, but there is no terminal; add --yes")
    code = 1
    try:
        if typer.confirm(f"Delete {what}, its files and its MLflow runs for good?", err=True):
            return
    except typer.Abort as end:  # what Ctrl-C and the end of the input become
        code = 130 if isinstance(end.__context__, KeyboardInterrupt) else 1
    say("nothing was deleted")
    raise typer.Exit(code)


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
