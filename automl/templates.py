"""Study files written for somebody's data or code, with every guess in them as a comment."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import numpy as np

from automl.contracts import Direction, Metric, TaskSpec, UserError
from automl.data.dataset import Dataset
from automl.data.parts import Parts, split_dataset
from automl.data.reading import read
from automl.data.reading.cells import is_table
from automl.data.reading.grid import nearest_first
from automl.data.reading.tables import find_target, table_columns

UNEVEN = 0.2  # share of the rarest class's rows in the commonest's below which accuracy says little
SPACE = "tabular"  # of pipelines for tables
NO_METRIC = [Metric("value", Direction.MAXIMIZE)]  # lets the data decide between classes and numbers


def template(source: str, target: str | None) -> str:
    """The text of a study file for `source`: a table, a folder of images, an .npz file or Python code.

    Code is `file.py` or `file.py:function`; it is read, not run. Raises `UserError` when there is nothing to
    write a study for.
    """
    file, _, function = source.partition(".py:") if ".py:" in source else (source, "", "")
    path = Path(f"{file}.py" if function else file)
    if not path.exists():
        raise UserError(f"automl init needs a file or folder, but there is none at {path}; correct the path")
    if path.suffix == ".py":
        return _function(path, function, target)
    return _data(path, target)


def _data(path: Path, target: str | None) -> str:
    guess = ""
    if is_table(path) and target is None:
        target, why = guessed_target(path)
        guess = f"  # a guess: {why}"
    task = TaskSpec(dataset=str(path), target=target, metrics=NO_METRIC)
    parts = split_dataset(read(path, task), path.name, task)
    metric, why = guessed_metric(parts)
    lines = [
        f"# Written by automl init for {path.name}. Check what is marked as a guess, then: automl check FILE",
        f"name: {slug(path.name)}",
        "task:",
        f"  dataset: {json.dumps(str(path))}",
    ]
    if target is not None:
        lines.append(f"  target: {json.dumps(target, ensure_ascii=False)}{guess}")
    lines.append(f"  metric: {metric}  # a guess: {why}")
    lines += [f"  # found: {note}" for note in parts.dataset.notes]
    lines.append(
        "  split: {validation: 0.2, test: 0.2, seed: 0}  # group: or time: where rows belong together"
    )
    return "\n".join([*lines, *_method(parts.dataset)]) + "\n"


def guessed_target(path: Path) -> tuple[str, str]:
    """The column to predict and why: by its name, or else the last one. Raises `UserError`."""
    names = table_columns(path)
    try:
        return find_target(None, names, path.name)[0], "by its name"
    except UserError:
        others = nearest_first("target", names[:-1], shown=10)
        return names[-1], f"the last column; the others are {others}"


def guessed_metric(parts: Parts) -> tuple[str, str]:
    """The metric that suits a target, and why."""
    if not parts.labels:
        return "r2", "the target holds numbers"
    sizes = np.bincount(parts.dataset.y)
    if sizes.min() < UNEVEN * sizes.max():
        return (
            "balanced_accuracy",
            f"{len(sizes)} classes of uneven size ({sizes.min()} to {sizes.max()} rows)",
        )
    return "accuracy", f"{len(sizes)} classes of like size"


def _method(dataset: Dataset) -> list[str]:
    if dataset.kind == "table":
        return [
            f"space: {SPACE}",
            "evaluator: {pipeline: {folds: 5}}",
            *_rest("{strategy: tpe, pruner: median}", "{seeds: 3}"),
        ]
    return [
        "space: nasbench201  # a guess: also darts, macro_mobile, mlp (automl list spaces)",
        "evaluator: {network: {epochs: 8, channels: 8, cells: 1}}  # small; larger ones learn more and "
        "cost more",
        *_rest("{strategy: tpe, pruner: asha}", "{seeds: 2}"),
    ]


def _rest(arm: str, final: str | None) -> list[str]:
    return [
        "budget: {device_seconds: 60}  # a guess: what each search may use",
        "seeds: 3",
        f"arms: {{tpe: {arm}}}  # random search is added at the same budget",
        "executor: local",
        *([f"final: {final}"] if final else []),
    ]


def _function(path: Path, function: str, target: str | None) -> str:
    if target is not None:
        raise UserError(f"--target names a column of a table, but {path.name} is Python code; leave it out")
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path} must be Python code, but {error}; correct it") from error
    chosen, guess = _objective(path, tree, function)
    spaces = [_assigned(node) for node in tree.body if _is_space(node)]
    if not spaces:
        raise UserError(
            f'a study needs a search space, but {path.name} has none; add one such as SPACE = Space({{"lr": '
            "Float(1e-4, 1e-1, log=True)}), with both from automl.space"
        )
    return "\n".join(
        [
            f"# Written by automl init for {path.name}. Check what is marked as a guess, then: automl "
            "check FILE",
            f"name: {slug(path.stem)}",
            "task: {metric: loss, direction: minimize}  # a guess: what the function returns",
            f'space: "{path.stem}:{spaces[-1]}"',
            f'evaluator: {{function: {{call: "{path.stem}:{chosen}"}}}}{guess}',
            "budget: {trials: 20}  # a guess: what each search may use",
            "seeds: 3",
            "arms: {tpe: {strategy: tpe}}  # random search is added at the same budget",
            "executor: local",
            "",
        ]
    )


def _objective(path: Path, tree: ast.Module, function: str) -> tuple[str, str]:
    """The objective's name and the comment on it."""
    objectives = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and len(node.args.args) in (1, 2)
        and not node.name.startswith("_")
    ]
    if function and function not in objectives:
        raise UserError(
            f"an objective must be a function of one or two arguments in {path.name}, but there is no "
            f"{function!r}; it has {', '.join(objectives) or 'none'}"
        )
    if not objectives:
        raise UserError(
            f"a study needs an objective, but {path.name} has no function of (config) or (config, context); "
            "add one"
        )
    guess = "" if function or len(objectives) == 1 else f"  # a guess: of {', '.join(objectives)}"
    return function or objectives[-1], guess


def _is_space(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(node.value, ast.Call):
        return False
    called = node.value.func
    name = (
        called.id
        if isinstance(called, ast.Name)
        else called.attr
        if isinstance(called, ast.Attribute)
        else ""
    )
    return name == "Space" and bool(_assigned(node))


def _assigned(node: ast.stmt) -> str:
    target = (
        node.targets[0]
        if isinstance(node, ast.Assign)
        else node.target
        if isinstance(node, ast.AnnAssign)
        else None
    )
    return target.id if isinstance(target, ast.Name) else ""


def slug(name: str) -> str:
    """A study's name for a file's: lower-case letters, digits and hyphens."""
    stem = re.sub(r"\.(csv|tsv|txt|npz)(\.gz)?$", "", name.lower())
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:50] or "study"
