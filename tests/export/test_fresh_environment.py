"""A table's folder in an environment of its stated requirements alone: the same predictions, bit by bit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_served import winner

from automl.contracts import Config, ReadColumn, TableReading
from automl.export.served import serve
from automl.tables import saved
from automl.tables.boosters import installed
from automl.tables.model import TableModel, predicted

RNG = np.random.default_rng(0)
ROWS = 300
WORDS = np.array([f"word{number}" for number in range(40)])
X = pd.DataFrame(
    {
        "size": np.where(np.arange(ROWS) % 9, RNG.normal(size=ROWS), np.nan),
        "town": RNG.choice(["Ulm", "Bonn", "Kiel"], ROWS).astype(object),
        "said": [" ".join(RNG.choice(WORDS, 6)) for _ in range(ROWS)],
    }
)
Y = (np.nan_to_num(X["size"]) + (X["town"] == "Ulm") + RNG.normal(size=ROWS) > 0.3).to_numpy(int)
READING = TableReading(
    (ReadColumn("size", "number"), ReadColumn("town", "category"), ReadColumn("said", "text")), "y"
)
SMALL = {"forest_trees": 20, "boosting_rounds": 20, "boosting_encoding": "native", "mlp_width": 8}
FAMILIES = ("linear", "knn", "svm", "extra_trees", "gradient_boosting", "mlp", *installed())
PREDICT = """
import sys, warnings
import pandas as pd
sys.path.insert(0, sys.argv[1])
from model import load_model
rows = pd.read_csv("rows.csv", dtype=object, keep_default_na=False)
found = load_model()(rows)
sys.stdout.write(found.filter(like="probability").to_numpy().tobytes().hex())
strange = [name for name in sys.modules if name.partition(".")[0] in ("automl", "mlflow", "torch")]
assert not strange, strange
"""


def run(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    keep = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        list(map(str, words)), cwd=folder, capture_output=True, text=True, timeout=580, env=keep
    )


def saved_model(family: str, folder: Path) -> TableModel:
    config: Config = {"model": family, **(SMALL if "boost" in family or family == "lightgbm" else {})}
    config |= {key: value for key, value in SMALL.items() if key in ("forest_trees", "mlp_width")}
    made = TableModel(config, 2, 0, calibrate=True, texts=("said",)).fit(X, Y)
    folder.mkdir()
    saved.save(made, saved.Described(READING, ("no", "yes")), folder)
    assert serve(folder, winner("pipeline"), "") == ""
    return made


@pytest.mark.slow
def test_predictions_are_equal_to_the_last_bit(tmp_path: Path) -> None:
    """All families in one environment, whose requirements are those that all their folders state."""
    models = {family: saved_model(family, tmp_path / family) for family in FAMILIES}
    files = [tmp_path / family / saved.REQUIREMENTS for family in FAMILIES]
    stated = sorted({line for file in files for line in file.read_text().splitlines()})
    (tmp_path / "all.txt").write_text("\n".join(stated))
    X.to_csv(tmp_path / "rows.csv", index=False)
    fresh = tmp_path / "fresh" / "bin" / "python"
    made = run(sys.executable, "-m", "venv", tmp_path / "fresh", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    probe = next(line for line in stated if line.startswith("threadpoolctl"))
    if run(fresh, "-m", "pip", "download", "-q", "--no-deps", probe, folder=tmp_path).returncode:
        pytest.skip("no package index can be reached, from which the environment would be made")
    done = run(fresh, "-m", "pip", "install", "-q", "-r", "all.txt", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for family, model in models.items():
        found = run(fresh, "-c", PREDICT, tmp_path / family, folder=tmp_path)
        assert found.returncode == 0, f"{family}: {found.stderr}"
        expected = predicted(model.fitted, X, 2)
        assert found.stdout == expected.tobytes().hex(), family
