"""Studies of tabular benchmarks: where their file is, what they need not write, and what must fit."""

from __future__ import annotations

from pathlib import Path

from automl.benchmarks import load_table
from automl.config.checks import evaluator_class
from automl.config.shorthand_draft import Draft
from automl.contracts import Json, PluginSpec, UserError
from automl.spaces import is_table

RETRAINED = 3  # fresh-seed values of each winner


def complete(draft: Draft, folder: Path, written: Json) -> None:
    """Fill in what a study of a benchmark file leaves out: space, `record` and `final`.

    A file beside the study becomes absolute; one below AUTOML_DATA keeps its name, which other
    machines may find elsewhere.
    """
    for use in draft.plugins:
        if use.kind == "evaluators" and _simulated(use.name) and isinstance(use.options.get("file"), str):
            use.options["file"] = _located(use.options["file"], folder)
    space = draft.data.get("space")
    if isinstance(space, dict) and is_table(str(space.get("name"))):
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


def _located(name: str, folder: Path) -> str:
    for base in (folder, Path.cwd()):
        if (base / name).is_file():
            return str((base / name).resolve())
    return name


def _simulated(name: object) -> bool:
    plugin = evaluator_class(PluginSpec(name)) if isinstance(name, str) else None
    return plugin is not None and plugin.simulated
