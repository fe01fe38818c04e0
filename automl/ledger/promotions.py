"""What was decided about the models of a study: written first, then carried out in MLflow's registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa

from automl.contracts import RunError, storable
from automl.ledger.database import Database
from automl.ledger.reader import Reader
from automl.ledger.rules import COUNT, NAME, OBJECT, SECONDS, one_of
from automl.ledger.tables import promotions

Action: TypeAlias = Literal["promote", "refuse", "keep", "rollback", "archive"]
ACTIONS: Final = ("promote", "refuse", "keep", "rollback", "archive")


@dataclass(frozen=True)
class PromotionRow:
    """One decision about the models of a study, the `number`th.

    `model` is what it is about, `before` and `after` are the champions until then and from then on (models).
    `campaign`, as it had ended at `finished_at`, was judged. `version`: of `model` in MLflow's registry.
    `content`: conditions with their figures, values, reasons. `done_at` None: the registry may lack it.
    """

    id: int
    study: str
    number: int
    action: str
    campaign: str | None
    finished_at: float | None
    model: str | None
    before: str | None
    after: str | None
    version: int | None
    content: dict[str, Any]
    by: str
    at: float
    done_at: float | None


read_promotion: Final = Reader(
    PromotionRow,
    "promotion",
    ("study", "number"),
    {
        "id": COUNT,
        "study": NAME,
        "number": COUNT,
        "action": one_of(ACTIONS),
        "campaign": NAME.or_nothing(),
        "finished_at": SECONDS.or_nothing(),
        "model": NAME.or_nothing(),
        "before": NAME.or_nothing(),
        "after": NAME.or_nothing(),
        "version": COUNT.or_nothing(),
        "content": OBJECT,
        "by": NAME,
        "at": SECONDS,
        "done_at": SECONDS.or_nothing(),
    },
)


@dataclass(frozen=True)
class Deciding:
    """A decision to write. `seen`: how many the study had when it was taken; others as in `PromotionRow`."""

    study: str
    action: Action
    seen: int
    content: Mapping[str, Any]
    by: str
    at: float
    campaign: str | None = None
    finished_at: float | None = None
    model: str | None = None
    before: str | None = None
    after: str | None = None
    version: int | None = None


class Promotions:
    """The part of the ledger about promotions."""

    _db: Database

    def promotions(self, study: str | None = None, campaign: str | None = None) -> list[PromotionRow]:
        """All decisions (of a study, of a campaign), by study and in their order."""
        query = sa.select(promotions).order_by(promotions.c.study, promotions.c.number)
        if study is not None:
            query = query.where(promotions.c.study == study)
        if campaign is not None:
            query = query.where(promotions.c.campaign == campaign)
        return self._db.read(lambda connection: [read_promotion(row) for row in connection.execute(query)])

    def decide(self, decision: Deciding) -> PromotionRow:
        """Write a decision. Raises `RunError` when the study has got another one since it was taken."""
        values = {key: value for key, value in vars(decision).items() if key != "seen"}
        values |= {"number": decision.seen + 1, "by": storable(decision.by)}
        same = (promotions.c.study == decision.study) & (promotions.c.number == values["number"])

        def work(connection: sa.Connection) -> PromotionRow | None:
            found = connection.execute(sa.select(promotions).where(same)).one_or_none()
            if found is not None:
                row = read_promotion(found)
                ours = (row.by, row.at, row.action) == (values["by"], decision.at, decision.action)
                return row if ours else None  # the first try was committed after all
            connection.execute(sa.insert(promotions), values)
            return read_promotion(connection.execute(sa.select(promotions).where(same)).one())

        try:
            written = self._db.write(work)
        except sa.exc.IntegrityError:
            written = None
        if written is None:
            raise RunError(
                f"the models of {decision.study} must not change while one is judged, but another command "
                "has decided in the meantime; nothing was changed; run the command again"
            )
        return written

    def carry_out(self, ids: Iterable[int], versions: Mapping[str, int]) -> None:
        """Note that MLflow's registry has decisions, and the versions that models have there."""
        wanted = sorted(ids)

        def work(connection: sa.Connection) -> None:
            for model, version in versions.items():
                chosen = promotions.c.model == model
                connection.execute(sa.update(promotions).where(chosen).values(version=version))
            open_ones = promotions.c.id.in_(wanted) & promotions.c.done_at.is_(None)
            done = {"done_at": self._db.time(connection)}
            connection.execute(sa.update(promotions).where(open_ones).values(done))

        self._db.write(work)
