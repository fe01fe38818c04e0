"""`mlflow.pyfunc` and the plain folder give equal predictions, for all that leaves a model."""

from __future__ import annotations

import importlib.util
import io
import json
import platform
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from test_learner_folder import SPEC, TASK, trained

from automl.contracts import PluginSpec, ReadColumn, TableReading
from automl.data import load_task
from automl.data.episodes import EpisodeSampler
from automl.export.registered import fetch_signed
from automl.export.retraining import Training, train
from automl.export.served import serve
from automl.export.winner import read_winner
from automl.tables import conformal, saved
from automl.tables.ensembles import Ensemble
from automl.tables.model import TableModel, predicted

OWN = """
import json

def load_model(folder):
    factor = json.loads((folder / "factor.json").read_text())
    return lambda data: [factor * value for value in data]
"""


def load(uri: str) -> Any:
    """What `mlflow.pyfunc` loads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 2026-11-29, mlflow 3.17: it warns about type hints of its own
        from mlflow import pyfunc

        return pyfunc.load_model(uri)


def plain(folder: Path) -> ModuleType:
    """The module of a plain folder, imported as its users do."""
    spec = importlib.util.spec_from_file_location("plain_model", folder / "model.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules["plain_model"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def winner(evaluator: str) -> Any:
    """As much of a winner as is asked for."""
    certificate = SimpleNamespace(arm="arm", model_dump=lambda mode: {})
    task = SimpleNamespace(model_dump=lambda mode: {})
    training = PluginSpec(evaluator, {})
    return SimpleNamespace(
        name="few", certificate=certificate, task=task, import_path=[], provenance={}, training=training
    )


@pytest.mark.parametrize("name", ["maml", "protonet", "embedding"])
def test_a_learner_predicts_after_a_support_set(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scale = {"mean": [0.5], "std": [2.0]}
    monkeypatch.setattr("automl.export.torch_folder.normalisation", lambda *_: scale)
    folder = trained(name, tmp_path)
    assert serve(folder, winner("metalearn"), "few-1/maml/0/final-0") == ""
    episode = EpisodeSampler(TASK.validation, SPEC, seed=0).sample(1)
    given = {
        "support_x": episode.support_x[0].numpy(),
        "support_y": episode.support_y[0].numpy(),
        "query_x": episode.query_x[0].numpy(),
    }
    served = load(str(folder))
    module = plain(folder)
    support, query = (module.prepare_images(torch.as_tensor(given[key])) for key in ("support_x", "query_x"))
    expected = module.adapt(support, episode.support_y[0])(query).detach().numpy()
    assert np.array_equal(served.predict(given), expected) and expected.shape == (9, 3)
    for wrong in (given["query_x"], {"query_x": given["query_x"]}):
        with pytest.raises(ValueError, match="predicts after it has seen a support set: the input must be"):
            served.predict(wrong)


def test_a_model_of_ones_own_is_what_its_module_loads(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(OWN)
    (tmp_path / "factor.json").write_text("3")
    assert serve(tmp_path, winner("function"), "") == ""
    moved = shutil.copytree(tmp_path, tmp_path.with_name("moved"))
    served = load(str(moved))
    assert served.predict([1, 2]) == plain(moved).load_model(moved)([1, 2]) == [3, 6]


def test_a_model_of_mlflow_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    assert serve(tmp_path, winner("function"), "") == ""
    assert [path.name for path in tmp_path.iterdir()] == ["MLmodel"]


@pytest.mark.slow
@pytest.mark.parametrize("together", [False, True])
def test_a_table_needs_its_libraries_alone(tmp_path: Path, together: bool) -> None:
    """In a process that cannot import this package, and through MLflow."""
    frame = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0] * 9, "town": ["Ulm", "Bonn", "7", None] * 9})
    reading = TableReading((ReadColumn("size", "number"), ReadColumn("town", "category")), "y")
    made: TableModel | Ensemble
    made = TableModel({"model": "extra_trees", "forest_trees": 5}, 2, 0).fit(frame, np.array([0, 1] * 18))
    if together:
        other = TableModel({"model": "linear"}, 2, 0).fit(frame, np.array([0, 1] * 18))
        made = Ensemble([made, other], [0.75, 0.25])
    saved.save(made, saved.Described(reading, ("no", "yes")), tmp_path)
    assert serve(tmp_path, winner("pipeline"), "") == ""
    rows = pd.DataFrame({"town": ["Kiel", "Ulm", 7.0], "size": ["1", "", "3"], "more": 1})
    expected = made.predict(pd.DataFrame({"size": [1.0, np.nan, 3.0], "town": ["Kiel", "Ulm", "7"]}))
    found = load(str(tmp_path)).predict(rows)
    with pytest.warns(UserWarning, match="columns that the model does not know are left out: 'more'"):
        pd.testing.assert_frame_equal(plain(tmp_path).load_model()(rows), found)
    assert np.array_equal(found[["probability_no", "probability_yes"]], expected)
    assert list(found["prediction"]) == [("no", "yes")[label] for label in expected.argmax(1)]
    code = (
        "import sys; sys.modules['automl'] = None\n"
        "import pandas as pd; from model import load_model\n"
        "print(load_model()(pd.read_json('rows.json')).to_json())"
    )
    rows.to_json(tmp_path / "rows.json")
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    again = pd.read_json(io.StringIO(done.stdout))
    assert list(again["prediction"]) == list(found["prediction"])
    needed = (tmp_path / "requirements.txt").read_text().splitlines()
    assert [line.partition("==")[0] for line in needed] == list(saved.NEEDED)


def test_sets_of_classes_are_a_parameter_of_mlflow_and_of_the_plain_folder(tmp_path: Path) -> None:
    frame = pd.DataFrame({"size": np.arange(80.0), "town": ["Ulm", "Bonn"] * 40})
    labels = ("dear", "cheap, or free", 'a "bargain"')
    made = TableModel({"model": "extra_trees", "forest_trees": 5, "forest_leaf": 9}, 3, 0)
    made.fit(frame, np.arange(80) // 27)
    columns = (ReadColumn("size", "number"), ReadColumn("town", "category", known=("Bonn", "Ulm")))
    saved.save(made, saved.Described(TableReading(columns), labels), tmp_path)
    calibration = conformal.calibration_of(np.linspace(0.05, 0.95, 19), "rows", classes=True)
    conformal.write_calibration(calibration, tmp_path)
    serve(tmp_path, winner("pipeline"), "")
    model, own = load(str(tmp_path)), plain(tmp_path).load_model()
    assert "set" not in model.predict(frame)
    found = model.predict(frame, params={"interval": 0.8})
    assert found.equals(own(frame, interval=0.8)) and list(found.columns)[-1] == "set"
    p = made.predict(frame)
    wanted = [[one for one, q in zip(labels, row, strict=True) if q >= 1 - 0.8] for row in p]
    assert [json.loads(one) for one in found["set"]] == wanted and len({len(one) for one in wanted}) > 1


def test_intervals_of_numbers_are_a_parameter_of_mlflow_and_of_the_plain_folder(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.uniform(0, 1, 80), "town": ["Ulm", "Bonn"] * 40})
    made = TableModel({"model": "extra_trees", "forest_trees": 5}, 0, 0).fit(frame, frame["size"].to_numpy())
    columns = (ReadColumn("size", "number"), ReadColumn("town", "category", known=("Bonn", "Ulm")))
    saved.save(made, saved.Described(TableReading(columns), ()), tmp_path)
    difficulty = TableModel({"model": "gradient_boosting"}, 0, 0).fit(frame, frame["size"].to_numpy()).fitted
    calibration = conformal.calibration_of(np.arange(19.0), "rows", 0.2, difficulty)
    conformal.write_calibration(calibration, tmp_path)
    serve(tmp_path, winner("pipeline"), "")
    model, own = load(str(tmp_path)), plain(tmp_path).load_model()
    assert list(model.predict(frame).columns) == list(own(frame).columns) == ["prediction"]
    found = model.predict(frame, params={"interval": 0.9})
    assert found.equals(own(frame, interval=0.9)) and list(found.columns) == ["prediction", "lower", "upper"]
    half = 17.0 * np.maximum(predicted(difficulty, frame, 0), 0.2)  # the score of rank ⌈20·0.9⌉ = 18
    assert np.allclose((found["upper"] - found["lower"]) / 2, half) and half.max() > 4 * half.min()
    with pytest.raises(
        Exception, match="needs the errors of 99 rows or more, but this model has those of 19"
    ):
        model.predict(frame, params={"interval": 0.99})
    (tmp_path / conformal.CALIBRATED).unlink()
    with pytest.raises(Exception, match="this model was saved without"):
        plain(tmp_path).load_model()(frame, interval=0.9)


def test_a_table_has_a_signature_an_example_and_its_environment(tmp_path: Path) -> None:
    """MLflow shows them, checks that columns are there, and predicts the example."""
    frame = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0] * 9, "town": ["Ulm", "Bonn"] * 18})
    frame["when_year"] = 2020.0
    frame = frame.assign(**{f"when_{part}": 1.0 for part in ("month", "day", "weekday", "elapsed")})
    made = TableModel({"model": "extra_trees", "forest_trees": 5}, 2, 0).fit(frame, np.array([0, 1] * 18))
    reading = TableReading(
        (
            ReadColumn("size", "number", ",", units=("€",)),
            ReadColumn("town", "category", known=("Bonn", "Ulm")),
            ReadColumn("when", "date", format="%d.%m.%Y"),
        )
    )
    saved.save(made, saved.Described(reading, ("no", "yes")), tmp_path)
    serve(tmp_path, winner("pipeline"), "")
    model = load(str(tmp_path))
    assert model.metadata.signature.inputs.input_names() == ["size", "town", "when"]
    outputs = ["prediction", "probability_no", "probability_yes"]
    assert model.metadata.signature.outputs.input_names() == outputs
    assert model.metadata.flavors["python_function"]["python_version"] == platform.python_version()
    example = model.input_example
    assert list(model.predict(example).columns) == outputs and example["when"].iloc[0] == "31.01.2024"
    rows = pd.DataFrame({"size": [2, 3], "town": ["Ulm", None], "when": pd.to_datetime(["2024-01-31", None])})
    assert len(model.predict(rows)) == 2 and len(model.predict(rows.astype({"size": float}))) == 2
    assert len(model.predict(rows.assign(size=["1,5 €", ""]))) == 2
    with pytest.raises(mlflow.exceptions.MlflowException, match=r"missing inputs .*'town'"):
        model.predict(rows.drop(columns="town"))
    needed = yaml.safe_load((tmp_path / "python_env.yaml").read_text())
    assert (
        needed["dependencies"][1] == "-r requirements.txt" and needed["python"] == platform.python_version()
    )


def test_a_table_of_an_earlier_version_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert "kept no fitted pipeline; train it again" in serve(tmp_path, winner("pipeline"), "")


def test_what_cannot_be_loaded_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"x": 1}))
    why = serve(tmp_path, winner("function"), "")
    assert "function" in why and "no model.py with load_model(folder)" in why
    with pytest.raises(RuntimeError, match=r"cannot be loaded by mlflow\.pyfunc: the model that"):
        load(str(tmp_path))


@pytest.mark.slow
def test_a_registered_network_predicts_as_its_folder(
    finished: Any, best: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = train(best, finished.store, Training(device="cpu"))
    mlflow.set_tracking_uri(finished.store.tracking_uri)
    served = load(f"models:/{done.name}@candidate")
    folder, _ = fetch_signed(finished.store, done.name, tmp_path / "fetched")
    found = read_winner(best)
    images = load_task(found.task.model_dump(mode="json"), found.import_path).validation.x
    module = plain(folder)
    with torch.no_grad():
        expected = module.load_model()(module.prepare_images(torch.as_tensor(images.copy()))).numpy()
    assert np.array_equal(served.predict(images), expected) and expected.shape == (len(images), 3)
