"""The whole program with objectives that print anywhere or change the working folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import atexit, ctypes, os, sys, tempfile, threading, time
from automl.space import Float, Space

print("at import")
atexit.register(print, "at exit")
SPACE = Space({"x": Float(0.0, 1.0)})

def noisy(config, context):
    print("from Python")
    os.system("echo from a child")
    os.write(1, b"from a descriptor")
    ctypes.CDLL(None).puts(b"from C")
    os.system("(sleep 1; echo from a late child) &")
    threading.Thread(target=late, daemon=True).start()
    if os.fork() == 0:
        print("from a copy")
        sys.exit(3)
    return config["x"]

def late():
    while True:
        time.sleep(0.01)
        print("from a thread")

def moves(config, context):
    os.chdir(tempfile.mkdtemp())
    os.environ["AUTOML_STORE"] = "elsewhere"
    return config["x"]

def imports_a_library(config, context):
    import cProfile, numpy, code
    assert "noisy" not in str(code.__file__)
    return config["x"]

def fails(config, context):
    os.system("echo from a child")
    raise ValueError("no")
"""
STUDY = """
name: noisy
task: {metric: loss, direction: minimize}
space: "noisy_code:SPACE"
evaluator: {function: {call: "noisy_code:noisy"}}
budget: {trials: 3}
seeds: 1
arms: {random: {strategy: random}}
executor: local
final: {seeds: 1}
"""
RAY = "executor={ray: {trials_at_once: 1, cpus: 1}}"


def automl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "noisy_code.py").write_text(CODE)
    (folder / "noisy.yaml").write_text(STUDY)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AUTOML_")}
    command = [str(Path(sys.executable).parent / "automl"), *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["executor=local", pytest.param(RAY, marks=pytest.mark.ray)])
def test_standard_output_is_one_json_object(executor: str, tmp_path: Path) -> None:
    done = automl(tmp_path, "run", "noisy.yaml", "--json", "--progress", "quiet", "--set", executor)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout)["arms"]["random"][0]["trials"]["complete"] == 3
    if executor == "executor=local":
        for words in ("Python", "a child", "a descriptor", "C", "a copy", "a thread"):
            assert f"from {words}" in done.stderr
    assert "at import" in done.stderr and "at exit" in done.stderr


def test_checking_prints_one_object_too(tmp_path: Path) -> None:
    done = automl(tmp_path, "check", "noisy.yaml", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["study"] == "noisy"


@pytest.mark.slow
def test_the_working_folder_may_change(tmp_path: Path) -> None:
    done = automl(tmp_path, "run", "noisy.yaml", "--set", "evaluator.function.call=noisy_code:moves")
    assert done.returncode == 0 and "noisy-1" in done.stdout, done.stderr
    assert automl(tmp_path, "audit", "noisy").returncode == 0
    assert (tmp_path / ".automl" / "ledger.db").exists() and not (tmp_path / "elsewhere").exists()


@pytest.mark.slow
def test_names_are_shown_on_a_terminal_without_their_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = automl(tmp_path, "run", "noisy.yaml")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["executor=local", pytest.param(RAY, marks=pytest.mark.ray)])
def test_files_with_names_of_libraries_hide_none_and_are_told(executor: str, tmp_path: Path) -> None:
    for name in ("profile", "numpy", "code", "optuna"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('this is not the library')")
    call = "evaluator.function.call=noisy_code:imports_a_library"
    done = automl(tmp_path, "run", "noisy.yaml", "--json", "--set", call, "--set", executor)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["arms"]["random"][0]["trials"]["complete"] == 3
    assert "profile.py" in done.stderr and "optuna.py" in done.stderr
