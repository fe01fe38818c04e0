"""One check of a contract, and the run of many."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from automl.contracts import UserError


@dataclass(frozen=True)
class Check:
    """One rule of a contract. `name`: the rule in words, such as "same seed, same proposals".

    `run` returns when the rule holds. It raises `AssertionError` or `UserError` whose text says the rule,
    what was found and what to do, or whatever the plug-in raises.
    """

    name: str
    run: Callable[[], None]


@dataclass(frozen=True)
class CheckResult:
    """How one check ended: `problem` is empty when the rule holds; `trace` is that of an unexpected error."""

    name: str
    problem: str = ""
    trace: str = ""


def run_checks(
    checks: Iterable[Check], ended: Callable[[CheckResult], None] = lambda _: None
) -> list[CheckResult]:
    """Run every check, also after one that fails; `ended` hears of each at once."""
    reports = []
    for check in checks:
        reports.append(_run(check))
        ended(reports[-1])
    return reports


def _run(check: Check) -> CheckResult:
    try:
        check.run()
    except (AssertionError, UserError) as error:
        return CheckResult(check.name, str(error) or "the rule does not hold")
    except Exception as error:
        return CheckResult(check.name, f"{type(error).__name__}: {error}", traceback.format_exc())
    return CheckResult(check.name)
