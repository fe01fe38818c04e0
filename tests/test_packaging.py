"""The wheel holds what it should and works from another directory."""

import ast
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from patience import PATIENCE

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def python(*arguments: str, cwd: Path, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the files git knows, so that no build output of the checkout slips in."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    python(
        *("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"),
        *("--wheel-dir", str(folder), str(source)),
        cwd=folder,
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content in a folder of its own; found first with this folder on PYTHONPATH."""
    folder = tmp_path_factory.mktemp("installed")
    python(
        *("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder), str(wheel)),
        cwd=folder,
    )
    return folder


def test_every_package_is_listed() -> None:
    setuptools = PROJECT["tool"]["setuptools"]
    places = {Path(place): name for name, place in setuptools["package-dir"].items()}
    folders = {path.parent.relative_to(ROOT) for path in ROOT.glob("automl/**/*.py")}
    expected = {".".join(folder.parts) for folder in folders} | set(places.values())
    assert sorted(setuptools["packages"]) == sorted(expected)


def test_every_package_has_a_docstring() -> None:
    for path in [*ROOT.glob("automl/**/__init__.py"), ROOT / "searchspaces/__init__.py"]:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_the_wheel_holds_every_module_and_study(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(ROOT)) for path in ROOT.glob("automl/**/*.py")}
    spaces = {f"automl/{path.relative_to(ROOT)}" for path in ROOT.glob("searchspaces/*.py")}
    studies = {f"automl/{path.relative_to(ROOT)}" for path in ROOT.glob("studies/*.yaml")}
    assert modules | spaces | studies | {"automl/py.typed"} <= names


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"automl", f"automl_orchestrator-{PROJECT['project']['version']}.dist-info"}


def test_the_wheel_works_from_another_directory(installed: Path, tmp_path: Path) -> None:
    command = "import sys; sys.argv = ['automl', 'list', 'spaces']; from automl.cli import main; main()"
    shown = python("-c", command, cwd=tmp_path, PYTHONPATH=str(installed))
    assert "nasbench201" in shown
    code = (
        "import automl, json; from importlib.resources import files; from automl import plugins;"
        "studies = sorted(f.name for f in files('automl.studies').iterdir() if f.suffix == '.yaml');"
        "print(json.dumps([automl.__file__, plugins.names('spaces'), studies]))"
    )
    file, spaces, studies = json.loads(python("-c", code, cwd=tmp_path, PYTHONPATH=str(installed)))
    assert Path(file).is_relative_to(installed)
    assert {"nasbench201", "resnet"} <= set(spaces)
    assert studies == sorted(path.name for path in ROOT.glob("studies/*.yaml"))
    assert "quickstart.yaml" in studies
    assert list(tmp_path.iterdir()) == []  # looking creates nothing


def test_the_folder_mlflow_does_not_hide_the_library() -> None:
    assert not (ROOT / "mlflow/__init__.py").exists()
    code = "import mlflow, sys; print(hasattr(mlflow, 'start_run'), mlflow.__file__)"
    found, file = python("-c", code, cwd=ROOT).split()
    assert found == "True"
    assert not Path(file).is_relative_to(ROOT / "mlflow")


def test_constraints_pin_every_dependency_exactly() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert pins["torch"] == "2.13.0"  # an open range fetches gigabytes of CUDA packages
    project = PROJECT["project"]
    extras = [line for group in project["optional-dependencies"].values() for line in group]
    pinned = {name.lower().replace("_", "-") for name in pins}
    for line in [*project["dependencies"], *extras]:
        name = line.split(">")[0].split("[")[0].lower()
        assert name in pinned or name == project["name"], name
    assert not [name for name in pinned if name.startswith(("nvidia", "cuda", "triton"))]
