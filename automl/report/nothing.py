"""Why a campaign has no result."""

from __future__ import annotations

from collections.abc import Collection

from automl.ledger import STOPPED
from automl.report.campaign_report import CampaignReport
from automl.report.failures import short
from automl.report.wording import plural


def nothing_found(report: CampaignReport, arm: str | None = None) -> str | None:
    """Why no trial (of one `arm`) is complete: which trial failed why, or how its searches ended.

    None when there is a result.
    """
    arms = [entry for entry in report.arms.values() if arm in (None, entry.name)]
    searches = [search for entry in arms for search in entry.searches]
    if any(search.best for search in searches):
        return None
    counts = [entry.counts for entry in arms]
    complete, pruned, failed = (sum(count[state] for count in counts) for state in range(3))
    ended = f"none of {complete + pruned + failed} trials has a result ({pruned} pruned, {failed} failed)"
    failures = [failure for failure in report.failures if arm in (None, failure.arm)]
    if failures:
        return f"{ended}; {failures[0].trials[0]} failed: {short(failures[0].reason)}"
    if broke := broken(report, [entry.name for entry in arms]):
        return f"{ended}; {broke}"
    reasons = {
        f"{entry.name} with seed {search.seed} ended: {short(search.reason)}": None
        for entry in arms
        for search in entry.searches
        if search.reason
    }
    return "; ".join([ended, *list(reasons)[:1]])


def broken(report: CampaignReport, arms: Collection[str]) -> str:
    """How many trials of these arms broke which constraints; "" for none."""
    parts = []
    for one in report.constraints:
        count = sum(count for arm, count in one.broke.items() if arm in arms)
        parts += [f"{plural(count, 'trial')} broke {one.metric} {one.bounds}"] if count else []
    return ", ".join(parts)


def arms_without_result(report: CampaignReport) -> dict[str, str]:
    """The arms of a finished campaign that have no result in any search, and why, by name.

    None of those that a user or a limit of the campaign has ended.
    """
    if report.status != "finished" or report.reason:
        return {}
    found = {}
    for name, arm in report.arms.items():
        why = nothing_found(report, name)
        if why is not None and not any((one.reason or "").startswith(STOPPED) for one in arm.searches):
            found[name] = why
    return found
