"""One arm as the report shows it: what it is, and its searches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from automl.contracts import PluginSpec
from automl.report.searches import SearchReport
from automl.report.settings import StudySettings


@dataclass(frozen=True)
class ArmInfo:
    """The names of an arm's plug-ins. `kind`: `strategy`, `reference`, or a one-shot search's evaluator.

    `shared`: it proposes configurations of the study's own space to the study's own evaluator.
    """

    strategy: str | None
    pruner: str | None
    evaluator: str | None
    reference: str | None
    kind: str | None
    shared: bool


@dataclass(frozen=True)
class ArmReport:
    """An arm with its searches in the order of their seeds. `prunes`: it may end trials early."""

    name: str
    info: ArmInfo
    prunes: bool
    searches: tuple[SearchReport, ...]

    @property
    def counts(self) -> tuple[int, int, int]:
        """Complete, pruned and failed trials of all searches."""
        trials = [search.trials for search in self.searches]
        return (
            sum(count.complete for count in trials),
            sum(count.pruned for count in trials),
            sum(count.failed for count in trials),
        )

    @property
    def device_seconds(self) -> float | None:
        """The mean cost of a search."""
        return fmean(search.device_seconds for search in self.searches) if self.searches else None

    @property
    def description(self) -> str:
        """What the arm is, where its name does not say so."""
        info = self.info
        if info.reference:
            return "hand-designed" if info.reference == self.name else f"hand-designed: {info.reference}"
        parts = [info.strategy or info.evaluator, info.pruner if self.prunes else None]
        return " + ".join(part for part in parts if part and part != self.name)


def arm_report(study: StudySettings, name: str, searches: Sequence[SearchReport]) -> ArmReport:
    """The report of the arm `name`."""
    return ArmReport(name, _info(study, name), study.arm(name).prunes, tuple(searches))


def arm_order(study: StudySettings, started: Iterable[str]) -> list[str]:
    """Arms in the order of the study; then any other that has a search."""
    return list(dict.fromkeys([*study.arms, *started]))


def _info(study: StudySettings, name: str) -> ArmInfo:
    arm = study.arm(name)
    evaluators = (None, _without_rungs(study.evaluator))
    shared = not arm.reference and arm.space in (None, study.space)
    return ArmInfo(
        strategy=arm.strategy.name if arm.strategy else None,
        pruner=arm.pruner.name if arm.pruner else None,
        evaluator=arm.evaluator.name if arm.evaluator else None,
        reference=arm.reference,
        kind=_kind(study, name),
        shared=shared and (_without_rungs(arm.evaluator) in evaluators),
    )


def _kind(study: StudySettings, name: str) -> str | None:
    arm = study.arm(name)
    if arm.reference or arm.strategy:
        return "reference" if arm.reference else "strategy"
    return arm.evaluator.name if arm.evaluator else None


def _without_rungs(evaluator: PluginSpec | None) -> PluginSpec | None:
    """An evaluator without the option `rungs`, which an arm's pruner brings with it."""
    if evaluator is None:
        return None
    options = {key: value for key, value in evaluator.options.items() if key != "rungs"}
    return replace(evaluator, options=options)
