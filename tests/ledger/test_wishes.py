"""Requests to campaigns: asked for once, taken once, kept for every later driver."""

from __future__ import annotations

import threading

import pytest

from automl.contracts import UserError
from automl.ledger import Asked, Ledger, RequestRow, Wishes
from automl.ledger.requests import ENDED

ANN, BOB = "ann@one", "bob@two"


@pytest.fixture
def campaign(any_ledger: Ledger) -> str:
    row = any_ledger.create_campaign("a", {}, "d", {})
    any_ledger.add_search(row.id, "x", 0)
    any_ledger.add_search(row.id, "y", 0)
    return row.id


def asked(one: Asked) -> RequestRow:
    assert one.request is not None
    return one.request


def finish(ledger: Ledger, campaign: str, reason: str | None = None) -> None:
    token = ledger.acquire(campaign, "host:1:1")
    assert ledger.finish_campaign(campaign, token, reason)
    ledger.release(campaign, token)


def test_what_holds_is_not_asked_for_again(any_ledger: Ledger, campaign: str) -> None:
    first = any_ledger.ask(campaign, campaign, "stop", ANN)
    again = any_ledger.ask(campaign, campaign, "stop", BOB)
    assert (first.new, again.new) == (True, False)
    assert asked(again) == asked(first) and asked(first).by == ANN
    assert any_ledger.is_stopped(campaign) == asked(first).words
    assert any_ledger.is_stopped(campaign).startswith("stopped by ann@one at 20")


def test_terminals_at_once_ask_once(any_ledger: Ledger, campaign: str) -> None:
    found: list[Asked] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(any_ledger.ask(campaign, f"{campaign}/x/0", "stop", ANN))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.new for one in found) == [False, False, False, True]
    assert len(any_ledger.requests(campaign)) == 1


def test_the_last_wish_counts(any_ledger: Ledger, campaign: str) -> None:
    any_ledger.ask(campaign, campaign, "pause", ANN)
    any_ledger.ask(campaign, f"{campaign}/x/0", "stop", ANN)
    any_ledger.ask(campaign, campaign, "stop", ANN)
    held = any_ledger.wishes(campaign)
    assert held.pause is not None and set(held.stops) == {campaign, f"{campaign}/x/0"}
    any_ledger.ask(campaign, campaign, "resume", BOB)
    held = any_ledger.wishes(campaign)
    assert held.pause is None and set(held.stops) == {f"{campaign}/x/0"}, "a search stays stopped"
    assert any_ledger.ask(campaign, campaign, "pause", ANN).new, "it can be paused again"


def test_a_pause_counts_from_when_it_was_taken(any_ledger: Ledger, campaign: str) -> None:
    first = asked(any_ledger.ask(campaign, campaign, "pause", ANN))
    assert any_ledger.wishes(campaign).still == ()
    any_ledger.take_requests([first.id])
    second = asked(any_ledger.ask(campaign, campaign, "resume", ANN))
    any_ledger.take_requests([first.id, second.id])
    (span,) = any_ledger.wishes(campaign).still
    taken = {request.id: request.done_at for request in any_ledger.requests(campaign)}
    assert span == (taken[first.id], taken[second.id])
    assert first.at <= span[0] <= span[1]


def test_an_end_answers_what_no_driver_has_taken(any_ledger: Ledger, campaign: str) -> None:
    any_ledger.ask(campaign, campaign, "stop", ANN)
    finish(any_ledger, campaign)
    (request,) = any_ledger.requests(campaign)
    assert request.answer == ENDED and request.done_at is not None
    assert any_ledger.is_stopped(campaign) == "", "it ended by itself"
    assert any_ledger.ask(campaign, campaign, "stop", ANN).request is None
    assert any_ledger.ask(campaign, campaign, "resume", ANN).request is None, "there is nothing to resume"


def test_a_stopped_campaign_goes_on_with_the_searches_that_were_stopped_with_it(
    any_ledger: Ledger, campaign: str
) -> None:
    words = asked(any_ledger.ask(campaign, campaign, "stop", ANN)).words
    own = asked(any_ledger.ask(campaign, f"{campaign}/y/0", "stop", ANN)).words
    any_ledger.finish_search(f"{campaign}/x/0", words, None)
    any_ledger.finish_search(f"{campaign}/y/0", own, None)
    any_ledger.take_requests([request.id for request in any_ledger.requests(campaign)])
    finish(any_ledger, campaign, words)
    any_ledger.reopen_searches(campaign)
    assert {row.state for row in any_ledger.searches(campaign)} == {"finished"}, "the stop holds"
    assert any_ledger.ask(campaign, campaign, "resume", BOB).new
    row = any_ledger.campaign(campaign)
    assert row is not None and (row.state, row.reason, row.finished_at) == ("running", None, None)
    any_ledger.reopen_searches(campaign)
    assert {row.arm: row.state for row in any_ledger.searches(campaign)} == {"x": "running", "y": "finished"}


def test_nothing_is_asked_of_a_campaign_that_is_not_there(any_ledger: Ledger) -> None:
    with pytest.raises(UserError, match="there is no 'a-7'"):
        any_ledger.ask("a-7", "a-7", "stop", ANN)


def test_a_campaign_that_is_paused_by_nobody_drives_nothing(any_ledger: Ledger, campaign: str) -> None:
    row = any_ledger.campaign(campaign)
    assert row is not None
    any_ledger.ask(campaign, campaign, "pause", ANN)
    assert any_ledger.status(row) == "interrupted"
    assert Wishes.of([]) == Wishes()
