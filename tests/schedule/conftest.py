from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from schedule_examples import NOON, study

from automl import schedule
from automl.ledger import Ledger, ScheduleRow


@pytest.fixture
def planned(any_ledger: Ledger, tmp_path: Path) -> Callable[..., ScheduleRow]:
    """Adds a study whose slots have been planned until NOON + 1 s."""

    def add(name: str = "nightly", **keys: Any) -> ScheduleRow:
        added = schedule.add(any_ledger, study(name, **keys), tmp_path / f"{name}.yaml")
        any_ledger.put_schedule(ScheduleRow(**{**vars(added), "planned_until": NOON + 1}))
        return added

    return add
