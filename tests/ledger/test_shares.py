"""Places in the ledger: what drivers say of themselves, and what they hear, on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from automl.contracts import Room, RunError, UserError
from automl.ledger import Asks, Ledger, Place, ShareRow, owner_identity
from automl.ledger.tables import campaigns

PLACE = Place("cluster", (Room(4.0),), 10.0)
ALL = Asks(wanted=4, held=0, most=0)


def driven(ledger: Ledger, study: str, priority: int = 10, place: Place = PLACE) -> tuple[str, int]:
    """A campaign that this process drives, at the place."""
    campaign = ledger.create_campaign(study, {}, "d", {}).id
    token = ledger.acquire(campaign, owner_identity())
    ledger.join_place(place, ShareRow(campaign, place.id, priority, 1.0, 0.0))
    return campaign, token


def test_two_drivers_agree_and_the_first_gives_back(any_ledger: Ledger) -> None:
    one, other = driven(any_ledger, "one"), driven(any_ledger, "other")
    first = any_ledger.claim(PLACE, *one, replace(ALL, held=4, most=4))
    assert (first.granted.share, first.row.granted) == (4, 4), "the other has not said that it wants any"
    said = any_ledger.claim(PLACE, *other, ALL)
    assert (said.granted.share, said.granted.slots) == (2, 0), "what is due to it is still held"
    assert [row.campaign for row in said.others] == [one[0]]
    assert said.row.waits_since is not None
    again = any_ledger.claim(PLACE, *one, replace(ALL, held=3, most=3))
    assert (again.granted.share, again.row.granted) == (2, 3), "none of its trials is ended"
    assert any_ledger.claim(PLACE, *other, ALL).row.granted == 1
    any_ledger.claim(PLACE, *one, replace(ALL, held=2, most=2))
    now = any_ledger.claim(PLACE, *other, replace(ALL, held=1, most=1))
    assert (now.row.granted, now.row.waits_since) == (2, None)
    any_ledger.leave_place(*one)
    assert any_ledger.claim(PLACE, *other, replace(ALL, held=2, most=2)).row.granted == 4


def test_what_a_dead_driver_held_is_free(any_ledger: Ledger) -> None:
    one, other = driven(any_ledger, "one"), driven(any_ledger, "other")
    any_ledger.claim(PLACE, *one, replace(ALL, held=4, most=4))
    elsewhere = {"owner": "far:1:1", "heartbeat_at": any_ledger.now() - 31}
    update = sa.update(campaigns).where(campaigns.c.id == one[0]).values(elsewhere)
    any_ledger._db.write(lambda connection: connection.execute(update).rowcount)
    assert any_ledger.claim(PLACE, *other, ALL).row.granted == 4
    assert any_ledger.sharing(PLACE.id) == [any_ledger.shares()[other[0]]]


def test_places_are_apart(any_ledger: Ledger) -> None:
    one, other = driven(any_ledger, "one"), driven(any_ledger, "other", place=replace(PLACE, id="elsewhere"))
    assert any_ledger.claim(PLACE, *one, ALL).row.granted == 4
    assert any_ledger.claim(replace(PLACE, id="elsewhere"), *other, ALL).row.granted == 4
    assert [place.id for place in any_ledger.places()] == ["cluster", "elsewhere"]


def test_a_priority_that_was_asked_for_outlives_the_driver_until_it_is_taken_back(any_ledger: Ledger) -> None:
    one, other = driven(any_ledger, "one"), driven(any_ledger, "other")
    any_ledger.set_priority(one[0], 30, "ann@here")
    any_ledger.claim(PLACE, *other, ALL)
    assert any_ledger.claim(PLACE, *one, ALL).granted.share == 3
    row = any_ledger.join_place(PLACE, ShareRow(one[0], PLACE.id, 10, 1.0, 0.0))
    assert (row.weight, row.asked_by) == (30, "ann@here")
    assert any_ledger.set_priority(one[0], None, "ann@here").weight == 10
    with pytest.raises(UserError, match="must share a place"):
        any_ledger.set_priority("nobody-1", 30, "ann@here")


def test_a_driver_that_was_replaced_hears_nothing_and_gives_nothing_back(any_ledger: Ledger) -> None:
    campaign, token = driven(any_ledger, "one")
    newer = any_ledger.acquire(campaign, owner_identity())
    any_ledger.claim(PLACE, campaign, newer, replace(ALL, held=2, most=2))
    with pytest.raises(RunError, match="taken over"):
        any_ledger.claim(PLACE, campaign, token, ALL)
    any_ledger.leave_place(campaign, token)
    assert any_ledger.shares()[campaign].held == 2


def test_drivers_that_speak_at_once_never_get_more_than_there_is(any_ledger: Ledger) -> None:
    names = [driven(any_ledger, f"s{number}") for number in range(4)]
    most: list[float] = []

    def speak(campaign: str, token: int) -> None:
        held = 0
        for _ in range(6):
            held = any_ledger.claim(PLACE, campaign, token, replace(ALL, held=held, most=held)).granted.slots
            most.append(sum(row.granted for row in any_ledger.shares().values()))

    threads = [threading.Thread(target=speak, args=name) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) <= 4
    assert {row.granted for row in any_ledger.shares().values()} <= {0, 1, 2, 3, 4}


def test_deleted_campaigns_leave_no_share(any_ledger: Ledger) -> None:
    campaign, token = driven(any_ledger, "one")
    any_ledger.release(campaign, token)
    any_ledger.begin_deletion(campaign, "ann@here")
    any_ledger.delete_rows(campaign)
    assert any_ledger.shares() == {}
