"""A study whose names are resolved, once, into plug-ins with their options: what later rooms work with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from automl import plugins
from automl.config.holdings import held_by
from automl.config.study import Arm, Memory, Study
from automl.contracts import Config, Evaluator, Executor, Held, Json, PluginSpec, Pruner, Strategy
from automl.space import Space
from automl.spaces import find_space, load_space


@dataclass(frozen=True)
class ResolvedArm:
    """One arm with its plug-ins.

    `space_spec`: the space as plain JSON, as workers load it. `fixed`: the one configuration of an arm
    without a strategy (empty for a one-shot search). `evaluator_spec`: the evaluator as plain JSON.
    `held`: what its trials hold. `memory`: None where its strategy remembers nothing.
    """

    name: str
    space: Space | None
    space_spec: Json
    fixed: Config | None
    evaluator: Evaluator
    evaluator_spec: PluginSpec
    strategy: Strategy | None
    strategy_spec: PluginSpec | None
    pruner: Pruner
    pruner_spec: PluginSpec
    is_reference: bool
    held: Held
    memory: Memory | None = None

    @property
    def named_evaluators(self) -> tuple[PluginSpec, ...]:
        """The evaluators that its strategy's proposals may name instead of the arm's own."""
        return self.strategy.evaluators if self.strategy else ()


@dataclass(frozen=True)
class ResolvedStudy:
    """A study with its plug-ins. `protocol`: the study's evaluator, which retrains derived configurations.

    `storage`: URL of where trials leave their files, once it is known where they run; None for the store.
    `rows`: for training, once the data are read, which took `reading` seconds; None without data. `all_rows`:
    of all parts.
    """

    study: Study
    protocol: Evaluator
    arms: Mapping[str, ResolvedArm]
    executor: Executor
    storage: str | None = None
    rows: int | None = None
    all_rows: int = 0
    reading: float = 0.0

    @property
    def simulated(self) -> bool:
        """Whether every arm looks its values up: then the clock is simulated."""
        return all(arm.evaluator.simulated for arm in self.arms.values())


def resolve(study: Study) -> ResolvedStudy:
    """The plug-ins of `study`. Raises `UserError` for a name or options that are not known here."""
    executor = plugins.build("executors", study.executor)
    return with_executor(
        ResolvedStudy(
            study=study,
            protocol=plugins.build("evaluators", study.evaluator),
            arms={name: _arm(study, name, arm, executor) for name, arm in study.arms.items()},
            executor=executor,
        ),
        executor,
    )


def with_executor(resolved: ResolvedStudy, executor: Executor) -> ResolvedStudy:
    """The same with the executor that serves it."""
    executor.serve([arm.held for arm in resolved.arms.values()])
    return replace(resolved, executor=executor)


def _arm(study: Study, name: str, arm: Arm, executor: Executor) -> ResolvedArm:
    space, space_spec, fixed = _space(study, arm)
    evaluator = arm.evaluator or study.evaluator
    strategy = plugins.build("strategies", arm.strategy) if arm.strategy else None
    memory = arm.memory or study.memory
    remembers = strategy is not None and strategy.remembers != "nothing"
    return ResolvedArm(
        name=name,
        space=space,
        space_spec=space_spec,
        fixed=fixed,
        evaluator=plugins.build("evaluators", evaluator),
        evaluator_spec=evaluator,
        strategy=strategy,
        strategy_spec=arm.strategy,
        pruner=plugins.build("pruners", arm.pruner),
        pruner_spec=arm.pruner,
        is_reference=arm.reference is not None,
        held=held_by(arm, executor),
        memory=memory if remembers and memory is not None and memory.source != [] else None,
    )


def _space(study: Study, arm: Arm) -> tuple[Space | None, Json, Config | None]:
    """The space of an arm, the same as plain JSON, and its one configuration when it has no strategy."""
    if arm.reference is not None:
        space = find_space(arm.reference)
        return space, {"name": arm.reference}, space.default_config()
    spec = arm.space or study.space
    fixed: Config | None = None if arm.strategy else {}
    if spec is None:
        return None, {}, fixed
    plain = spec.model_dump(mode="json")
    return load_space(plain), plain, fixed
