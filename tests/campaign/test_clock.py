"""The clock of a campaign counts the times in which it had a driver, and stands still in between."""

from __future__ import annotations

import time

import pytest

from automl.campaign.clock import CampaignClock
from automl.ledger import DriveRow

EARLIER = [DriveRow("s-1", 1, 100.0, 110.0), DriveRow("s-1", 2, 200.0, 205.0)]


def test_earlier_drivers_count_with_what_they_drove() -> None:
    clock = CampaignClock(EARLIER, time.monotonic() - 3.0)
    assert clock.now() == pytest.approx(10.0 + 5.0 + 3.0, abs=0.5)
    assert [clock.at(moment) for moment in (90.0, 104.0, 150.0, 202.0, 300.0)] == [0.0, 4.0, 10.0, 12.0, 15.0]
    assert clock.at(time.time()) == pytest.approx(18.0, abs=0.5)


def test_a_new_campaign_begins_at_zero() -> None:
    assert CampaignClock().now() == pytest.approx(0.0, abs=0.5)
