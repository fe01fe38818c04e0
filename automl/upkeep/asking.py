"""Asks the driver of a campaign, wherever it runs, to stop, to pause or to go on."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import Final

from automl.contracts import UserError
from automl.ledger import Asked, CampaignRow, Ledger, RequestRow, Wish, user_name
from automl.ledger.requests import ENDED
from automl.upkeep.targets import Target

HEARS: Final = 10.0  # seconds that a driver is waited for; it looks every second
ENDS: Final = 60.0  # seconds that a stopped campaign is waited for before it can be resumed
LOOK: Final = 0.2  # seconds
NO_DRIVER: Final = "no process drives it now, so this waits for the next `automl run` of its study"


@dataclass(frozen=True)
class Heard:
    """What came of a request. `taken`: whether a driver has taken it."""

    target: str
    wish: str
    taken: bool
    text: str


def user() -> str:
    """`user@host` of this process."""
    return f"{user_name()}@{socket.gethostname()}"


def stop(ledger: Ledger, target: Target) -> Heard:
    """Let nothing of the target go on; what is open ends now and pays what it has used."""
    if target.ended:
        return Heard(target.id, "stop", False, f"{target.id} has ended ({target.ended}); nothing was stopped")
    asked = ledger.ask(target.campaign.id, target.id, "stop", user())
    advice = {
        "campaign": f"`automl resume {target.id}` lets it go on",
        "search": "its winner is retrained and tested, but its cost is not that of the others any more",
        "trial": "it is not tried again",
    }[target.kind]
    return _heard(ledger, target.id, "stop", asked, f"open trials pay what they have used; {advice}")


def pause(ledger: Ledger, target: Target) -> Heard:
    """Start nothing new; what is open goes on to its end. Raises `UserError` when it cannot be paused."""
    _only_campaigns(target, "pause")
    stopped = ledger.is_stopped(target.id)
    if target.ended or stopped:
        raise UserError(
            f"a campaign must run to be paused, but {target.id} has ended: {target.ended or stopped}"
        )
    asked = ledger.ask(target.campaign.id, target.id, "pause", user())
    text = f"open trials go on to their end; `automl resume {target.id}` lets new ones start"
    return _heard(ledger, target.id, "pause", asked, text)


def resume(ledger: Ledger, target: Target) -> Heard:
    """Let a paused or stopped campaign go on. One that is just ending is waited for."""
    _only_campaigns(target, "resume")
    wishes, deadline = ledger.wishes(target.id), time.monotonic() + ENDS
    held = wishes.pause is not None or target.id in wishes.stops
    if not held and not target.campaign.was_stopped:
        state = f"has ended ({target.ended})" if target.ended else "is not paused or stopped"
        return Heard(target.id, "resume", False, f"{target.id} {state}; nothing was changed")
    while True:
        asked = ledger.ask(target.id, target.id, "resume", user())
        if asked.request is None:
            return Heard(target.id, "resume", False, f"{target.id} has ended; nothing was changed")
        done = _wait(ledger, asked.request, deadline if target.id in wishes.stops else None)
        if done is None or done.answer != ENDED or time.monotonic() > deadline:
            return _heard(ledger, target.id, "resume", asked, "")


def _only_campaigns(target: Target, wish: str) -> None:
    if target.kind != "campaign":
        raise UserError(
            f"only a whole campaign can be {wish}d, but {target.id} is a {target.kind}; "
            f"automl {wish} {target.campaign.id}"
        )


def _heard(ledger: Ledger, target: str, wish: Wish, asked: Asked, text: str) -> Heard:
    """What came of a request, in words, after the driver was waited for."""
    request = asked.request
    if request is None:
        return Heard(target, wish, False, f"{target} has just ended; nothing was changed")
    done = _wait(ledger, request)
    before = "" if asked.new else " before"
    told = f"{target} is {request.words}{before}"
    more = f"; {text}" if text else ""
    if done is not None and done.answer is not None:
        return Heard(target, wish, False, f"{target}: {done.answer} before its driver heard of it")
    if done is not None:
        return Heard(target, wish, True, f"{told}, and its driver has heard of it{more}")
    row = ledger.campaign(asked.campaign.id)
    if row is None or not ledger.is_driven(row):
        return Heard(target, wish, False, f"{told}; {NO_DRIVER}")
    why = f"{row.owner} has not heard of it for {HEARS:g} s: it does when it reaches the store"
    return Heard(target, wish, False, f"{told}, but {why}{more}")


def _wait(ledger: Ledger, request: RequestRow, deadline: float | None = None) -> RequestRow | None:
    """The request once a driver has taken or answered it; None when none does in time, or there is none."""
    deadline = time.monotonic() + HEARS if deadline is None else deadline
    while True:
        found = next((one for one in ledger.requests(request.campaign) if one.id == request.id), None)
        if found is not None and found.done_at is not None:
            return found
        row: CampaignRow | None = ledger.campaign(request.campaign)
        if row is None or not ledger.is_driven(row) or time.monotonic() > deadline:
            return None
        time.sleep(LOOK)
