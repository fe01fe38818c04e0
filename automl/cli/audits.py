"""The command that compares MLflow with the ledger, and repairs it.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli.common import Json, Name, emit, find_campaign, note, only_json, open_ledger, say
from automl.private import private

if TYPE_CHECKING:
    from automl.ledger import Ledger, Store


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel="Campaigns")(audit)


def audit(
    name: Name,
    repair: Annotated[
        bool, typer.Option("--repair", help="Write missing runs and remove duplicates.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check that MLflow has every trial of the ledger exactly once. Exit code 1 when it has not.

    Example: automl audit quickstart --repair
    """
    with only_json(as_json), private():  # a repair uploads into the store
        if repair:
            _set_damaged_aside()
        with open_ledger() as (store, ledger):
            from automl.recorder import audit as auditing

            campaign = find_campaign(ledger, name).id
            result = (auditing.repair if repair else auditing.audit)(store, ledger, campaign)
            registry = _registry(store, ledger, find_campaign(ledger, name).study, repair)
            for other in ledger.campaigns() if repair else ():
                if other.id != campaign and other.recorded == 0 and not ledger.is_driven(other):
                    auditing.repair(store, ledger, other.id)
                    note(f"MLflow had nothing of {other.id}, which is written too")
    if as_json:
        emit({**result.to_json(), "registry": registry})
    else:
        say(f"{campaign}: {result.trials} trials, {result.runs} runs")
        for fault, identities in result.faults.items():
            say(f"{fault}: {', '.join(identities)}")
        for fault in registry:
            say(f"registry: {fault}")
        if repair and result.files:
            say("these files can be read from nowhere here: repair it on the machine that has them")
        clean = "every trial is recorded exactly once"
        wrong = result.faults or registry
        if result.earlier and not wrong:
            clean += (
                f", in the form of an earlier version; automl audit {name} --repair writes the present one"
            )
        say(f"repair it with: automl audit {name} --repair" if wrong else clean)
    if result.faults or registry:
        raise typer.Exit(1)


def _registry(store: Store, ledger: Ledger, study: str, repair: bool) -> list[str]:
    """How MLflow's registry of models differs from what was decided; repaired, of all studies, if asked."""
    from automl.promoting import registry

    if repair:
        for other in dict.fromkeys(row.study for row in ledger.promotions()):
            with registry.alone(store):
                for line in registry.settle(store, ledger, other, always=True):
                    note(line)
    return registry.faults(store, ledger, study)


def _set_damaged_aside() -> None:
    from automl import storage
    from automl.ledger import resolve_store

    aside = storage.set_damaged_aside(resolve_store())
    if aside is not None:
        note(
            f"MLflow's database was damaged, is now {aside} and is written anew from the ledger, which has "
            "promoted models, but no others that were registered, and nothing that others wrote into it"
        )
