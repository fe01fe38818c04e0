"""Files beside a study that have the name of a library."""

from __future__ import annotations

import sys
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


def test_a_file_that_is_found_first_hides_the_library(study: Path) -> None:
    sys.path.insert(0, str(study.parent))
    (study.parent / "profile.py").write_text("x = 1")
    (line,) = shadows.warnings(study.parent)
    assert "this file hides the module of Python's library" in line
    load_study(study, ["evaluator.function.call=profile:x"])


def test_other_files_are_not_told(study: Path) -> None:
    (study.parent / "folder").mkdir()
    (study.parent / "data.csv").write_text("a,b")
    load_study(study)
    assert list(shadows.warnings(study.parent)) == []
