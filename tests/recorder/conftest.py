from __future__ import annotations

import pytest
from recorder_helpers import Clock, Filled

from automl.ledger import Ledger, Store
from automl.recorder import writer_choice


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Set its `ahead` instead of waiting until a running trial is old enough for a run of its own."""
    made = Clock()
    monkeypatch.setattr("automl.ledger.queries.time", made)
    return made


@pytest.fixture
def filled(store: Store, ledger: Ledger) -> Filled:
    """A running campaign of two searches."""
    return Filled(store, ledger)


@pytest.fixture(params=["direct", "client"])
def filled_either(request: pytest.FixtureRequest, filled: Filled, monkeypatch: pytest.MonkeyPatch) -> Filled:
    """The filled ledger, recorded by either writer."""
    if request.param == "client":
        monkeypatch.setattr(writer_choice, "VERIFIED", frozenset())
    return filled
