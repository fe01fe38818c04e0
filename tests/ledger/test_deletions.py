"""What remains of deleted campaigns: their numbers and their looks at test data."""

from __future__ import annotations

import pytest

from automl.contracts import RunError, UserError
from automl.ledger import Ledger, owner_identity
from automl.ledger.tables import metadata

DATA = {"data": {"name": "digits", "digest": "sha-1"}}


def made(ledger: Ledger, looks: int = 2) -> str:
    row = ledger.create_campaign("a", {}, "d", DATA)
    for seed in range(looks):
        search = ledger.add_search(row.id, "x", seed)
        ledger.close_test(ledger.open_test(search.id, "winner").id, [0.5])
    return row.id


def test_a_number_is_never_given_twice_and_looks_stay_counted(any_ledger: Ledger) -> None:
    made(any_ledger)
    made(any_ledger, looks=1)
    for campaign in ("a-2", "a-1"):
        any_ledger.begin_deletion(campaign, "ann@one")
        counts = any_ledger.delete_rows(campaign)
        assert counts["campaigns"] == 1
        others = {
            "deletions",
            "schedules",
            "firings",
            "promotions",
            "places",
            "quotas",
            "spent",
        }  # of studies
        assert set(counts) == set(metadata.tables) - others, "a table is forgotten"
    assert any_ledger.campaigns() == []
    assert any_ledger.deleted_looks("sha-1") == 3 and any_ledger.deleted_looks("sha-2") == 0
    assert any_ledger.create_campaign("a", {}, "d", {}).id == "a-3"
    assert any_ledger.create_campaign("b", {}, "d", {}).id == "b-1"
    assert [row.done_at is not None for row in any_ledger.deletions()] == [True, True]
    assert any_ledger.dangling() == []


def test_nobody_drives_what_is_being_deleted_and_the_same_call_finishes_it(any_ledger: Ledger) -> None:
    campaign = made(any_ledger)
    first = any_ledger.begin_deletion(campaign, "ann@one")
    with pytest.raises(RunError, match="is being deleted"):
        any_ledger.acquire(campaign, owner_identity())
    assert any_ledger.begin_deletion(campaign, "bob@two") == first
    any_ledger.delete_rows(campaign)
    assert sum(any_ledger.delete_rows(campaign).values()) == 0, "again, after a kill"
    done = any_ledger.deletion(campaign)
    assert done is not None and done.done_at is not None and done.by == "ann@one"


def test_what_is_driven_is_not_deleted(any_ledger: Ledger) -> None:
    campaign = made(any_ledger)
    any_ledger.acquire(campaign, owner_identity())
    with pytest.raises(RunError, match=f"automl stop {campaign}"):
        any_ledger.begin_deletion(campaign, "ann@one")
    assert any_ledger.deletion(campaign) is None
    with pytest.raises(UserError, match="there is no 'a-9'"):
        any_ledger.begin_deletion("a-9", "ann@one")
