"""What the trials of arms hold, and whether their executor can give it and their evaluators use it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from automl import plugins
from automl.config.checks import evaluator_class
from automl.config.document import KeyPath, Mistake, one_line
from automl.config.study import Arm
from automl.contracts import Executor, Held, PluginSpec, UserError


def held_by(arm: Arm, executor: Executor) -> Held:
    """What a trial of an arm holds. Raises `UserError` when the executor cannot give it that."""
    if arm.cpus is None and arm.gpus is None:
        return executor.held
    return executor.held_by(arm.cpus, arm.gpus)


def check_holdings(
    spec: PluginSpec | None,
    arms: Mapping[str, Arm | None],
    evaluator: PluginSpec | None,
    unusable: Collection[KeyPath],
) -> Iterator[Mistake]:
    """What trials hold: by the executor `spec`, and by the arms that ask for something else.

    `evaluator`: the study's. What is `unusable` is another mistake.
    """
    if spec is None or ("executor",) in unusable:
        return
    executor, common = plugins.build("executors", spec), f"executor.{spec.name}"
    if evaluator is not None and ("evaluator",) not in unusable:
        yield from _check_ranks(executor.held, common, evaluator, ("evaluator",))
    found: dict[str, Held] = {}
    for name, arm in arms.items():
        where: KeyPath = ("arms", name)
        if arm is None or ("arms", name, "evaluator") in unusable:
            continue
        try:
            found[name] = held_by(arm, executor)
        except UserError as error:
            yield Mistake(where, one_line(error))
            continue
        giver = common if found[name] == executor.held else f"arms.{name}"
        if arm.evaluator is not None:
            yield from _check_ranks(found[name], giver, arm.evaluator, (*where, "evaluator"))
        elif evaluator is not None and found[name] != executor.held:
            yield from _check_ranks(found[name], giver, evaluator, where)
    yield from _check_kinds(found, spec.name)


def _check_kinds(found: Mapping[str, Held], executor: str) -> Iterator[Mistake]:
    with_gpus = [name for name, held in found.items() if held.gpus]
    without = [name for name in found if name not in with_gpus]
    if with_gpus and without:
        text = f"all arms must hold GPUs, or none, since one budget holds for all, but {', '.join(with_gpus)}"
        text = f"{text} hold some and {', '.join(without)} none; set executor.{executor}.gpus, for instance"
        yield Mistake(("arms",), text)


def _check_ranks(held: Held, giver: str, evaluator: PluginSpec, path: KeyPath) -> Iterator[Mistake]:
    """Whether the trials of an evaluator can use all devices that they hold."""
    if evaluator_class(evaluator) is None:
        return
    most = plugins.build("evaluators", evaluator).most_ranks()
    if most is not None and held.ranks > most:
        text = f"at most {most} {'rank' if most == 1 else 'ranks'} can train a trial of {evaluator.name}"
        text = f"{text} together, but {giver} gives it {held.ranks}, by default one for each GPU"
        yield Mistake(
            path, f"{text}; lower its gpus or ranks" + ("" if most == 1 else ", or raise the batch")
        )
