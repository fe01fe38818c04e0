"""What is owed is written down once, and settled once."""

from __future__ import annotations

from automl.ledger import Ledger, NoticeRow, Store


def notice(**changes: str | None) -> NoticeRow:
    values: dict[str, str | None] = {"message": "m1", "target": "$CHAT", "campaign": "a-1", "event": "end"}
    return NoticeRow(study="a", content={"title": "x"}, **{**values, **changes})  # type: ignore[arg-type]


def test_what_is_owed_is_there_once_and_settled(any_store: Store) -> None:
    with Ledger(any_store) as ledger:
        ledger.create_campaign("a", {}, "d", {})
        ledger.owe([notice(), notice(target="file n")])
        ledger.owe([notice(), notice(message="m2", campaign=None)])
        assert [(row.message, row.target) for row in ledger.owed("a-1")] == [
            ("m1", "$CHAT"),
            ("m1", "file n"),
        ]
        first, second = ledger.owed("a-1")
        ledger.settle(first, "sent", 1)
        ledger.settle(second, "failed", 4, "no answer \x00 at all")
        assert ledger.owed("a-1") == []
        ledger.owe([notice()])  # a continued campaign: it was told
        assert ledger.owed("a-1") == []
        found = {row.target: row for row in ledger.notices(campaign="a-1")}
        assert (found["$CHAT"].state, found["$CHAT"].tries, found["$CHAT"].reason) == ("sent", 1, None)
        assert found["file n"].state == "failed" and "no answer" in (found["file n"].reason or "")
        assert len(ledger.notices("a")) == 3 and ledger.notices("b") == []


def test_the_notices_of_a_deleted_campaign_are_deleted(any_store: Store) -> None:
    with Ledger(any_store) as ledger:
        ledger.create_campaign("a", {}, "d", {})
        ledger.owe([notice()])
        ledger.begin_deletion("a-1", "me@here")
        assert ledger.delete_rows("a-1")["notices"] == 1
        assert ledger.notices() == []
