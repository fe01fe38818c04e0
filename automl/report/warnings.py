"""Reasons to be careful with the comparison."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import Any, Final

from automl.report import rung_ranking
from automl.report.arms import ArmReport
from automl.report.rung_ranking import PrunedArm
from automl.report.searches import SearchReport
from automl.report.settings import Budget, StudySettings
from automl.report.verdicts import BASELINE
from automl.report.wording import seconds

_MOST: Final = 30
_STOPPED: Final = "stopped by"  # a user
_OVERRUN: Final = 1.15  # of the budget
_UNEQUAL: Final = 1.1  # times the cost of the cheapest arm


def warnings(
    study: StudySettings,
    status: str,
    arms: Mapping[str, ArmReport],
    pruned: Sequence[PrunedArm],
    told: Sequence[str] = (),
) -> tuple[str, ...]:
    """One line for each reason; at most 30. `told`: what is known of the campaign as a whole."""
    lines = list(told)
    if status != "finished":
        lines.append(f"the campaign is {status}: all numbers and verdicts are interim")
    if len(study.metrics) > 1:
        lines.append(
            f"arms are compared on {study.metrics[0].name} alone; see the Pareto set for all metrics"
        )
    if BASELINE not in arms:
        lines.append(f"no arm is called {BASELINE!r}, so there is no baseline to compare with")
    lines += rung_ranking.warnings(pruned)
    lines += _unequal_cost(study.budget, arms)
    for name, arm in arms.items():
        missing = sorted(set(study.seeds) - {search.seed for search in arm.searches})
        if missing:
            lines.append(f"{name} has not started with {_seeds(missing)}")
        for search in arm.searches:
            lines += _of_search(f"{name} with seed {search.seed}", search, study.budget)
    if len(lines) > _MOST:
        lines[_MOST:] = [f"and {len(lines) - _MOST} more warnings"]
    return tuple(lines)


def _unequal_cost(budget: Budget, arms: Mapping[str, ArmReport]) -> list[str]:
    """A line where arms ended by a number of trials, of which pruning has made some cheaper than others."""
    ended = [arm for arm in arms.values() if any(_by_trials(search, budget) for search in arm.searches)]
    costs = {arm.name: arm.device_seconds or 0.0 for arm in ended}
    pruned = [arm.name for arm in ended if arm.counts[1]]
    if len(ended) < 2 or not pruned or max(costs.values()) <= _UNEQUAL * min(costs.values()):
        return []
    shown = ", ".join(f"{name} {seconds(cost)}" for name, cost in costs.items())
    return [
        f"trial budgets are not equal cost: {', '.join(pruned)} ended trials early, and a search cost "
        f"{shown}; set budget.device_seconds to compare at equal cost"
    ]


def _by_trials(search: SearchReport, budget: Budget) -> bool:
    """Whether the number of trials ended it."""
    trials = search.trials
    return budget.trials is not None and trials.complete + trials.pruned + trials.failed >= budget.trials


def limit(reason: str | None) -> list[str]:
    """The line about the limit, or the user, that ended a campaign early."""
    if (reason or "").startswith(_STOPPED):
        return [f"the campaign was {reason}: what was open or missing then is cut short or left out"]
    text = "searches and retrainings that were open or missing then are cut short or left out"
    return [] if reason is None else [f"the campaign ended early at one of its {reason}; {text}"]


def seen_by_deleted(looks: int) -> list[str]:
    """The line about looks at the test set of these data whose campaigns are deleted."""
    times = "once" if looks == 1 else f"{looks} times"
    return [f"deleted campaigns have opened the test set of these data {times}"] if looks else []


def accepted(provenance: Mapping[str, Any]) -> list[str]:
    """A line for each change that was accepted while the campaign was interrupted."""
    changes = provenance.get("accepted", ())
    return [f"trials before and after a change are compared, which was accepted: {one}" for one in changes]


def grown(provenance: Mapping[str, Any]) -> list[str]:
    """A line for each time that the campaign was given more."""
    return [f"the campaign has grown: {one}" for one in provenance.get("grown", ())]


def _of_search(name: str, search: SearchReport, budget: Budget) -> list[str]:
    lines = []
    if search.best is None and search.state == "finished":
        lines.append(f"{name} has no complete trial ({search.reason or 'no reason was recorded'})")
    elif (search.reason or "").startswith(_STOPPED):
        lines.append(f"{name} was {search.reason}: arms are not compared at equal cost")
    if search.finals_failed:
        lines.append(f"{name}: {search.finals_failed} of its fresh-seed retrainings failed")
    if search.test_openings > 1:
        lines.append(
            f"{name} opened the test set {search.test_openings} times, so its later values were not unseen"
        )
    allowed = budget.device_seconds
    if allowed and search.device_seconds > _OVERRUN * allowed:
        lines.append(f"{name} used {search.device_seconds:.0f} of {allowed:.0f} device-seconds")
    return lines


def _seeds(seeds: Sequence[int]) -> str:
    shown = ", ".join(map(str, seeds[:10])) + (f", … ({len(seeds)} in all)" if len(seeds) > 10 else "")
    return ("seed " if len(seeds) == 1 else "seeds ") + shown


def section(warnings: Collection[str]) -> str:
    """The box at the top of the page; empty without warnings."""
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(warning)}</li>" for warning in warnings)
    return f'<div class="note" role="note"><strong>Warnings</strong><ul>{items}</ul></div>'
