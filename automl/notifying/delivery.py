"""Delivers what is owed: each target by itself, tried again a few times, within a bounded time.

Nothing here raises for a target: a notice that cannot be delivered is told and noted, and fails no campaign.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from automl.config import Study, Target
from automl.contracts import Json, RunError, UserError
from automl.ledger import Ledger, NoticeRow
from automl.masking import hide, mask_text
from automl.notifying.message import Message, masked
from automl.notifying.senders import fault, send

WAITS: Final = (1.0, 3.0, 9.0)  # seconds before each further try
WITHIN: Final = 60.0  # seconds for all tries of one message to one target
TOGETHER: Final = 8  # targets at a time

Tell = Callable[[str], None]
Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Targets:
    """Who is told, and the folder that their files and programs are looked up from."""

    entries: tuple[Target, ...]
    folder: Path

    @classmethod
    def of(cls, study: Study) -> Targets:
        """Those of a study. Their addresses are kept out of all that is recorded and shown."""
        return cls.at(study.notify, Path(study.source))

    @classmethod
    def at(cls, entries: Sequence[Target], folder: Path) -> Targets:
        """Targets of a study in that folder."""
        hide(entry.url_from for entry in entries if entry.url_from is not None)
        return cls(tuple(entries), folder)

    @classmethod
    def recorded(cls, spec: Json) -> Targets:
        """Those of a study as a campaign has recorded it; none where an earlier version did."""
        entries = [Target.model_validate(entry) for entry in spec.get("notify", ())]
        return cls.at(entries, Path(spec.get("source", ".")))

    def wanting(self, event: str) -> list[Target]:
        """Those that want to be told of an event."""
        return [entry for entry in self.entries if event in entry.on]


def check_targets(study: Study) -> None:
    """Raise `UserError` when something cannot be told on this machine: not at the end of the night."""
    targets = Targets.of(study)
    wrong = [
        f"notify: {entry.label}: {why}" for entry in targets.entries if (why := fault(entry, targets.folder))
    ]
    if wrong:
        raise UserError("\n".join(wrong))


def announce(ledger: Ledger, targets: Targets, messages: Sequence[Message], tell: Tell) -> None:
    """Write down who must be told of what, then deliver it. What was written down is not told again.

    Where the ledger is away, which may be what must be told, it is sent without being written down.
    """
    rows = [_row(entry, one) for one in map(masked, messages) for entry in targets.wanting(one.event)]
    if not rows:
        return
    try:
        ledger.owe(rows)
        wanted = {(row.message, row.target) for row in rows}
        known = [row for row in ledger.notices(rows[0].study) if (row.message, row.target) in wanted]
        rows = [row for row in known if row.state == "owed"]
    except RunError as error:
        tell(mask_text(f"warning: it is not written down who is told of {messages[0].title}: {error}"))
    deliver(ledger, targets, rows, tell)


def deliver(
    ledger: Ledger, targets: Targets, owed: Sequence[NoticeRow], tell: Tell, sleep: Sleep = time.sleep
) -> None:
    """Send what is owed, each target in a thread of its own; settle every notice."""
    by_label: Mapping[str, Target] = {entry.label: entry for entry in targets.entries}
    queues: dict[str, list[NoticeRow]] = {}
    for row in owed:
        queues.setdefault(row.target, []).append(row)

    def work(rows: Sequence[NoticeRow]) -> None:
        for row in rows:
            _deliver(ledger, by_label.get(row.target), targets.folder, row, tell, sleep)

    threads = [
        threading.Thread(target=work, args=(rows,), name="notify", daemon=True) for rows in queues.values()
    ]
    for start in range(0, len(threads), TOGETHER):
        for thread in threads[start : start + TOGETHER]:
            thread.start()
        for thread in threads[start : start + TOGETHER]:
            thread.join()


def _deliver(
    ledger: Ledger, target: Target | None, folder: Path, row: NoticeRow, tell: Tell, sleep: Sleep
) -> None:
    tries, why = 0, "the study names no such target any more"
    if target is not None:
        tries, why = _try(target, Message.from_json(row.content), folder, sleep)
    if why:
        text = f"warning: {row.target} was not told of {row.campaign or row.study} ({row.event}): {why}"
        tell(mask_text(f"{text}; {tries} tries; see automl notify log {row.study}"))
    try:
        ledger.settle(row, "failed" if why else "sent", tries, mask_text(why) if why else None)
    except RunError as error:
        tell(mask_text(f"warning: {row.target} may be told again: {error}"))


def _try(target: Target, message: Message, folder: Path, sleep: Sleep) -> tuple[int, str]:
    """How often it was tried, and why it failed in the end; "" when it was sent."""
    until = time.monotonic() + WITHIN
    why = ""
    for tries, wait in enumerate((*WAITS, None), start=1):
        left = until - time.monotonic()
        try:
            why = send(target, message, folder, min(target.timeout, max(left, 1.0)))
        except Exception as error:  # nothing that a target does may fail a campaign
            why = mask_text(f"{type(error).__name__}: {error}")
        if not why or wait is None or time.monotonic() + wait >= until:
            return tries, why
        sleep(wait)
    return len(WAITS) + 1, why


def _row(target: Target, message: Message) -> NoticeRow:
    return NoticeRow(
        message=message.id,
        target=target.label,
        study=message.study,
        campaign=message.campaign,
        event=message.event,
        content=message.to_json(),
    )
