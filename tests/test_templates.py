"""Study files that `automl init` writes: each is valid, and what was guessed stands in a comment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automl.config import load_study
from automl.contracts import UserError
from automl.templates import slug, template

RNG = np.random.default_rng(0)
ROWS = 60
CODE = """
from automl.space import Float, Space

SPACE = Space({"lr": Float(1e-4, 1e-1, log=True)})


def helper(a, b, c):
    return a


def loss(config):
    return config["lr"]


def objective(config, context):
    return config["lr"]
"""


def table(path: Path, target: str, values: object) -> Path:
    rows = zip(
        RNG.normal(size=ROWS).round(3), RNG.normal(size=ROWS).round(3), np.asarray(values), strict=True
    )
    path.write_text(f"a,b,{target}\n" + "".join(f"{a},{b},{y}\n" for a, b, y in rows))
    return path


def written(folder: Path, text: str) -> Path:
    (folder / "study.yaml").write_text(text)
    return folder / "study.yaml"


@pytest.mark.parametrize(
    ("target", "values", "metric"),
    [
        ("price", RNG.normal(size=ROWS).round(3), "r2"),
        ("kind", ["a", "b", "c"] * 20, "accuracy"),
        ("kind", ["a"] * 54 + ["b"] * 6, "balanced_accuracy"),
        ("y", [0, 1] * 30, "accuracy"),
    ],
)
def test_tables(tmp_path: Path, target: str, values: object, metric: str) -> None:
    path = table(tmp_path / "My houses.csv", target, values)
    text = template(str(path), None)
    study = load_study(written(tmp_path, text))
    assert study.name == "my-houses" and study.task.target == target
    assert study.task.metrics[0].name == metric and list(study.arms) == ["random", "tpe"]
    guess = "a guess: by its name" if target == "y" else "a guess: the last column; the others are"
    assert guess in text and "a guess: " in text.partition("metric:")[2]
    given = template(str(path), "a")
    assert '  target: "a"\n' in given and load_study(written(tmp_path, given)).task.target == "a"


def test_images_and_arrays(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(6):
            pixels = RNG.integers(0, 255, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / label / f"{number}.png")
    np.savez(tmp_path / "a.npz", x=RNG.normal(size=(30, 4)), y=np.arange(30) % 3)
    images = load_study(written(tmp_path, template(str(tmp_path / "pets"), None)))
    assert (images.name, images.evaluator.name) == ("pets", "network")
    arrays = load_study(written(tmp_path, template(str(tmp_path / "a.npz"), None)))
    assert (arrays.name, arrays.evaluator.name) == ("a", "pipeline")


def test_code_is_read_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(CODE + "\n\nraise SystemExit\n")
    text = template(str(path), None)
    assert "mine:objective" in text and "# a guess: of loss, objective" in text
    assert "mine:loss" in template(f"{path}:loss", None)
    path.write_text(CODE)
    study = load_study(written(tmp_path, text))
    assert study.evaluator.options["call"] == "mine:objective"


@pytest.mark.parametrize(
    ("code", "source", "message"),
    [
        (CODE, "mine.py:other", "there is no 'other'; it has loss, objective"),
        ("def f(config): return 1", "mine.py", "needs a search space, but mine.py has none; add one such as"),
        ("X = 1", "mine.py", "has no function of"),
        ("def f(:", "mine.py", "must be Python code"),
        (CODE, "absent.csv", "there is none at"),
    ],
)
def test_what_no_study_can_be_written_for(tmp_path: Path, code: str, source: str, message: str) -> None:
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(UserError, match=message):
        template(str(tmp_path / source), None)
    with pytest.raises(UserError, match="--target names a column of a table"):
        template(str(tmp_path / "mine.py"), "y")


def test_names_of_studies() -> None:
    found = [slug(name) for name in ("A b.csv", "x.tsv.gz", "Übung.csv", "---", "nas_digits")]
    assert found == ["a-b", "x", "bung", "study", "nas-digits"]
