"""Reads a study file, writes out its shorthands and checks all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from automl import importing, origins, plugins
from automl.config import checks, completion, fitting, memories, shadows, tabular, validation, yamlfile
from automl.config.amounts import Budget, Limits
from automl.config.constraining import bounds_of, check_constraints, check_measured
from automl.config.defaults import EXECUTOR
from automl.config.document import Document, KeyPath, Mistake, shown
from automl.config.holdings import check_holdings
from automl.config.promotion import Promote, check_promote
from automl.config.pruner_steps import with_rungs
from automl.config.schedule import Schedule
from automl.config.shorthand_draft import Draft
from automl.config.shorthands import expand
from automl.config.study import HIDDEN, Arm, Final, Memory, SpaceSpec, Study
from automl.config.transfers import check_trained, check_transfers
from automl.contracts import Json, Options, PluginSpec, SplitSpec, TaskOutline, TaskSpec, UserError
from automl.metrics import DIRECTIONS
from automl.space import Space

_P = TypeVar("_P", bound=Options)
_NAMES = {name: direction.value for name, direction in DIRECTIONS.items()}


def load_study(path: str | Path, overrides: Sequence[str] = (), *, trust: bool = False) -> Study:
    """The study of a YAML file, after `overrides` like `budget.trials=20`.

    Its folder becomes importable; evaluators are told their pruner's rungs. Raises one `UserError` with
    all mistakes, a line each: `file:line: key: rule, but got value; what to do`. `trust`: import code that
    it names wherever that is.
    """
    document = yamlfile.read(Path(path))
    for assignment in overrides:
        yamlfile.override(document, assignment)
    return study_of(document, Path(path).resolve().parent, trust=trust)


def study_of(document: Document, folder: Path, *, trust: bool = False) -> Study:
    """The study of a document, read or built, whose code and files are in `folder`; see `load_study`."""
    if not isinstance(document.data, dict):
        text = f"must be a mapping of keys, but got {shown(document.data)}; see studies/quickstart.yaml"
        raise document.error([*document.mistakes, Mistake((), text)])
    shadows.check_loaded(folder)
    importing.put_last(str(folder))
    draft = expand(document.data, _NAMES)
    if not trust and (foreign := list(_foreign(draft, folder))):  # before anything is imported
        raise document.error(foreign)
    tabular.complete(draft, folder, document.data)
    completion.complete(draft)
    check = _Check(draft, folder)
    mistakes = [*document.mistakes, *check.mistakes()]
    if mistakes:
        raise document.error(mistakes)
    seeds = draft.data.get("seeds", Study.model_fields["seeds"].default)
    hidden = {"source": str(folder), "looks": {"first": len(seeds), **draft.looks}}
    return with_rungs(Study.from_json({**draft.data, **hidden}))


def recorded_study(spec: Json, *, trust: bool = False) -> Study:
    """The study of a campaign, as it was recorded. Its folder becomes importable, as for `load_study`.

    Raises `UserError` when this version cannot read it, or when it names code elsewhere, unless `trust`.
    """
    try:
        study = Study.from_json(spec)
    except ValidationError as error:
        text = (
            f"{error.error_count()} of its values are not known to this version: {error.errors()[0]['msg']}"
        )
        raise UserError(f"a recorded study must be a whole one, but {text}; run its file") from error
    folder = Path(study.source)
    shadows.check_loaded(folder)
    importing.put_last(str(folder))
    for path, reference in () if trust else origins.references(spec):
        refusal = origins.refusal(reference, [folder])
        if refusal is not None:
            key = ".".join(map(str, path))
            raise UserError(f"{key}: {refusal}; look at that code, then add --trust")
    return study


def _foreign(draft: Draft, folder: Path) -> Iterator[Mistake]:
    """Code that the study names outside of the places that it may name."""
    for path, reference in origins.references(draft.data):
        text = origins.refusal(reference, [folder])
        if text is not None:
            text = f"{text}; look at that code, then add --trust, or its folder to {plugins.FOLDERS}"
            yield Mistake(draft.written(path), text)


class _Check:
    """One look over a written-out study; parts that are wrong by themselves are left out of later rules."""

    def __init__(self, draft: Draft, folder: Path) -> None:
        self.draft, self.folder = draft, folder
        self.wrong = set(draft.broken)
        self.unusable: set[KeyPath] = set()  # plug-ins that are unknown or have wrong options
        self.spaces: dict[KeyPath, Space | None] = {}

    def mistakes(self) -> Iterator[Mistake]:
        """All mistakes, at the paths of the file."""
        draft = self.draft
        yield from draft.mistakes
        for hidden in HIDDEN:
            if hidden in draft.data:
                yield Mistake((hidden,), validation.unknown_key(hidden, Study))
        for found in validation.check(Study, draft.data):
            if not any(found.path[: len(broken)] == broken for broken in draft.broken):
                yield Mistake(draft.written(found.path), found.text)
            self.wrong.add(found.path)
        for path, text in shadows.check(draft.data, self.folder):
            yield Mistake(draft.written(path), text)
        for path, text in self._plugins():
            yield Mistake(draft.written(path), text)
        for path, text in self._rules():
            yield Mistake(draft.written(path), text)

    def _plugins(self) -> Iterator[Mistake]:
        for use in self.draft.plugins:
            found = list(fitting.check_plugin(use))
            self.unusable |= {use.path} if found else set()
            yield from found

    def _rules(self) -> Iterator[Mistake]:
        evaluator = self._plugin("evaluator")
        misplaced = list(fitting.check_protocol(evaluator)) if evaluator else []
        yield from misplaced
        evaluator = None if misplaced else evaluator
        yield from self._dataset()
        task = self._part(TaskSpec, "task")
        final = self._part(Final, "final")
        split = self._part(SplitSpec, "task", "split")
        budget = self._part(Budget, "budget")
        schedule = self._part(Schedule, "schedule")
        if task is not None:
            yield from checks.check_task(task, evaluator, _NAMES)
            yield from fitting.check_episodes(evaluator, task.outline(), ("evaluator",)) if evaluator else ()
            if final is not None:
                yield from checks.check_final(final, task, evaluator)
                yield from fitting.check_finals(final.seeds, evaluator) if evaluator else ()
        yield from check_constraints(bounds_of(self.draft.data, self._part))
        if split is not None:
            yield from checks.check_split(split, task is not None and task.test is not None)
        if budget is not None:
            yield from checks.check_budget(budget, self._part(Limits, "limits"))
        if schedule is not None:
            yield from checks.check_schedule(schedule)
        promote = self._part(Promote, "promote")
        if promote is not None:
            arms = self.draft.data.get("arms")
            finals = None if final is None else final.seeds
            tested = checks.has_test_values(task, evaluator)
            yield from check_promote(promote, arms or (), task, finals, tested=tested)
        written = self.draft.data.get("transfer")
        if isinstance(written, list):
            good = [place for place in range(len(written)) if self._good("transfer", place)]
            yield from check_transfers(self.draft, good, self.folder, task, final)
        if self._good("seeds"):
            yield from checks.check_seeds(self.draft.data.get("seeds", []))
        yield from self._space("space")
        yield from self._arms(evaluator, task)

    def _dataset(self) -> Iterator[Mistake]:
        task = self.draft.data.get("task")
        if isinstance(task, dict) and isinstance(task.get("dataset"), str):
            place = ("task", "dataset")
            task["dataset"], found = checks.check_dataset(task["dataset"], self.folder, place)
            yield from found
        if isinstance(task, dict) and isinstance(task.get("test"), str):
            task["test"], found = checks.check_test(task["test"], self.folder)
            yield from found

    def _arms(self, evaluator: PluginSpec | None, task: TaskSpec | None) -> Iterator[Mistake]:
        arms = self.draft.data.get("arms")
        names = list(arms) if isinstance(arms, dict) else []
        found = {name: self._part(Arm, "arms", name) for name in names}
        memory = self._part(Memory, "memory")
        executor = self._plugin("executor") if "executor" in self.draft.data else EXECUTOR
        yield from check_holdings(executor, found, evaluator, self.unusable)
        yield from memories.check_use(memory, found.values())
        yield from check_trained(self.draft, evaluator, found)
        needs_space = any(arm is not None and arm.reference is None for arm in found.values())
        if needs_space and self.draft.data.get("space") is None:
            text = "must be given, but is missing; write the name of one (automl list spaces)"
            yield Mistake(("space",), text)
        for name, arm in found.items():
            if arm is None:
                continue
            where = ("arms", name)
            yield from fitting.check_arm(name, arm, len(task.metrics) if task else 1, where)
            yield from memories.check_memory(arm, memory, where)
            if arm.reference is not None:
                space, mistakes = checks.load_space(SpaceSpec(name=arm.reference), (*where, "reference"))
                yield from [Mistake((*where, "reference"), text) for _, text in mistakes]
            else:
                yield from self._space(*where, "space")
                space = self.spaces.get((*where, "space") if arm.space else ("space",))
            path = (*where, "strategy")
            if (
                space is not None
                and arm.strategy is not None
                and task is not None
                and path not in self.unusable
            ):
                yield from fitting.check_strategy(arm.strategy, space, task.metrics, path)
                if evaluator is not None:
                    yield from fitting.check_strategy_builder(arm.strategy, arm.evaluator or evaluator, path)
            if space is not None and evaluator is not None:
                yield from fitting.check_builders(space, arm.evaluator or evaluator, evaluator, where)
                place = (*where, "evaluator") if arm.evaluator else ("evaluator",)
                if task is not None:
                    yield from self._fitting(arm.evaluator or evaluator, space, task.outline(), place, where)

    def _space(self, *path: str) -> Iterator[Mistake]:
        spec = self._part(SpaceSpec, *path)
        if spec is not None:
            self.spaces[path], mistakes = checks.load_space(spec, path)
            yield from mistakes

    def _fitting(
        self, evaluator: PluginSpec, space: Space, task: TaskOutline, path: KeyPath, arm: KeyPath
    ) -> Iterator[Mistake]:
        if path not in self.unusable:
            yield from fitting.check_fit(evaluator, space, task, path, arm)
            yield from fitting.check_episodes(evaluator, task, path)
            yield from check_measured(bounds_of(self.draft.data, self._part), evaluator, task)

    def _plugin(self, key: str) -> PluginSpec | None:
        return PluginSpec(**self.draft.data[key]) if self._good(key) and key in self.draft.data else None

    def _part(self, model: type[_P], *path: str) -> _P | None:
        """The part of the study at `path`, or None when it is absent or wrong."""
        value = self.draft.data
        for key in path:
            if not isinstance(value, dict) or key not in value:
                return None
            value = value[key]
        return model.model_validate_json(json.dumps(value)) if self._good(*path) else None

    def _good(self, *path: str | int) -> bool:
        return not any(wrong[: len(path)] == path or path[: len(wrong)] == wrong for wrong in self.wrong)
