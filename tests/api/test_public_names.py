"""`import automl`: its names are there, typed, and cost nothing before they are used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE

import automl

SAMPLE = """
from pathlib import Path

import automl
from typing_extensions import assert_type


def objective(config: dict[str, str | int | float | bool | None]) -> float:
    return float(config["x"] or 0)


campaign = automl.minimize(objective, {"x": automl.Float(0, 1)}, trials=3, seeds=[0, 1])
assert_type(campaign, automl.Campaign)
assert_type(campaign.name, str)
best = campaign.best
if best is not None:
    assert_type(best.value, float)
study = automl.Study(name="a", evaluator=objective, budget={"trials": 3})
assert_type(study.write("a.yaml"), Path)
assert_type(automl.run(study, fresh=True), automl.Campaign)
with automl.session("b", space={"x": automl.Int(0, 3)}, trials=2) as session:
    while (trial := session.ask()) is not None:
        assert_type(trial, automl.Trial)
        assert_type(trial.report(1, 0.5), bool)
        trial.tell(0.5)
"""
WRONG = """
import automl

automl.minimize(abs, {"x": automl.Float(0, 1)}, trails=3)
automl.open(3)
automl.session("b").ask(1)
"""


def test_all_names_are_there() -> None:
    assert set(automl.__all__) == set(automl._PLACES) <= set(dir(automl))
    for name in automl.__all__:
        assert getattr(automl, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'minimise'"):
        _ = automl.minimise  # type: ignore[attr-defined]


@pytest.mark.slow
def test_programs_are_typed(tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(SAMPLE)
    (tmp_path / "wrong.py").write_text(WRONG)

    def checked(file: str) -> subprocess.CompletedProcess[str]:
        root = Path(__file__).parents[2]
        command = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(root / "pyproject.toml")]
        command += ["--cache-dir", str(tmp_path / "cache"), str(tmp_path / file)]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=PATIENCE)

    right, wrong = checked("sample.py"), checked("wrong.py")
    assert right.returncode == 0, right.stdout
    assert [line.split(":")[1] for line in wrong.stdout.splitlines() if ": error:" in line] == [
        "4",
        "5",
        "6",
        "6",
    ]


def test_importing_it_imports_nothing(tmp_path: Path) -> None:
    """Commands put libraries first on Python's path; until then a file may have the name of one."""
    for name in ("typing", "json", "random"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a trap')")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", "import automl"], env=environ, check=True, timeout=PATIENCE)
