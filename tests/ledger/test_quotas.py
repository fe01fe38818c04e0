"""Quotas: what is charged to a study and a user, in which period, open attempts and deleted ones too."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from automl.contracts import Outcome, Room, TrialState
from automl.ledger import Asks, Ledger, NewTrial, Place, ShareRow, owner_identity
from automl.ledger.quotas import period_of

PLACE = Place("cluster", (Room(4.0),), 10.0)


def spending(
    ledger: Ledger, study: str, user: str, monkeypatch: pytest.MonkeyPatch, *costs: float
) -> tuple[str, int]:
    """A campaign of a user with ended trials of those costs."""
    monkeypatch.setenv("AUTOML_USER", user)
    campaign = ledger.create_campaign(study, {}, "d", {}).id
    token = ledger.acquire(campaign, owner_identity())
    (search,) = ledger.add_searches(campaign, [("random", 0)])
    for number, cost in enumerate(costs):
        trial = ledger.start_trial(search.id, NewTrial("trial", number, {}, 0, number, None))
        outcome = Outcome(TrialState.COMPLETE, cost, values=[0.5])
        ledger.finish_trial(trial.id, trial.token, outcome, told=number, attributes={})
    return campaign, token


def used(ledger: Ledger) -> dict[tuple[str, str], float]:
    return {(one.quota.name, one.quota.period): one.used for one in ledger.usages()}


def test_what_is_charged_counts_for_study_and_user(
    any_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    spending(any_ledger, "a", "ann", monkeypatch, 10.0, 20.0)
    spending(any_ledger, "b", "ann", monkeypatch, 5.0)
    spending(any_ledger, "a", "bob", monkeypatch, 100.0)
    for kind, name in (("study", "a"), ("user", "ann"), ("user", "nobody")):
        any_ledger.set_quota(kind, name, "week", 60.0, "root@here")
    assert used(any_ledger) == {("a", "week"): 130.0, ("ann", "week"): 35.0, ("nobody", "week"): 0.0}
    assert [one.quota.name for one in any_ledger.usages(study="a", user="ann")] == ["a", "ann"]
    assert [one.quota.name for one in any_ledger.usages(study="b", user="bob")] == []
    assert any_ledger.usages(study="a")[0].left == -70.0
    assert [row.begun_by for row in any_ledger.campaigns()] == ["ann", "bob", "ann"]


def test_open_attempts_count_while_their_driver_lives(
    any_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, token = spending(any_ledger, "a", "ann", monkeypatch, 10.0)
    any_ledger.join_place(PLACE, ShareRow(campaign, PLACE.id, 10, 1.0, 0.0))
    any_ledger.claim(PLACE, campaign, token, Asks(1, 1, 1, open_seconds=7.0))
    any_ledger.set_quota("user", "ann", "total", 60.0, "root@here")
    assert used(any_ledger) == {("ann", "total"): 17.0}
    any_ledger.release(campaign, token)
    assert used(any_ledger) == {("ann", "total"): 10.0}


def test_to_delete_a_campaign_gives_nothing_back(any_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign, token = spending(any_ledger, "a", "ann", monkeypatch, 10.0, 20.0)
    any_ledger.set_quota("user", "ann", "day", 60.0, "root@here")
    any_ledger.set_quota("study", "a", "total", 60.0, "root@here")
    any_ledger.release(campaign, token)
    any_ledger.begin_deletion(campaign, "ann@here")
    any_ledger.delete_rows(campaign)
    any_ledger.delete_rows(campaign)
    assert used(any_ledger) == {("a", "total"): 30.0, ("ann", "day"): 30.0}


def test_a_quota_is_replaced_and_removed(any_ledger: Ledger) -> None:
    any_ledger.set_quota("user", "ann", "day", 60.0, "root@here")
    any_ledger.set_quota("user", "ann", "day", 30.0, "bob@here")
    (usage,) = any_ledger.usages()
    assert (usage.quota.device_seconds, usage.quota.by) == (30.0, "bob@here")
    assert any_ledger.remove_quota("user", "ann", "day") and not any_ledger.remove_quota("user", "ann", "day")


@pytest.mark.parametrize(
    ("period", "begins", "ends"),
    [
        ("day", (2026, 2, 26), (2026, 2, 27)),
        ("week", (2026, 2, 23), (2026, 3, 2)),
        ("month", (2026, 2, 1), (2026, 3, 1)),
    ],
)
def test_periods_begin_at_midnight_utc(
    period: str, begins: tuple[int, int, int], ends: tuple[int, int, int]
) -> None:
    now = datetime(2026, 2, 26, 13, 45, tzinfo=UTC).timestamp()  # a Thursday
    expected = tuple(datetime(*day, tzinfo=UTC).timestamp() for day in (begins, ends))
    assert period_of(period, now) == expected
    assert period_of(period, expected[0])[0] == expected[0]
    assert period_of("total", now) == (0.0, None)
