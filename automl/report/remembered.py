"""What a campaign remembers of earlier ones, what that had cost, and what it gave against the twin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from automl.contracts import ArmMemory, CampaignMemory, MemorySource, Metric
from automl.report.arms import ArmReport
from automl.report.comparison import ArmComparison
from automl.report.judging import compare
from automl.report.verdicts import ArmVerdict, arm_verdict
from automl.report.wording import Units, plural, seconds

TITLE: Final = "Remembered from earlier campaigns:"
ABOUT: Final = (
    "first proposals are evaluated and paid like any other trial; a history is seen by the strategy alone "
    "and is part of no result; what earlier campaigns had cost is in no budget of this one"
)
TWIN: Final = "-without-memory"  # ends the name of the arm that is the same one without memory
_REASONS: Final = 5  # that are told of what was converted or dropped


@dataclass(frozen=True)
class RememberedReport:
    """`memory` as it was fixed when the campaign began; `gains`: each arm that has a twin, against it."""

    memory: CampaignMemory
    gains: tuple[ArmVerdict, ...]


def remembered(
    memory: CampaignMemory | None, arms: Mapping[str, ArmReport], comparison: ArmComparison, metric: Metric
) -> RememberedReport | None:
    """What a campaign remembers and what that gave; None for one without a memory."""
    if memory is None:
        return None
    level = comparison.compared
    values = {
        name: {search.seed: search.value(level) for search in arm.searches} for name, arm in arms.items()
    }
    known = [value for by_seed in values.values() for value in by_seed.values() if value is not None]
    units = Units.of(metric.name, known)
    gains = []
    for arm in memory.arms:
        if arm in values and f"{arm}{TWIN}" in values:
            pair = {name: values[name] for name in (arm, f"{arm}{TWIN}")}
            for verdict in compare(pair, f"{arm}{TWIN}", metric.direction):
                gains.append(arm_verdict(verdict, level, metric.direction, units))
    return RememberedReport(memory, tuple(gains))


def lines(report: RememberedReport | None) -> list[str]:
    """What is remembered, and what it gave, a sentence each."""
    if report is None:
        return []
    return [*memory_lines(report.memory), *(f"what memory gave: {gain.sentence}" for gain in report.gains)]


def memory_lines(memory: CampaignMemory) -> list[str]:
    """A few sentences about what each arm remembers; arms with one memory together."""
    found = []
    for place, plan in enumerate(memory.plans):
        arms = ", ".join(arm for arm, own in memory.arms.items() if own == place)
        takers = [arm for arm in memory.history if memory.arms[arm] == place]
        found += [f"{arms}: {text}" for text in _plan(plan, takers)]
    return found


def _plan(plan: ArmMemory, takers: Sequence[str]) -> Iterator[str]:
    if plan.first:
        told = "; ".join(map(_source, plan.sources))
        trials = plural(len(plan.trials), "trial")
        history = f", {trials} as history of {', '.join(takers)}" if plan.trials else ""
        yield f"remembers {told}: {plural(len(plan.first), 'first proposal')}{history}"
    else:
        yield "remembers nothing: no earlier campaign has a configuration for it"
    if plan.converted:
        yield f"changed to fit the space (proposed only): {_counts(plan.converted)}"
    if plan.dropped:
        yield f"left out: {_counts(plan.dropped)}"
    if plan.left_out:
        yield f"{plural(plan.left_out, 'trial')} beyond the largest history left out, evenly over the ranks"
    if plan.passed_over:
        yield f"passed over: {'; '.join(plan.passed_over)}"


def _source(source: MemorySource) -> str:
    if source.distance is None:
        about = "no data"
    elif source.distance == 0:
        about = "the same data"
    else:
        about = f"{source.data} at a distance of {max(source.distance, 0.001):.3f}"
    values = "" if source.comparable else ", values shifted to be compared"
    cost = seconds(source.device_seconds)
    return f"{source.campaign} ({about}{values}; {plural(source.trials, 'configuration')}, had cost {cost})"


def _counts(reasons: Mapping[str, int]) -> str:
    ordered = sorted(reasons.items(), key=lambda pair: -pair[1])
    shown = [f"{count} because {reason}" for reason, count in ordered[:_REASONS]]
    rest = sum(count for _, count in ordered[_REASONS:])
    return "; ".join([*shown, *([f"{rest} for other reasons"] if rest else [])])


def section(report: RememberedReport | None) -> str:
    """The HTML list; empty without a memory."""
    shown = lines(report)
    if not shown:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in shown)
    return f'<h2>Remembered from earlier campaigns</h2>\n<ul>{items}</ul>\n<p class="soft">{ABOUT}.</p>'
