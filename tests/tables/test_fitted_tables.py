"""Fitted pipelines in folders: equal predictions, no foreign types, damage is told."""

from __future__ import annotations

import functools
import itertools
import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io

from automl.contracts import ReadColumn, TableReading, UserError
from automl.tables import boosters, saved
from automl.tables.families import FAMILIES
from automl.tables.model import TableModel, predicted

RNG = np.random.default_rng(0)
X = pd.DataFrame({"a": RNG.normal(size=90), "b": RNG.choice(list("xyz"), 90)})
X.loc[3, "a"] = np.nan
READING = TableReading((ReadColumn("a", "number", ",", ("", ".")), ReadColumn("b", "category")), "y", ("?",))
SMALL = {"forest_trees": 3, "boosting_rounds": 3, "mlp_width": 4}


def model(family: str, classes: int, **config: Any) -> TableModel:
    y = RNG.integers(0, classes, 90) if classes else RNG.normal(size=90)
    return TableModel({"model": family, **SMALL, **config}, classes, 0, calibrate=True).fit(X, y)


@pytest.mark.parametrize(("family", "classes"), list(itertools.product(FAMILIES, (0, 3))))
def test_a_loaded_model_predicts_equally(tmp_path: Path, family: str, classes: int) -> None:
    """To the last digit."""
    preparation = {"encoding": "target", "indicators": True, "rare": 5}
    if FAMILIES[family].boosts:
        preparation = {"boosting_encoding": "native", "boosting_features": 0.9}
    made = model(family, classes, knn_power=1, **preparation)
    described = saved.Described(READING, ("r", "s", "t") if classes else ())
    saved.save(made, described, tmp_path)
    fitted, again = saved.load(tmp_path)
    assert again == described
    needed = (tmp_path / "requirements.txt").read_text()
    assert all((name in needed) == (name == family) for name in boosters.PACKAGES)
    assert np.array_equal(predicted(fitted, X, classes), made.predict(X))
    unseen = pd.DataFrame({"a": [np.nan], "b": ["never seen"]})
    assert np.isfinite(predicted(fitted, unseen, classes)).all()


def test_types_that_are_not_of_scikit_learn_are_refused(tmp_path: Path) -> None:
    saved.save(model("linear", 0), saved.Described(READING, ()), tmp_path)
    (tmp_path / saved.FITTED).write_bytes(skops.io.dumps(Path("x")))
    with pytest.raises(UserError, match=r"must hold types of pipelines alone, but .*; do not use it"):
        saved.load(tmp_path)


def test_a_partial_function_is_what_it_is_of(tmp_path: Path) -> None:
    """Pipelines hold partial functions of scikit-learn's checks; none of another function is loaded."""
    saved.save(model("linear", 0), saved.Described(READING, ()), tmp_path)
    (tmp_path / saved.FITTED).write_bytes(skops.io.dumps(functools.partial(os.system, "true")))
    with pytest.raises(UserError, match=r"alone, but .* has posix\.system; do not use it"):
        saved.load(tmp_path)


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    saved.save(model("linear", 0), saved.Described(READING, ()), tmp_path)
    file = tmp_path / saved.DESCRIBED
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 3}))
    with pytest.raises(UserError, match=r"is of format 3, and this version reads 2; train it again"):
        saved.load(tmp_path)


def test_another_version_of_scikit_learn_is_refused(tmp_path: Path) -> None:
    """Before its types are looked at: those of 1.7 are none of 1.9, and its imputers fail on a row."""
    saved.save(model("linear", 0), saved.Described(READING, ()), tmp_path)
    file = tmp_path / saved.REQUIREMENTS
    here = version("scikit-learn")
    file.write_text(file.read_text().replace(f"scikit-learn=={here}", "scikit-learn==1.2.2"))
    with pytest.raises(
        UserError, match=rf"was fitted by 1\.2\.2 and {here} is installed; install scikit-learn"
    ):
        saved.load(tmp_path)
    file.write_text(f"scikit-learn=={here}.post1\n")
    saved.load(tmp_path)
    file.unlink()
    saved.load(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("family", boosters.installed())
def test_another_version_of_a_booster_is_refused_by_its_name(family: str, tmp_path: Path) -> None:
    saved.save(model(family, 0), saved.Described(READING, ()), tmp_path)
    file = tmp_path / saved.REQUIREMENTS
    name, _, here = file.read_text().splitlines()[-1].partition("==")
    file.write_text(file.read_text().replace(f"{name}=={here}", f"{name}==0.1.0"))
    with pytest.raises(
        UserError, match=rf"by the {name} that .* by 0\.1\.0 and {here} is installed; install {name}"
    ):
        saved.load(tmp_path)


@pytest.mark.parametrize(
    "damage", ["no fitted", "no description", "torn fitted", "torn description", "other"]
)
def test_a_damaged_folder_is_told(tmp_path: Path, damage: str) -> None:
    saved.save(model("linear", 0), saved.Described(READING, ()), tmp_path)
    what, _, name = damage.partition(" ")
    file = tmp_path / (saved.FITTED if name == "fitted" else saved.DESCRIBED)
    if what == "no":
        file.unlink()
    else:
        file.write_bytes(json.dumps({"other": 1}).encode() if what == "other" else file.read_bytes()[:100])
    with pytest.raises(UserError, match=r"must have model\.skops and table\.json, but .*; train it again"):
        saved.load(tmp_path)
