"""The command that looks at a campaign from elsewhere, and progress as events for programs.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from automl.cli.common import Name, find_campaign, note, only_json, open_ledger, output
from automl.contracts import UserError
from automl.progress import CampaignStatus, QuietProgress

if TYPE_CHECKING:
    from automl.ledger import Ledger, Store
    from automl.progress import Progress
    from automl.watching import Events, Look

PANEL = "Campaigns"
LOOK: Final = 1.0  # seconds between two looks
EVENTS: Final = "json"  # the name of progress as events


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel=PANEL)(watch)


def watch(
    name: Name,
    progress: Annotated[str, typer.Option(help="auto, live, log, or json for programs.")] = "auto",
) -> None:
    """Show how far a campaign is, from another terminal or machine, until it ends. Ctrl-C leaves it alone.

    Example: automl watch quickstart-3
    """
    from automl.progress import progress_for
    from automl.watching import Events, Watched

    events = Events(output()) if progress == EVENTS else None
    shown = QuietProgress() if events is not None else progress_for(progress)
    with only_json(events is not None), open_ledger() as (_, ledger):
        campaign = find_campaign(ledger, name).id
        watched = Watched(ledger, campaign)
        told = ""

        def looked() -> Look:
            return watched.look() if events is None else events.look(ledger, campaign)

        with shown:
            while (look := looked()).state != "finished":
                shown.update(look.status)
                if look.state != told:
                    told = look.state
                    if told == "interrupted":
                        note(f"{campaign} has no driver now; it goes on with: automl run {look.row.study}")
                time.sleep(LOOK)
            shown.update(look.status)
        if events is not None:
            events.end("finished", look.row.reason)
    note(f"{campaign} has ended{f': {look.row.reason}' if look.row.reason else ''}; automl report {campaign}")


class EventProgress(QuietProgress):
    """Writes what happens to a campaign as events; lines for people go to standard error."""

    def __init__(self, store: Store, events: Events) -> None:
        self._store, self._events = store, events
        self._ledger: Ledger | None = None
        self._campaign, self._next = "", 0.0

    def update(self, status: CampaignStatus) -> None:
        """Look into the ledger when the last look is old enough."""
        self._campaign = status.campaign
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LOOK
            self.look()

    def message(self, text: str) -> None:
        """Write a line for people."""
        from automl.masking import mask_text

        note(mask_text(text))

    def look(self, campaign: str = "") -> None:
        """Write what is new of the campaign, `campaign` where it is not known yet."""
        from automl.ledger import Ledger

        self._campaign = self._campaign or campaign
        if self._campaign:
            self._ledger = self._ledger or Ledger(self._store)
            self._events.look(self._ledger, self._campaign)

    def end(self, status: str, reason: str | None) -> None:
        """Write the end."""
        self._events.end(status, reason)
        if self._ledger is not None:
            self._ledger.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.look()


def chosen_progress(name: str, store: Store, as_json: bool) -> Progress:
    """The progress that a run shows. Raises `UserError` for another name."""
    from automl.progress import progress_for
    from automl.watching import Events

    if name != EVENTS:
        return progress_for(name)
    if as_json:
        raise UserError("--progress json writes events where --json writes the report; give one of them")
    return EventProgress(store, Events(output()))


def end_of(progress: Progress, campaign: str, reason: str | None) -> None:
    """Tell programs that a run has come to its end."""
    if isinstance(progress, EventProgress):
        progress.look(campaign)
        progress.end("finished", reason)


def broken_off(progress: Progress, error: BaseException) -> None:
    """Tell programs that a run was broken off."""
    if isinstance(progress, EventProgress):
        interrupted = not isinstance(error, Exception)
        progress.end("interrupted" if interrupted else "failed", str(error) or type(error).__name__)


def only_objects(words: Sequence[str]) -> bool:
    """Whether standard output is for JSON alone, by the words of a command line."""
    pairs = zip(words, [*words[1:], ""], strict=True)
    return "--json" in words or f"--progress={EVENTS}" in words or ("--progress", EVENTS) in pairs
