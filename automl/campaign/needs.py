"""What the trials of a study need where they run: code and data that travel, and what must work there."""

from __future__ import annotations

from pathlib import Path

from automl.config import ResolvedStudy, Study
from automl.contracts import Luggage, Needs, PluginSpec, Task
from automl.data.sources import files
from automl.ledger import Store
from automl.origins import plugin_folders


def luggage_of(study: Study) -> Luggage:
    """The folder of a study, its data files, and the plug-in folders of this process."""
    named = [study.task.dataset, study.task.test, *(other.dataset for other in study.transfer)]
    data = [path for name in named for path in files(name, [study.source])]
    return Luggage(Path(study.source), tuple(data), tuple(plugin_folders()))


def needs_of(resolved: ResolvedStudy, task: Task | None, store: Store) -> Needs:
    """What every node must be able to do for the trials of a study. `task`: its data as read here."""
    study = resolved.study
    evaluators: dict[str, PluginSpec] = {}
    spaces = {}
    for arm in resolved.arms.values():
        for spec in (arm.evaluator_spec, *arm.named_evaluators):
            evaluators[repr(spec)] = spec
        if arm.space is not None:
            spaces[repr(arm.space_spec)] = arm.space_spec
    evaluators[repr(study.evaluator)] = study.evaluator
    return Needs(
        import_path=[study.source],
        evaluators=list(evaluators.values()),
        spaces=list(spaces.values()),
        task=None if task is None else study.task.model_dump(mode="json"),
        digest="" if task is None else task.digest,
        folder=str(store.folder / "work"),
        storage=resolved.storage,
        models=study.final.seeds > 0 and task is not None and not resolved.protocol.reruns_without_data,
    )
