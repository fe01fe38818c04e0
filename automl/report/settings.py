"""The parts of a campaign's study that a report needs, read from the ledger's JSON into types.

A campaign may be older than its plug-ins: nothing here fails when a plug-in is not installed any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from automl import plugins
from automl.contracts import Bounds, Direction, Metric, PluginSpec, Pruner, RunError, UserError
from automl.report.looks import Plan


@dataclass(frozen=True)
class Budget:
    """What one search may use; None: any."""

    device_seconds: float | None
    trials: int | None
    wall_seconds: float | None


@dataclass(frozen=True)
class EpisodeSettings:
    """The fixed episodes of a few-shot study, and the other numbers of shots that the test has."""

    count: int | None
    more_shots: tuple[int, ...]


@dataclass(frozen=True)
class ArmSettings:
    """One arm. `evaluator` and `space` are None where the arm uses the study's."""

    strategy: PluginSpec | None = None
    pruner: PluginSpec | None = None
    evaluator: PluginSpec | None = None
    space: JsonValue = None
    reference: str | None = None

    @property
    def one_shot(self) -> bool:
        """Whether its evaluator searches by itself: such an arm has no strategy and no reference."""
        return self.evaluator is not None and self.strategy is None and not self.reference

    @property
    def prunes(self) -> bool:
        """Whether its pruner may end trials early."""
        if self.pruner is None:
            return False
        pruner = self.build_pruner()
        return pruner is None or pruner.prunes

    def build_pruner(self) -> Pruner | None:
        """The pruner's plug-in; None when the arm has none or the plug-in is not installed any more."""
        if self.pruner is None:
            return None
        try:
            return plugins.build("pruners", self.pruner)
        except UserError:
            return None


@dataclass(frozen=True)
class StudySettings:
    """A study. The first of `metrics` is the one that arms are compared by.

    `plan`: the looks at which verdicts are taken; campaigns of versions without such plans have had one.
    `equivalent`: arms that differ by no more are equivalent. `until_decided`: seeds are added until then.
    `top`: of so many best configurations each winner is selected. `retired`: arms that the file has dropped,
    which get no more searches. `transfer`: names of the other datasets that winners are trained on.
    `constraints`: bounds of metrics.
    """

    metrics: tuple[Metric, ...]
    dataset: str | None
    episodes: EpisodeSettings | None
    space: JsonValue
    evaluator: PluginSpec
    budget: Budget
    seeds: tuple[int, ...]
    arms: Mapping[str, ArmSettings]
    finals: int
    plan: Plan
    equivalent: float | None
    until_decided: bool
    retired: tuple[str, ...]
    top: int = 1
    refit: bool = False
    transfer: tuple[str, ...] = ()
    constraints: Mapping[str, Bounds] = field(default_factory=dict)

    @classmethod
    def from_json(cls, spec: Mapping[str, Any]) -> StudySettings:
        """The study that a row of the ledger holds as JSON. Raises `RunError` when it is not whole."""
        try:
            return cls._read(spec)
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                "the ledger is damaged: spec of a campaign must be a whole study, but has "
                f"{type(error).__name__} {error!s:.200}; restore a backup (mlflow/restore.sh)"
            ) from error

    @classmethod
    def _read(cls, spec: Mapping[str, Any]) -> StudySettings:
        task, budget = spec["task"], spec["budget"]
        if not task["metrics"]:
            raise ValueError("no metric")
        seeds = tuple(spec["seeds"])
        looks = spec.get("looks") or {"first": len(seeds), "last": len(seeds)}
        episodes = task.get("episodes")
        if episodes:
            episodes = EpisodeSettings(episodes.get("count"), tuple(episodes.get("more_shots") or ()))
        return cls(
            metrics=tuple(Metric(part["name"], Direction(part["direction"])) for part in task["metrics"]),
            dataset=task.get("dataset"),
            episodes=episodes or None,
            space=spec.get("space"),
            evaluator=PluginSpec(**spec["evaluator"]),
            budget=Budget(**{name: budget.get(name) for name in Budget.__dataclass_fields__}),
            seeds=seeds,
            arms={name: _arm(part) for name, part in spec["arms"].items()},
            finals=(spec.get("final") or {}).get("seeds", 0),
            plan=_plan(looks["first"], looks["last"]),
            equivalent=spec.get("equivalent"),
            until_decided=bool(looks.get("until_decided")),
            retired=tuple(spec.get("retired") or ()),
            top=(spec.get("final") or {}).get("top", 1),
            refit=(spec.get("final") or {}).get("refit", False),
            transfer=tuple(other["name"] for other in spec.get("transfer") or ()),
            constraints={name: Bounds(**one) for name, one in (spec.get("constraints") or {}).items()},
        )

    @property
    def cross_validates(self) -> bool:
        """Whether values of trials are means over folds; no for an evaluator that is not there any more."""
        try:
            return plugins.load("evaluators", self.evaluator.name).cross_validates
        except UserError:
            return False

    @property
    def space_name(self) -> str | None:
        """The name of the study's search space."""
        name = self.space.get("name") if isinstance(self.space, dict) else None
        return name if isinstance(name, str) else None

    def arm(self, name: str) -> ArmSettings:
        """An arm; an empty one for a name that the study does not list."""
        return self.arms.get(name, ArmSettings())

    def evaluator_of(self, arm: str) -> PluginSpec:
        """The evaluator of an arm: its own, else the study's."""
        return self.arm(arm).evaluator or self.evaluator


def option(evaluator: PluginSpec, name: str) -> JsonValue:
    """An option as the study writes it, else the plug-in's default; None without the plug-in."""
    if name in evaluator.options:
        written: JsonValue = evaluator.options[name]
        return written
    try:
        field = plugins.load("evaluators", evaluator.name).Options.model_fields.get(name)
    except UserError:
        return None
    default: JsonValue = field.default if field is not None and not field.is_required() else None
    return default


def _plan(first: int, last: int | None) -> Plan:
    """One seed gives no verdict, so a campaign that may grow is looked at from two on."""
    return Plan(first if first == last else max(2, first), last)


def _arm(part: Mapping[str, Any]) -> ArmSettings:
    specs = {key: PluginSpec(**part[key]) for key in ("strategy", "pruner", "evaluator") if part.get(key)}
    return ArmSettings(**specs, space=part.get("space"), reference=part.get("reference"))
