"""Files beside a study that have the name of a library."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from automl.config import load_study, shadows
from automl.contracts import UserError

STUDY = """
name: s
task: {metric: loss, direction: minimize}
space: "shadow_code:SPACE"
evaluator: {function: {call: "shadow_code:f"}}
budget: {trials: 2}
seeds: 1
executor: local
final: {seeds: 0}
"""
CODE = """
from automl.space import Float, Space
SPACE = Space({"x": Float(0.0, 1.0)})
def f(config, context): return config["x"]
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "shadow_code.py").write_text(CODE)
    path = tmp_path / "s.yaml"
    path.write_text(STUDY)
    return path


@pytest.mark.parametrize(
    ("file", "library"),
    [
        ("profile.py", "the module of Python's library"),
        ("sys.py", "the module of Python's library"),
        ("numpy.py", "that of .*numpy/__init__.py"),
        ("yaml/__init__.py", "that of .*yaml/__init__.py"),
    ],
)
def test_a_file_with_the_name_of_a_library_is_told(file: str, library: str, study: Path) -> None:
    (study.parent / file).parent.mkdir(exist_ok=True)
    (study.parent / file).write_text("x = 1")
    load_study(study)
    (line,) = shadows.warnings(study.parent)
    name = file.removesuffix("/__init__.py")
    assert line.startswith(f"warning: {name} in {study.parent} has the name of a library: ")
    module = name.removesuffix(".py")
    with pytest.raises(UserError, match=f"must name a module of your own, but {name} .*finds {library}"):
        load_study(study, [f"evaluator.function.call={module}:f"])


def test_a_folder_that_was_first_on_the_path_is_put_last(study: Path) -> None:
    sys.path.insert(0, str(study.parent))
    (study.parent / "profile.py").write_text("raise RuntimeError")
    load_study(study)
    (line,) = shadows.warnings(study.parent)
    assert "`import profile` finds the module of Python's library, not this file" in line
    assert sys.path[-1] == str(study.parent) and sys.path.count(str(study.parent)) == 1
    assert find_spec("profile").origin != str(study.parent / "profile.py")  # type: ignore[union-attr]


@pytest.mark.parametrize("file", ["this.py", "antigravity/__init__.py"])
def test_a_library_that_was_imported_from_there_is_refused(
    file: str, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (study.parent / file).parent.mkdir(exist_ok=True)
    (study.parent / file).write_text("x = 1")
    monkeypatch.syspath_prepend(str(study.parent))
    name = file.partition("/")[0].removesuffix(".py")
    monkeypatch.delitem(sys.modules, name, raising=False)
    importlib.import_module(name)
    with pytest.raises(
        UserError, match=f"libraries must come before .*{name}' was imported from .*PYTHONPATH"
    ):
        load_study(study)


def test_the_name_of_this_package_is_told_too(study: Path) -> None:
    (study.parent / "automl.py").write_text("x = 1")
    load_study(study)
    (line,) = shadows.warnings(study.parent)
    assert "automl.py" in line and "automl/__init__.py, not this file" in line


def test_other_files_are_not_told(study: Path) -> None:
    (study.parent / "folder").mkdir()
    (study.parent / "data.csv").write_text("a,b")
    load_study(study)
    assert list(shadows.warnings(study.parent)) == []
