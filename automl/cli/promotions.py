"""Commands about the models of a study: promote, models, rollback, archive.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli.common import Json, Name, emit, find_campaign, note, only_json, open_ledger, say, study_name

if TYPE_CHECKING:
    from automl.config import Promote
    from automl.ledger import Ledger
    from automl.promoting import Decision

PANEL = "Winners"
StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="A study, a campaign of it, or its file.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with the decision.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for command in (promote, models, rollback, archive):
        app.command(rich_help_panel=PANEL)(command)


def promote(
    name: Name,
    arm: Annotated[str | None, typer.Option(help="The winner of this arm instead of the best arm's.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge it, and change nothing.")] = False,
    force: Annotated[
        str, typer.Option(metavar="REASON", help="Promote it whatever the gate says; the reason is kept.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Put the winner of a finished campaign before its study's gate, and make it the champion if it passes.

    NAME as a study file: the gate is the file's. Exit code 1 when it is refused.
    Example: automl promote quickstart --dry-run
    """
    from automl.promoting import tell_of_champions
    from automl.promoting.deciding import Wanted
    from automl.promoting.deciding import promote as put_before

    with only_json(as_json), open_ledger() as (store, ledger):
        campaign = find_campaign(ledger, name).id
        wanted = Wanted(_gate_of(name), arm, force, dry_run)
        decision = put_before(ledger, store, campaign, wanted)
        if not dry_run:
            tell_of_champions(ledger, store, decision.study, note)
    if as_json:
        emit(decision.to_json())
    else:
        _show(decision)
    if decision.action == "refuse":
        raise typer.Exit(1)


def models(study: StudyName, as_json: Json = False) -> None:
    """Show the versions of a study's models: aliases, campaign, values, and why each was promoted or refused.

    Example: automl models quickstart
    """
    from automl.promoting.listing import listing
    from automl.promoting.registry import settle

    with only_json(as_json), open_ledger() as (store, ledger):
        found = _study(ledger, study)
        for line in settle(store, ledger, found):
            note(line)
        shown = listing(ledger, store, found)
    if as_json:
        emit(shown.to_json())
        return
    if not shown.versions:
        say(f"{found} has no models yet: automl promote {found}, or automl export {found} and automl train")
    for one in shown.versions:
        aliases = f" ({', '.join(one.aliases)})" if one.aliases else ""
        values = ", ".join(f"{metric} {value:.4g}" for metric, value in one.values.items())
        of = f" of {one.campaign}, {one.arm}" if one.campaign else ""
        say(f"version {one.version}{aliases}: {one.state}{of}{f': {values}' if values else ''}")
        if one.why:
            say(f"    {one.why}")
    for decision in shown.decisions:
        if decision.action in ("refuse", "rollback"):
            say(f"{decision.sentence} (by {decision.by})")
    for fault in shown.faults:
        say(f"MLflow differs from the ledger: {fault}; correct it with: automl audit {found} --repair")


def rollback(study: StudyName, reason: Reason = "", as_json: Json = False) -> None:
    """Bring the last champion of a study back; the present one loses the alias.

    Example: automl rollback quickstart --reason "worse on Mondays"
    """
    from automl.promoting import rollback as bring_back
    from automl.promoting import tell_of_champions

    with only_json(as_json), open_ledger() as (store, ledger):
        decision = bring_back(ledger, store, _study(ledger, study), reason)
        tell_of_champions(ledger, store, decision.study, note)
    _told(decision, as_json)


def archive(
    study: StudyName,
    version: Annotated[int, typer.Argument(metavar="VERSION", help="See automl models STUDY.", min=1)],
    champion: Annotated[
        bool, typer.Option("--champion", help="Also when it is the champion; there is none then.")
    ] = False,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Put a version that was promoted away: no rollback brings it back. Nothing is deleted.

    Example: automl archive quickstart 2
    """
    from automl.promoting import archive as put_away
    from automl.promoting import tell_of_champions

    with only_json(as_json), open_ledger() as (store, ledger):
        decision = put_away(ledger, store, _study(ledger, study), version, reason, champion=champion)
        tell_of_champions(ledger, store, decision.study, note)
    _told(decision, as_json)


def _told(decision: Decision, as_json: bool) -> None:
    if as_json:
        emit(decision.to_json())
    else:
        say(decision.sentence)


def _show(decision: Decision) -> None:
    for condition in decision.conditions:
        say(f"{'yes' if condition.passed else 'no ':<4}{condition.name}: {condition.figure}")
    if decision.action == "promote" and not decision.conditions:
        say("the gate has no conditions")
    say(f"{'would be: ' if decision.dry else ''}{decision.sentence}")
    if decision.version is not None and not decision.dry:
        say(f"version {decision.version} in MLflow's registry")


def _study(ledger: Ledger, name: str) -> str:
    """The study of that name, also when all of its campaigns have been deleted."""
    study = study_name(name)
    return study if ledger.promotions(study) else find_campaign(ledger, name).study


def _gate_of(name: str) -> Promote | None:
    """The gate of a study file; None for a name: the campaign's study has it."""
    if not Path(name).is_file():
        return None
    from automl.config import load_study

    return load_study(name).promote
