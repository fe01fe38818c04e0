"""Studies of tabular benchmarks: where their file is, what they need not write, and what must fit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from automl import plugins
from automl.benchmarks import load_table
from automl.config.checks import trait
from automl.config.document import KeyPath, Mistake
from automl.config.shorthands import Draft
from automl.contracts import Metric, PluginSpec, TaskOutline, UserError
from automl.space import Space

RETRAINED = 3  # fresh-seed values of each winner


def complete(draft: Draft, folder: Path, written: dict[str, Any]) -> None:
    """Fill in what a study of a benchmark file leaves out: space, `record` and `final`.

    A file beside the study becomes absolute; one below AUTOML_DATA keeps its name, which other
    machines may find elsewhere.
    """
    for use in draft.plugins:
        if use.kind == "evaluators" and _simulated(use.name) and isinstance(use.options.get("file"), str):
            use.options["file"] = _located(use.options["file"], folder)
    space = draft.data.get("space")
    if isinstance(space, dict) and str(space.get("name")).endswith(plugins.TABLE):
        space["name"] = _located(space["name"], folder)
    evaluator = draft.data.get("evaluator")
    if not isinstance(evaluator, dict) or not _simulated(evaluator.get("name")):
        return
    options = evaluator.get("options")
    draft.data.setdefault("record", "searches")
    if "final" not in written and isinstance(options, dict) and options.get("fresh"):
        draft.data["final"] = {"seeds": RETRAINED}
    if space is None and isinstance(options, dict) and isinstance(options.get("file"), str):
        draft.data["space"] = {"name": options["file"]}
        try:
            draft.data["space"]["name"] = load_table(options["file"]).space_name or options["file"]
        except UserError as error:
            draft.refuse(("evaluator", "options", "file"), str(error))
            draft.broken.add(("space",))


def check(evaluator: PluginSpec, space: Space, metrics: list[Metric], path: KeyPath) -> Iterator[Mistake]:
    """Columns that are not in the file or are unusable, and a space that the file does not cover."""
    outline = TaskOutline(tuple(metrics), has_data=False)
    for option, text in plugins.build("evaluators", evaluator).mistakes(space, outline):
        yield Mistake((*path, "options", option) if option else path, text)


def check_finals(study_final: int, evaluator: PluginSpec) -> Iterator[Mistake]:
    """Winners need a column of fresh-seed values."""
    if study_final and _simulated(evaluator.name) and not evaluator.options.get("fresh"):
        text = f"the evaluator {evaluator.name} needs the option fresh for it, but got seeds={study_final}"
        yield Mistake(("final", "seeds"), f"{text}; name a column, or write final: {{seeds: 0}}")


def _located(name: str, folder: Path) -> str:
    for base in (folder, Path.cwd()):
        if (base / name).is_file():
            return str((base / name).resolve())
    return name


def _simulated(name: Any) -> bool:
    return isinstance(name, str) and bool(trait(PluginSpec(name), "simulated"))
