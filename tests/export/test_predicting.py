"""New rows through the winner of a table study: the command, and what it refuses."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from automl.campaign import run_campaign
from automl.cli.commands import app
from automl.config import load_study
from automl.contracts import ReadSpec, UserError
from automl.export.predicting import predicted_file, predictor, row_parts
from automl.ledger import Store
from automl.progress import QuietProgress
from automl.storage import open_ledger

STUDY = """
name: towns
task: {dataset: towns.csv, target: dear, metric: log_loss, split: {validation: 0.2, test: 0.2}}
space: {name: tabular, fix: {model: extra_trees, forest_trees: 50}}
evaluator: {pipeline: {folds: 2}}
budget: {trials: 1}
seeds: 1
arms: {random: {strategy: random}}
final: {seeds: SEEDS}
"""
ROWS = 60


def rows(numbers: range) -> list[dict[str, str]]:
    sizes = np.random.default_rng(0).uniform(20, 200, 200)
    return [
        {"id": f"h-{number}", "size": f"{sizes[number]:.1f} €", "town": ("Ulm", "Bonn")[number % 2],
         "dear": "yes" if sizes[number] > 100 else "no"}
        for number in numbers
    ]  # fmt: skip


def written(file: Path, found: list[dict[str, str]]) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(found[0]))
        writer.writeheader()
        writer.writerows(found)


def run(store: Store, folder: Path, seeds: int = 1) -> str:
    written(folder / "towns.csv", rows(range(ROWS)))
    (folder / "towns.yaml").write_text(STUDY.replace("SEEDS", str(seeds)))
    return run_campaign(load_study(folder / "towns.yaml"), store=store, progress=QuietProgress())


@pytest.mark.slow
def test_new_rows_get_a_class_and_its_probability(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOML_STORE", str(store.folder))
    new = [{**row, "town": "Kiel", "more": "1"} for row in rows(range(ROWS, 100))]
    truth = [row.pop("dear") for row in new]
    written(tmp_path / "new.csv", [dict(reversed(row.items())) for row in new])
    done = CliRunner().invoke(app, ["predict", "towns", "new.csv", "-o", "p.csv", "--keep", "id"])
    assert done.exit_code == 0, done.output
    assert "columns that the model does not know are left out: 'more', 'id'" in done.output.replace("\n", " ")
    with (tmp_path / "p.csv").open() as stream:
        found = list(csv.DictReader(stream))
    assert list(found[0]) == ["id", "prediction", "probability_no", "probability_yes"]
    assert [row["id"] for row in found] == [row["id"] for row in new]
    assert np.mean([row["prediction"] == right for row, right in zip(found, truth, strict=True)]) > 0.9
    for row in found:
        no, yes = float(row["probability_no"]), float(row["probability_yes"])
        assert no + yes == pytest.approx(1) and row["prediction"] == ("yes" if yes > no else "no")
    shown = CliRunner().invoke(app, ["predict", "towns", "new.csv"])
    assert len(list(csv.DictReader(io.StringIO(shown.stdout)))) == len(new)
    for words, message in (
        (["--keep", "nobody"], "--keep must name a column of the rows, but there is no 'nobody'"),
        (["--arm", "other"], "other"),
    ):
        with pytest.raises(UserError, match=message):
            CliRunner().invoke(app, ["predict", "towns", "new.csv", *words], catch_exceptions=False)


@pytest.mark.slow
def test_what_was_not_fitted_cannot_predict(store: Store, tmp_path: Path) -> None:
    campaign = run(store, tmp_path, seeds=0)
    with (
        open_ledger(store) as ledger,
        pytest.raises(UserError, match=r"has no retraining of its winner"),
    ):
        predictor(ledger, campaign)


@pytest.mark.slow
def test_a_model_of_an_earlier_version_is_told(store: Store, tmp_path: Path) -> None:
    campaign = run(store, tmp_path)
    (fitted,) = store.folder.glob("work/*/*/final-0/model/model.skops")
    fitted.unlink()
    with (
        open_ledger(store) as ledger,
        pytest.raises(UserError, match=r"needs a fitted table, but"),
    ):
        predictor(ledger, campaign)


def test_rows_must_be_a_table(tmp_path: Path) -> None:
    (tmp_path / "rows.docx").write_text("{}")
    with pytest.raises(UserError, match=r"new rows must be a table such as rows\.csv, but got"):
        next(row_parts(str(tmp_path / "rows.docx"), ReadSpec()))


@pytest.mark.slow
def test_parts_of_a_file_are_predicted_as_the_whole(store: Store, tmp_path: Path) -> None:
    campaign = run(store, tmp_path)
    written(tmp_path / "new.csv", rows(range(ROWS, 100)))
    with open_ledger(store) as ledger:
        model = predictor(ledger, campaign)
    (whole,) = predicted_file(model, str(tmp_path / "new.csv"), ["id"])
    parts = list(predicted_file(model, str(tmp_path / "new.csv"), ["id"], size=7))
    assert [part.rows for part in parts] == [6, *[7] * 4, 6] and whole.rows == 40
    assert "".join(part.text for part in parts) == whole.text


@pytest.mark.slow
def test_nothing_is_written_where_a_later_row_is_refused(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOML_STORE", str(store.folder))
    monkeypatch.setattr("automl.export.predicting.predicted_file.__defaults__", ((), None, 5))
    new = rows(range(ROWS, 80))
    new[17]["size"] = "large"
    written(tmp_path / "new.csv", new)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match=r"'size' must hold numbers, .* row 18 has 'large'"):
        CliRunner().invoke(app, ["predict", "towns", "new.csv", "-o", "p.csv"], catch_exceptions=False)
    assert sorted(tmp_path.iterdir()) == before
