"""What a worker finds on its node."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from automl.contracts import Needs, PluginSpec, UserError
from automl.data import load_task
from automl.executors.ray import Ray, RayOptions
from automl.executors.tune import arrival, examination, shared_folder

CODE = """
from automl.space import Float, Space
SPACE = Space({"x": Float(0.0, 1.0)})
def objective(config, context): ...
"""
OWN = PluginSpec("function", {"call": "examined_code:objective"})


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "examined_code.py").write_text(CODE)
    return tmp_path


def examine(needs: Needs, gpus: float = 0.0) -> dict[str, object]:
    arrival.arrive.cache_clear()
    return dict(json.loads(examination.examine(json.dumps({"needs": needs.to_json(), "gpus": gpus}))))


@pytest.mark.slow
def test_a_node_that_has_everything(study: Path) -> None:
    task = {"dataset": "digits", "metrics": [{"name": "accuracy", "direction": "maximize"}]}
    spaces = [{"name": "examined_code:SPACE"}, {"name": "nasbench201"}]
    needs = Needs([str(study)], [OWN, PluginSpec("network", {})], spaces, task, folder=str(study / "work"))
    found = examine(needs)
    assert found["problems"] == [] and found["digest"] == load_task(task).digest
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"torch", "ray"} <= set(found["packages"]) and found["free"] > 0  # type: ignore[call-overload]


def test_every_problem_is_named(study: Path) -> None:
    wrong = PluginSpec("function", {"call": "examined_nowhere:objective"})
    needs = Needs([str(study)], [wrong, OWN], [{"name": "examined_code:NONE"}])
    first, second = examine(needs)["problems"]  # type: ignore[misc]
    assert first.startswith("evaluator function: ") and "examined_nowhere" in first
    assert second.startswith("space: ") and "NONE" in second
    task = {"dataset": str(study / "none.csv"), "metrics": [{"name": "r2", "direction": "maximize"}]}
    (problem,) = examine(Needs([str(study)], [OWN], [], task))["problems"]  # type: ignore[misc]
    assert problem.startswith("data: a dataset file must exist")


def test_a_folder_that_is_not_the_drivers_is_found_out(study: Path, tmp_path: Path) -> None:
    folder, other = tmp_path / "store/work", tmp_path / "elsewhere"
    number = shared_folder.mark(folder)
    assert number == shared_folder.mark(folder) != shared_folder.mark(other)
    assert [path.name for path in folder.iterdir()] == [shared_folder.NAME]
    for place, apart in ((folder, False), (other, True), (tmp_path / "none", True)):
        needs = Needs([str(study)], [OWN], [], folder=str(place), mark=number)
        found = examine(needs)
        assert (found["apart"], found["problems"]) == (apart, [])
        problems = examine(replace(needs, models=True))["problems"]
        assert problems == ([examination.APART.format(folder=place)] if apart else [])


def test_gpus_are_asked_of_torch(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "devices", lambda: ("2.13.0+cpu", []))
    (problem,) = examine(Needs([str(study)], [OWN], []), gpus=0.5)["problems"]  # type: ignore[misc]
    assert problem.startswith("a trial holds gpus=0.5, but torch 2.13.0+cpu sees no CUDA device")


@pytest.mark.slow
def test_torch_answers_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    version, names = examination.devices()
    assert version == torch.__version__ and len(names) == torch.cuda.device_count()
    monkeypatch.setattr(examination, "_DEVICES", "raise SystemExit('no driver')")
    assert examination.devices() == ("which fails: no driver", [])


def test_a_cluster_of_our_own_is_asked_for_its_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "devices", lambda: ("2.13.0+cpu", []))
    needs = Needs([], [OWN], [])
    Ray(RayOptions()).examine(needs, pytest.fail)
    with pytest.raises(UserError, match="a trial holds gpus=2, but torch"):
        Ray(RayOptions(gpus=2)).examine(needs, pytest.fail)
    monkeypatch.setattr(examination, "devices", lambda: ("2.13.0", ["NVIDIA H200"]))
    Ray(RayOptions(gpus=2)).examine(needs, pytest.fail)
