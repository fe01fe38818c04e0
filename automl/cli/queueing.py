"""Commands about campaigns that share machines: queue, quota.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from automl.cli.common import Json, emit, find_campaign, only_json, open_ledger, say
from automl.contracts import UserError

if TYPE_CHECKING:
    from automl.ledger import Ledger
    from automl.upkeep.queueing import Line

PANEL = "Campaigns"
Hours = Annotated[float, typer.Argument(metavar="HOURS", help="Device-hours: GPUs held, else CPUs, x hours.")]
OfStudy = Annotated[str | None, typer.Option("--study", metavar="NAME", help="Of the campaigns of a study.")]
OfUser = Annotated[str | None, typer.Option("--user", metavar="NAME", help="Of those that a user began.")]
Per = Annotated[str, typer.Option("--per", help="day, week (from Monday), month, all UTC; or total.")]

quota = typer.Typer(no_args_is_help=True, help="Device-hours that a study, or a user, may use in a period.")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel=PANEL)(queue)


def queue(
    priority: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PRIORITY",
            help="Change the priority of a campaign: low, normal, high, 1 to 100, or study. May be repeated.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the campaigns that run, wait or are paused: who holds how many slots, and since when who waits.

    Example: automl queue --priority quickstart=high
    """
    from automl.upkeep import queueing

    with only_json(as_json), open_ledger() as (_, ledger):
        changed = [_changed(ledger, asked) for asked in priority or ()]
        lines, places = queueing.lines(ledger), ledger.places()
    named = {line.place for line in lines}
    if as_json:
        shown = [asdict(place) for place in places if place.id in named]
        emit({"campaigns": [asdict(line) for line in lines], "places": shown, "changed": changed})
        return
    for text in changed:
        say(text)
    _show(lines)
    for place in places:
        if place.id in named:
            cpus, gpus = sum(room.cpus for room in place.rooms), sum(room.gpus for room in place.rooms)
            say(f"{place.id}: {len(place.rooms)} machines, {cpus:g} CPUs, {gpus:g} GPUs")


def _changed(ledger: Ledger, asked: str) -> str:
    """Change a priority; what was done, in words."""
    from automl.config import read_priority
    from automl.upkeep.asking import user

    name, equals, text = asked.partition("=")
    if not equals:
        raise UserError(f"--priority must read NAME=PRIORITY, but got {asked!r}; write quickstart=high")
    campaign = find_campaign(ledger, name).id
    row = ledger.set_priority(campaign, None if text == "study" else read_priority(text), user())
    return f"{campaign} has priority {row.weight}{' again, that of its study' if row.asked is None else ''}"


def _show(lines: list[Line]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from automl.upkeep.queueing import moment

    if not lines:
        say("no campaign is driven now")
        return
    table = Table(box=box.SIMPLE_HEAD)
    for head in (
        "campaign",
        "user",
        "host",
        "state",
        "place",
        "priority",
        "slots/share",
        "trials",
        "device s",
    ):
        table.add_column(head, overflow="fold")
    for head in ("since", "searches end"):
        table.add_column(head, overflow="fold")
    for line in lines:
        state = line.state if line.waits_for is None else f"{line.state} for {line.waits_for}"
        table.add_row(
            line.campaign,
            line.user or "–",
            line.host,
            state,
            line.place or "–",
            "–" if line.priority is None else str(line.priority),
            "–" if line.slots is None else f"{line.slots}/{line.share}",
            str(line.trials),
            f"{line.device_seconds:.0f}",
            moment(line.driven_since if line.waits_since is None else line.waits_since),
            moment(line.ends_at),
        )
    Console().print(table)


@quota.command("set")
def set_(
    hours: Hours, study: OfStudy = None, user: OfUser = None, per: Per = "total", as_json: Json = False
) -> None:
    """Let the campaigns of a study, or of a user, use no more than so many device-hours in a period.

    Example: automl quota set 40 --user ann --per week
    """
    from automl.upkeep import queueing

    kind, name = queueing.check_quota(study, user, per)
    with only_json(as_json), open_ledger() as (_, ledger):
        found = queueing.set_quota(ledger, kind, name, per, hours)
    if as_json:
        emit(asdict(found))
    else:
        say(f"{found.words}, from now on and for what has been used before; running campaigns hear of it")


@quota.command("list")
def list_(as_json: Json = False) -> None:
    """Show all quotas, and what is used of them.

    Example: automl quota list --json
    """
    from automl.upkeep import queueing

    with only_json(as_json), open_ledger() as (_, ledger):
        usages = ledger.usages()
    if as_json:
        emit({"quotas": [{**asdict(one), "left": one.left} for one in usages]})
        return
    for usage in usages:
        say(queueing.used(usage))
    if not usages:
        say("there is no quota")


@quota.command()
def remove(study: OfStudy = None, user: OfUser = None, per: Per = "total", as_json: Json = False) -> None:
    """Remove a quota.

    Example: automl quota remove --user ann --per week
    """
    from automl.upkeep import queueing

    kind, name = queueing.check_quota(study, user, per)
    with only_json(as_json), open_ledger() as (_, ledger):
        removed = ledger.remove_quota(kind, name, per)
    if not removed:
        raise UserError(
            f"there must be a quota to be removed, but {kind} {name} has none per {per}; "
            "see `automl quota list`"
        )
    if as_json:
        emit({"removed": {"kind": kind, "name": name, "period": per}})
    else:
        say(f"{kind} {name} has no quota per {per} any more")
