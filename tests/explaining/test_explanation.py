"""`automl explain`: the winner of a table study on its validation rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from automl.campaign import run_campaign
from automl.cli.commands import app
from automl.config import load_study
from automl.contracts import UserError
from automl.explaining import Extent, explain
from automl.ledger import Store
from automl.progress import QuietProgress
from automl.storage import open_ledger

STUDY = """
name: towns
task: {dataset: towns.csv, target: TARGET, metric: METRIC, split: SPLIT, columns: {drop: [OTHER]}}
space: {name: tabular, fix: {model: extra_trees, forest_trees: 50}}
evaluator: {pipeline: {folds: 2}}
budget: {trials: 1}
seeds: 1
arms: {random: {strategy: random}}
final: {seeds: 1}
"""
ROWS = 200


def run(store: Store, folder: Path, target: str, metric: str) -> str:
    rng = np.random.default_rng(0)
    sizes = rng.uniform(20, 200, ROWS)
    lines = ["size,town,when,dear,price"]
    for row, size in enumerate(sizes):
        town, price = ("Ulm", "Bonn")[row % 2], size + (90 * rng.normal() if row % 2 else 0)
        when = f"{1 + row // 2 % 28}.{1 + row // 2 % 12}.2024"
        lines.append(f"{size:.1f} €,{town},{when},{'yes' if size > 100 else 'no'},{price:.1f}")
    (folder / "towns.csv").write_text("\n".join(lines))
    other = "price" if target == "dear" else "dear"
    text = STUDY.replace("TARGET", target).replace("METRIC", metric).replace("OTHER", other)
    text = text.replace("SPLIT", "{validation: 0.4, test: 0.1}")
    (folder / "towns.yaml").write_text(text)
    return run_campaign(load_study(folder / "towns.yaml"), store=store, progress=QuietProgress())


@pytest.mark.slow
def test_columns_rows_and_groups_of_numbers(store: Store, tmp_path: Path) -> None:
    campaign = run(store, tmp_path, "price", "rmse")
    with open_ledger(store) as ledger:
        openings = len(ledger.openings(campaign))
        found, again = (explain(ledger, campaign, extent=Extent(repeats=3)) for _ in range(2))
        assert len(ledger.openings(campaign)) == openings
    assert found == again and found.rows == found.of == 80
    assert found.columns[0].column == "size" and found.columns[0].matters
    assert {one.column for one in found.columns} == {"size", "town", "when"}
    assert [(one.column, one.value) for one in found.groups] == [("town", "Bonn")]
    assert [one.loss for one in found.worst] == sorted((one.loss for one in found.worst), reverse=True)
    worst = found.worst[0]
    assert isinstance(worst.truth, float) and isinstance(worst.prediction, float)
    assert worst.loss == pytest.approx(abs(worst.truth - worst.prediction)) and worst.cells["town"] == "Bonn"


@pytest.mark.slow
def test_the_command_shows_and_prints_json(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store, tmp_path, "dear", "log_loss")
    monkeypatch.setenv("AUTOML_STORE", str(store.folder))
    words = ["explain", "towns", "--repeats", "3", "--worst", "4"]
    shown = CliRunner().invoke(app, words, env={"COLUMNS": "120"}, catch_exceptions=False)
    assert "size" in shown.stdout and "worst rows, by -log p of the true class" in shown.stdout
    data = json.loads(CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False).stdout)
    assert data["metric"] == "log_loss" and data["direction"] == "minimize" and data["rows"] == 80
    assert data["columns"][0]["column"] == "size" and data["columns"][0]["matters"] is True
    assert len(data["worst"]) == 4 and {one["truth"] for one in data["worst"]} <= {"yes", "no"}
    assert data["looked_at"] > 5 and data["pairs"] is None and data["notes"] == []
    assert sum(one["rows"] for one in data["calibration"]["bins"]) == 80
    curve = next(one for one in data["dependence"] if one["column"] == "size")
    assert curve["outputs"] == ["yes"] and curve["mean"][0][0] < 0.5 < curve["mean"][0][-1]
    file = tmp_path / "page.html"
    CliRunner().invoke(app, [*words, "--html", str(file)], catch_exceptions=False)
    page = file.read_text()
    figures = json.loads(page.split('id="figures">')[1].split("</script>")[0])
    assert {"plot-importance", "plot-curve-0", "plot-agreement"} <= set(figures)
    assert (
        "default-src 'none'" in page and "Worst rows" in page and page.count('class="plot"') == len(figures)
    )


@pytest.mark.slow
def test_changed_data_are_refused(store: Store, tmp_path: Path) -> None:
    campaign = run(store, tmp_path, "price", "rmse")
    file = tmp_path / "towns.csv"
    file.write_text(file.read_text().replace("Ulm", "Bonn", 1))
    with (
        open_ledger(store) as ledger,
        pytest.raises(UserError, match=rf"those of {campaign} have changed .*; restore them"),
    ):
        explain(ledger, campaign)
