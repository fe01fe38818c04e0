"""Three layouts of a benchmark's configurations: ours, that of NAS-Bench-201 and that of HPOBench.

- Ours: `parameters` (p,) names, `options` (p,) JSON lists, `config` (n, p) integers; in row i parameter j is
  `options[j][config[i, j]]`.
- HPOBench: `config` likewise; names and options are those of `search_space.json` beside the file, in order.
- NAS-Bench-201: `arch_str` (n,), or `op_index` (n, 6) into `ops`: operations of the edges into nodes 1, 2, 3.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from automl.benchmarks.files import array_names, read_array
from automl.contracts import Scalar, UserError

SPACE_FILE = "search_space.json"
EDGES = tuple(f"edge_{source}_{target}" for target in (1, 2, 3) for source in range(target))
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
_CELL = re.compile(r"\|(\w+)~0\|\+\|(\w+)~0\|(\w+)~1\|\+\|(\w+)~0\|(\w+)~1\|(\w+)~2\|")


class Layout(NamedTuple):
    """Options of each parameter, and of each row the places of its options, (n, p) int.

    `arrays` describe configurations and are no columns. `space` names the shipped space, if there is one.
    """

    options: dict[str, tuple[Scalar, ...]]
    config: np.ndarray
    arrays: frozenset[str]
    space: str | None = None


def read_layout(path: Path) -> Layout:
    """The configurations of a benchmark file. Raises `UserError` when they are none of the layouts."""
    names = set(array_names(path))
    if {"arch_str", "op_index"} & names:
        return _cells(path, names)
    if {"parameters", "options", "config"} <= names:
        parameters = [str(name) for name in read_array(path, "parameters").reshape(-1)]
        texts = [str(text) for text in read_array(path, "options").reshape(-1)]
        spelled = dict(zip(parameters, texts, strict=False))
        if len(spelled) < len(parameters) or len(texts) != len(parameters):
            raise _wrong(path, f"parameters must differ and have options each, but got {parameters}, {texts}")
        options = {name: _options(path, name, text) for name, text in spelled.items()}
    elif "config" in names and (path.parent / SPACE_FILE).is_file():
        options = _hpobench_options(path)
    else:
        raise _wrong(
            path,
            f"its arrays must say which configurations it holds, but got {sorted(names)}; give it "
            "parameters, options and config (see the README)",
        )
    return Layout(options, _places(path, options), frozenset({"parameters", "options", "config"}))


def _hpobench_options(path: Path) -> dict[str, tuple[Scalar, ...]]:
    file = path.parent / SPACE_FILE
    try:
        data: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _wrong(path, f"{file} must be JSON, but reading it raised {error}; get it again") from error
    if not isinstance(data, dict):
        raise _wrong(path, f"{file} must map parameters to lists of values; get it again")
    return {name: _options(path, name, json.dumps(values)) for name, values in data.items()}


def _options(path: Path, name: str, text: str) -> tuple[Scalar, ...]:
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    plain = isinstance(values, list) and all(isinstance(v, str | int | float | None) for v in values)
    if not plain or not values or len({json.dumps(value) for value in values}) < len(values):
        raise _wrong(path, f"options of {name} must be a JSON list of different plain values, not {text!r}")
    return tuple(values)


def _places(path: Path, options: dict[str, tuple[Scalar, ...]]) -> np.ndarray:
    config = read_array(path, "config")
    if (
        config.ndim != 2
        or config.shape[1] != len(options)
        or not len(config)
        or config.dtype.kind not in "iu"
    ):
        raise _wrong(
            path,
            f"config must be integers with a column for each of {list(options)}, but is {config.dtype} of "
            f"shape {config.shape}",
        )
    sizes = np.array([len(values) for values in options.values()])
    if (config < 0).any() or (config >= sizes).any():
        raise _wrong(path, "config must index the options of its parameters, but points outside of them")
    return config


def _cells(path: Path, names: set[str]) -> Layout:
    indexed = _indexed_cells(path) if {"op_index", "ops"} <= names else None
    spelled = _spelled_cells(path) if "arch_str" in names else None
    config = indexed if spelled is None else spelled
    if config is None:
        raise _wrong(path, "op_index needs the array ops, which names the operations")
    if indexed is not None and not np.array_equal(indexed, config):
        raise _wrong(path, "arch_str and op_index must name the same cells, but they differ")
    options: dict[str, tuple[Scalar, ...]] = dict.fromkeys(EDGES, OPERATIONS)
    return Layout(options, config, frozenset({"arch_str", "op_index", "ops"}), "nasbench201")


def _indexed_cells(path: Path) -> np.ndarray:
    ops = [str(name) for name in read_array(path, "ops").reshape(-1)]
    index = read_array(path, "op_index")
    if index.ndim != 2 or index.shape[1] != len(EDGES) or index.dtype.kind not in "iu":
        raise _wrong(path, f"op_index must be (n, {len(EDGES)}) integers, but is {index.dtype} {index.shape}")
    if not set(ops) <= set(OPERATIONS) or (index < 0).any() or (index >= len(ops)).any():
        raise _wrong(path, f"op_index must point into ops, some of {', '.join(OPERATIONS)}; got {ops}")
    places: np.ndarray = np.array([OPERATIONS.index(name) for name in ops])[index]
    return places


def _spelled_cells(path: Path) -> np.ndarray:
    cells = []
    for text in read_array(path, "arch_str").reshape(-1).tolist():
        match = _CELL.fullmatch(str(text))
        if match is None or not set(match.groups()) <= set(OPERATIONS):
            raise _wrong(
                path, f"arch_str must read |op~0|+|op~0|op~1|+|op~0|op~1|op~2|, but one is {str(text)!r}"
            )
        cells.append([OPERATIONS.index(name) for name in match.groups()])
    return np.array(cells, dtype=int).reshape(-1, len(EDGES))


def _wrong(path: Path, what: str) -> UserError:
    return UserError(f"{path}: {what}")
