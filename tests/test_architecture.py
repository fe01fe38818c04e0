"""Which room may import which, which room alone holds a library, and how long code may get.

A room is a package or a module directly under `automl`; `searchspaces` ships as `automl.searchspaces`.
An import inside a function counts like one at the top; one under `if TYPE_CHECKING` binds nothing at run
time and is free.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from patience import PATIENCE

from automl import plugins

ROOT = Path(__file__).parents[1]
FILES = sorted([*ROOT.glob("automl/**/*.py"), *ROOT.glob("searchspaces/**/*.py")])
MAX_LINES = 250
MAX_FUNCTION = 40

# Each room and the rooms it may import, besides itself. Nothing points upwards.
BASE = {"contracts", "moments"}
SPACE = BASE | {"space"}
WORKER = SPACE | {"plugins", "metrics", "checkpoints"}
ALLOWED: dict[str, set[str]] = {
    "contracts": set(),
    "space": BASE,
    "packaged": set(),
    "plugins": BASE | {"packaged"},
    "metrics": BASE,
    "checkpoints": BASE,
    "masking": set(),
    "importing": set(),
    "private": set(),
    "origins": BASE | {"packaged", "plugins"},
    "moments": set(),
    "beside": set(),
    "machine": set(),
    "collecting": set(),
    "signs": {"beside"},
    "provenance": BASE,
    "progress": BASE | {"masking"},
    "files": BASE | {"checkpoints", "masking"},
    "stopping": BASE,
    "selection": BASE,
    "benchmarks": SPACE | {"files"},
    "spaces": SPACE | {"plugins", "benchmarks"},
    "config": SPACE
    | {"files", "plugins", "metrics", "benchmarks", "spaces", "importing", "masking", "origins"},
    "forecast": BASE | {"plugins", "config", "spaces"},
    "ranks": BASE,
    "layers": SPACE | {"ranks"},
    "searchspaces": SPACE | {"layers"},
    "supernets": SPACE | {"ranks"},
    "proxies": BASE,
    "learners": BASE | {"ranks"},
    "data": BASE | {"plugins", "origins", "checkpoints", "metrics", "benchmarks", "files"},
    "fitting": BASE
    | {"config", "data", "ledger", "machine", "metrics", "plugins", "report", "tables", "templates"},
    "templates": BASE | {"data"},
    "identity": BASE | {"config", "plugins", "provenance"},
    "strategies": SPACE | {"plugins", "spaces", "importing"},
    "training": WORKER | {"layers", "ranks"},
    "oneshot": WORKER | {"ranks", "supernets", "training"},
    "metatraining": WORKER | {"data", "learners", "ranks", "training"},
    "tables": WORKER,
    "evaluators": WORKER
    | {"benchmarks", "data", "learners", "metatraining", "oneshot", "origins", "ranks", "supernets"}
    | {"tables", "training"},
    # strategies and stopping: a worker runs a replayed search from its first ask to its end
    "executors": WORKER
    | {"importing", "masking", "private", "ranks", "signs", "spaces", "selection", "strategies", "stopping"}
    | {"beside", "data", "files"},
    "ledger": BASE,
    "remembering": SPACE | {"config", "identity", "ledger", "plugins", "provenance"},
    "report": BASE | {"collecting", "ledger", "plugins", "selection", "strategies"},
    "comparing": BASE | {"export", "identity", "ledger", "masking", "report"},
    "recorder": SPACE
    | {"collecting", "files", "ledger", "masking", "private", "plugins", "provenance", "report"}
    | {"selection"},
    "storage": {"contracts", "ledger", "private", "recorder"},
    "watching": BASE | {"ledger", "masking", "progress", "report"},
    "notifying": BASE | {"beside", "config", "ledger", "masking", "recorder", "report"},
    "doctor": BASE | {"executors", "files", "ledger", "masking", "private", "provenance", "recorder"},
    "upkeep": BASE | {"config", "files", "ledger", "masking", "private", "recorder", "storage"},
    "export": WORKER
    | {
        "config",
        "data",
        "executors",
        "files",
        "importing",
        "ledger",
        "masking",
        "metatraining",
        "origins",
        "private",
        "provenance",
        "recorder",
        "report",
        "storage",
        "tables",
    },
    "explaining": BASE | {"data", "export", "ledger", "metrics", "report", "tables"},
    "promoting": BASE
    | {
        "config",
        "export",
        "files",
        "ledger",
        "masking",
        "notifying",
        "private",
        "recorder",
        "report",
        "upkeep",
    },
}
KNOW_ALL = {"campaign", "checking", "schedule", "api", "cli"}  # these may import anything below them
ABOVE = {
    "campaign": {"api", "checking", "schedule", "cli", "explaining", "export", "fitting", "promoting"},
    "checking": {"api", "campaign", "schedule", "cli", "explaining", "fitting", "promoting"},
    "schedule": {"api", "cli", "explaining", "export", "fitting"},
    "api": {"checking", "cli", "schedule"},
    "cli": set[str](),
}

# Libraries that one room alone holds, so that a change of theirs is a change there.
HELD = {
    "optuna": {"strategies"},
    "cmaes": {"strategies"},
    "ray": {"executors"},
    "mlflow": {"recorder"},
    "sqlalchemy": {"data", "ledger", "recorder", "schedule"},  # data/reading/database.py: a user's own tables
    "alembic": {"ledger", "recorder"},
    "typer": {"cli"},
    "cronsim": {"schedule", "config"},
    "plotly": {"report"},
    "apprise": {"notifying"},
    "pyarrow": {"data", "files"},  # data/reading/formats.py: Parquet and Feather, some rows at a time
    "torch": {
        "checking",
        "data",  # episodes.py: tasks are drawn straight into tensors
        "evaluators",
        "layers",
        "learners",
        "metatraining",
        "oneshot",
        "training",
        "proxies",
        "ranks",
        "supernets",
        "searchspaces",
        "checkpoints",
        "executors",
        "export",
    },
}
HEAVY = {
    "torch",
    "ray",
    "mlflow",
    "optuna",
    "pandas",
    "sklearn",
    "scipy",
    "plotly",
    "matplotlib",
    "sqlalchemy",
    "pyarrow",
    "openpyxl",
}
BORDERS = {  # where attributes of other libraries' objects are asked for, and which
    "automl/plugins.py": "PLUGIN of a module, and the parts of package.module:name",
    "automl/config/yamlfile.py": "PyYAML: a loader in C where there is one, anchors and tags of events",
    "automl/executors/process.py": "ctypes: mallopt, which only glibc has",
    "automl/ledger/errors.py": "sqlstate of a database driver's error",
    "automl/metrics.py": "numbers of NumPy and torch",
    "automl/data/dataset.py": "dtype, in a message about whatever a user's function returned",
    "automl/tables/few_models.py": "scikit-learn: whether a fitted classifier gives probabilities",
    "automl/tables/model.py": "scikit-learn: whether a fitted classifier gives probabilities",
    "automl/report/plain.py": "fields of dataclasses",
}
UNPICKLING = {
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "joblib.load",
    "cloudpickle.load",
    "pandas.read_pickle",
}


class Import(NamedTuple):
    module: str  # dotted; for `from a import b` also `a.b`
    line: int


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    parts = parts if parts[0] == "automl" else ["automl", *parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str | None:
    """The room of a module of ours, None for the package itself and for what is not ours."""
    parts = module.split(".")
    return parts[1] if parts[0] == "automl" and len(parts) > 1 else None


def imports(path: Path) -> Iterator[Import]:
    """What `path` imports at run time, wherever in the file it does."""
    pending: list[ast.AST] = [tree(path)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend(node.orelse)
            continue
        pending.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}:{node.lineno}: imports name their module in full"
            assert node.module is not None
            if node.module != "automl":
                yield Import(node.module, node.lineno)
            yield from (Import(f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def files_of(path: Path, modules: set[str]) -> set[str]:
    """The modules whose files `path` needs: `from package import module` needs that module's alone."""
    needed = {found.module for found in imports(path)} & modules
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and all(f"{node.module}.{a.name}" in modules for a in node.names):
            needed.discard(str(node.module))
    return needed


def test_every_import_keeps_to_the_rooms() -> None:
    wrong = set()
    for path in FILES:
        own = room(module_name(path))
        if own is None:
            continue
        for module, line in imports(path):
            other = room(module)
            if other in (None, own):
                continue
            forbidden = other in ABOVE[own] if own in KNOW_ALL else other not in ALLOWED.get(own, set())
            if forbidden:
                wrong.add(f"{name(path)}:{line}: {own} must not import {other}")
    assert not wrong, "\n".join(sorted(wrong))


def test_every_room_has_a_rule() -> None:
    rooms = {room(module_name(path)) for path in FILES} - {None, "searchspaces"}
    assert rooms <= set(ALLOWED) | KNOW_ALL


def test_no_files_import_in_a_circle() -> None:
    modules = {module_name(path): path for path in FILES}
    edges = {module: files_of(path, set(modules)) - {module} for module, path in modules.items()}
    while free := {module for module, others in edges.items() if not others & edges.keys()}:
        edges = {module: others for module, others in edges.items() if module not in free}
    assert not edges, f"in circles, or above one: {sorted(edges)}"


def test_nothing_is_asked_by_the_name_of_an_attribute() -> None:
    """A contract has its attributes written down: `getattr` and `hasattr` are for libraries alone."""
    found = set()
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"getattr", "hasattr"}:
                found.add(name(path))
    assert found <= set(BORDERS), sorted(found - set(BORDERS))
    assert all(BORDERS.values())


def test_imports_inside_functions_say_why() -> None:
    """They keep a start light: each says so beside it, or in the docstring or a comment of its module."""
    silent = []
    for path in FILES:
        lines = path.read_text(encoding="utf-8").splitlines()
        whole = "commands import their rooms when they run" in path.read_text(encoding="utf-8").lower()
        for function in ast.walk(tree(path)):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) or whole:
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    near = lines[max(0, function.lineno - 1) : node.end_lineno or node.lineno]
                    if not any("#" in line for line in near):
                        silent.append(f"{name(path)}:{node.lineno}")
    assert not silent, "\n".join(sorted(set(silent)))


def test_no_text_names_a_module_to_import() -> None:
    """`load_attribute("automl.room:name")` would be an import that no rule sees."""
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.fullmatch(r"automl(\.\w+)+:\w+", node.value), f"{name(path)}:{node.lineno}"


def test_libraries_stay_in_their_rooms() -> None:
    wrong = set()
    for path in FILES:
        for module, line in imports(path):
            library = module.partition(".")[0]
            if library in HELD and room(module_name(path)) not in HELD[library]:
                wrong.add(f"{name(path)}:{line}: {library} belongs to {', '.join(sorted(HELD[library]))}")
    assert not wrong, "\n".join(sorted(wrong))


def test_only_the_campaign_opens_the_test_set() -> None:
    users = {name(path) for path in FILES for found in imports(path) if found.module == "automl.data.sealed"}
    assert users == {"automl/campaign/openings.py"}


def test_nothing_that_is_read_can_run_code() -> None:
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                called, place = ast.unparse(node.func), f"{name(path)}:{node.lineno}"
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert called not in UNPICKLING, place
                assert called != "torch.load" or given.get("weights_only") == "True", place
                assert given.get("allow_pickle", "False") == "False", place


def test_the_command_line_starts_light() -> None:
    code = f"import automl.cli, sys; print(*sorted({HEAVY} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert done.stdout.split() == []


def test_the_package_is_imported_at_no_cost() -> None:
    """`import automl` is what every worker and command begins with: its names are imported when asked for."""
    code = f"import automl, sys; print(*sorted({HEAVY | {'pydantic', 'yaml', 'rich'}} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert done.stdout.split() == []


@pytest.mark.parametrize("path", FILES, ids=name)
def test_module(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{lines} lines: split it by what it does"
    module = tree(path)
    assert ast.get_docstring(module), "a module says in its first line what it is for"
    calls = (node for node in ast.walk(module) if isinstance(node, ast.Call))
    assert not [call.lineno for call in calls if ast.unparse(call.func) == "print"]


def test_functions_are_short() -> None:
    long = {}
    for path in FILES:
        if "migrations" in path.parts:  # written once, never changed
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                if length > MAX_FUNCTION:
                    long[f"{name(path)}:{node.name}"] = length
    assert not long


@pytest.mark.parametrize("kind", plugins.PACKAGES)
def test_every_plugin_says_what_it_is(kind: str) -> None:
    found = plugins.summaries(kind)
    assert found
    for plugin, summary in found.items():
        assert 10 < len(summary) <= 120, plugin


def test_files_of_tests_have_names_of_their_own() -> None:
    """Test folders are no packages, so two files of one name would be one module."""
    names = [path.name for path in ROOT.glob("tests/**/*.py") if path.name != "conftest.py"]
    assert not sorted(name for name in set(names) if names.count(name) > 1)
