"""Which model is the champion after decisions, and where a rollback leads."""

from __future__ import annotations

from typing import Any

import pytest

from automl.ledger.promotions import PromotionRow
from automl.promoting.history import models_of

DEFAULTS: dict[str, Any] = {
    "study": "s",
    "campaign": "s-1",
    "finished_at": 1.0,
    "before": None,
    "after": None,
    "content": {},
    "by": "ann@host",
    "at": 1.0,
}


def rows(*decisions: tuple[str, str | None], done: bool = True) -> list[PromotionRow]:
    return [
        PromotionRow(
            id=number,
            number=number,
            action=action,
            model=model,
            version=None if model is None or action == "refuse" else ord(model) - ord("a") + 1,
            done_at=2.0 if done else None,
            **DEFAULTS,
        )
        for number, (action, model) in enumerate(decisions, start=1)
    ]


@pytest.mark.parametrize(
    ("decisions", "champion", "earlier"),
    [
        ([], None, ()),
        ([("refuse", "a")], None, ()),
        ([("promote", "a")], "a", ()),
        ([("promote", "a"), ("refuse", "b")], "a", ()),
        ([("promote", "a"), ("keep", "a")], "a", ()),
        ([("promote", "a"), ("promote", "b")], "b", ("a",)),
        ([("promote", "a"), ("promote", "b"), ("promote", "c"), ("rollback", "b")], "b", ("a",)),
        ([("promote", "a"), ("promote", "b"), ("rollback", "a"), ("promote", "c")], "c", ("a",)),
        ([("promote", "a"), ("promote", "b"), ("promote", "a")], "a", ("b",)),
        ([("promote", "a"), ("promote", "b"), ("promote", "c"), ("archive", "b")], "c", ("a",)),
        ([("promote", "a"), ("promote", "b"), ("archive", "b")], None, ("a",)),
        ([("promote", "a"), ("promote", "b"), ("archive", "b"), ("rollback", "a")], "a", ()),
    ],
)
def test_the_champion_and_the_way_back(
    decisions: list[tuple[str, str | None]], champion: str | None, earlier: tuple[str, ...]
) -> None:
    found = models_of(rows(*decisions))
    assert (found.champion, found.earlier) == (champion, earlier)
    assert found.previous == (earlier[-1] if earlier else None)
    assert found.seen == len(decisions)


def test_an_archived_model_that_is_promoted_again_is_archived_no_more() -> None:
    found = models_of(rows(("promote", "a"), ("archive", "a")))
    assert set(found.archived) == {"a"} and found.champion is None
    again = models_of(rows(("promote", "a"), ("archive", "a"), ("promote", "a")))
    assert not again.archived and again.champion == "a"


def test_versions_lead_to_models_and_back() -> None:
    found = models_of(rows(("promote", "a"), ("promote", "b"), ("refuse", "c")))
    assert (found.version("a"), found.model(2), found.model(3), found.version(None)) == (1, "b", None, None)
    assert found.named("b") == "version 2" and found.named("c") == "c"


def test_what_the_registry_may_lack_is_open() -> None:
    assert models_of(rows(("promote", "a"))).open == ()
    assert [row.model for row in models_of(rows(("promote", "a"), done=False)).open] == ["a"]
