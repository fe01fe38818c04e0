"""What `automl check` tells of data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from automl.data.parts import load_parts
from automl.data.summary import Summary, summarise


def summary(dataset: object, **task: Any) -> Summary:
    metrics = [{"name": "own", "direction": "maximize"}]
    return summarise(load_parts({"dataset": str(dataset), "metrics": metrics, **task}, []))


def test_a_table(tmp_path: Path) -> None:
    rows = "".join(f"{n * 0.5},{'ab'[n % 2]},{n % 7 / 3},{'' if n % 10 else n}\n" for n in range(1, 101))
    (tmp_path / "t.csv").write_text(f"size,town,y,rest\n{rows}{rows}")
    found = summary(tmp_path / "t.csv")
    assert found.rows == (120, 40, 40) and found.classes == {} and found.target == "y"
    lines = found.lines()
    assert lines[0] == "data: t.csv, a table with 3 features: 120 training, 40 validation, 40 test"
    assert "  target: y, numbers" in lines and "  rest: number, 90.0% missing" in lines
    assert "  town: category" in lines
    assert any("100 of 200 rows are copies" in line for line in lines)
    assert any("validation rows and" in line and "copies of training rows" in line for line in lines)
    assert json.loads(json.dumps(found.to_json()))["rows"]["validation"] == 40


def test_images(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (30, 3, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x=pixels, y=np.arange(30) % 3, x_test=pixels[:6], y_test=np.arange(6) % 3)
    lines = summary(tmp_path / "a.npz").lines()
    assert lines[0] == "data: a.npz, colour images of 8×8 pixels: 24 training, 6 validation, 6 test"
    assert lines[1] == "  target: 3 classes: 0 12, 1 12, 2 12"
    assert "test rows are copies of training rows" in lines[-1]
    digits = summary("digits").lines()
    assert "grey images of 8×8" in digits[0] and not any("copies" in line for line in digits)


def test_functions() -> None:
    found = summary("sinusoids", episodes={"shots": 5, "queries": 5})
    assert "functions of 1 numbers" in found.lines()[0]
