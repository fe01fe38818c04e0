"""Notices: messages that are owed to targets. Each is written down before it is sent, and settled after.

A process that dies between the two leaves it owed: whoever continues sends it again, with the same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa

from automl.contracts import Json, storable
from automl.ledger.database import Database
from automl.ledger.reader import Reader
from automl.ledger.rules import COUNT, NAME, OBJECT, SECONDS, TEXT, one_of
from automl.ledger.tables import notices

Settled: TypeAlias = Literal["sent", "failed"]


@dataclass(frozen=True, kw_only=True)
class NoticeRow:
    """One message to one target. `state`: owed, sent or failed; `content`: the message as plain JSON.

    `tries`: of sending it. `done_at`: when it was settled; `reason`: why it failed.
    """

    message: str
    target: str
    study: str
    campaign: str | None
    event: str
    content: Json
    state: str = "owed"
    tries: int = 0
    at: float = 0.0
    done_at: float | None = None
    reason: str | None = None


read_notice: Final = Reader(
    NoticeRow,
    "notice",
    ("message", "target"),
    {
        "message": NAME,
        "target": NAME,
        "study": NAME,
        "campaign": NAME.or_nothing(),
        "event": NAME,
        "content": OBJECT,
        "state": one_of(["owed", "sent", "failed"]),
        "tries": COUNT,
        "at": SECONDS,
        "done_at": SECONDS.or_nothing(),
        "reason": TEXT.or_nothing(),
    },
)


class Notices:
    """The part of the ledger about notices."""

    _db: Database

    def owe(self, new: Sequence[NoticeRow]) -> None:
        """Write down notices, all of them or none; those that are there already stay as they are."""

        def work(connection: sa.Connection) -> None:
            now = self._db.time(connection)
            for notice in new:
                known = sa.select(notices.c.message).where(_is(notice))
                if connection.execute(known).one_or_none() is None:
                    connection.execute(sa.insert(notices), {**vars(notice), "at": now})

        if new:
            self._db.write(work)

    def owed(self, campaign: str) -> list[NoticeRow]:
        """What is still owed about a campaign, the oldest first."""
        return self._notices(sa.and_(notices.c.campaign == campaign, notices.c.state == "owed"))

    def settle(self, notice: NoticeRow, state: Settled, tries: int, reason: str | None = None) -> None:
        """Note that a notice was sent, or that it is given up."""

        def work(connection: sa.Connection) -> None:
            values = {"state": state, "tries": notice.tries + tries, "done_at": self._db.time(connection)}
            words = None if reason is None else storable(reason)
            connection.execute(sa.update(notices).where(_is(notice)).values(**values, reason=words))

        self._db.write(work)

    def notices(self, study: str | None = None, campaign: str | None = None) -> list[NoticeRow]:
        """All notices (of a study, about a campaign), the oldest first."""
        wanted: list[sa.ColumnElement[bool]] = []
        wanted += [] if study is None else [notices.c.study == study]
        wanted += [] if campaign is None else [notices.c.campaign == campaign]
        return self._notices(sa.and_(sa.true(), *wanted))

    def _notices(self, where: sa.ColumnElement[bool]) -> list[NoticeRow]:
        order = (notices.c.at, notices.c.message, notices.c.target)
        query: sa.Select[Any] = sa.select(notices).where(where).order_by(*order)
        return self._db.read(lambda connection: [read_notice(row) for row in connection.execute(query)])


def _is(notice: NoticeRow) -> sa.ColumnElement[bool]:
    return sa.and_(notices.c.message == notice.message, notices.c.target == notice.target)
