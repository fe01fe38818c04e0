from __future__ import annotations

import pytest
from recorder_helpers import Filled

from automl.ledger import Ledger, Store


@pytest.fixture
def filled(store: Store, ledger: Ledger) -> Filled:
    """A running campaign of two searches."""
    return Filled(store, ledger)
