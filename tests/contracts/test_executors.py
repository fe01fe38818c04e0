"""Every executor, found by discovery: it runs each job to its end, alone."""

from __future__ import annotations

import pytest

from automl import plugins
from automl.checking import Check
from automl.checking.executors import checks

SLOW = {"ray": [pytest.mark.ray]}  # starts a cluster for each check
CHECKS = [
    pytest.param(check, id=f"{name}-{check.name}", marks=SLOW.get(name, []))
    for name in plugins.names("executors")
    for check in checks(plugins.load("executors", name))
]


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS)
def test_executor(check: Check) -> None:
    check.run()
