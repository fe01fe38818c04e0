"""The best configurations, the Pareto set, and winners that are trained on all data but the test set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_process import automl
from several_example import FRONT, several_campaign

from automl.contracts import Outcome, TrialState, UserError
from automl.data import load_task
from automl.data.tasks import REFIT
from automl.export.certificate import find_winner
from automl.export.refit import refitted
from automl.export.several import export_pareto, export_top
from automl.export.winner import read_winner, write_winner
from automl.ledger import Ledger, NewTrial, Store


def test_the_best_ones_begin_with_the_winner_and_are_each_written_once(
    ledger: Ledger, store: Store, tmp_path: Path
) -> None:
    campaign = several_campaign(ledger)
    winners = export_top(ledger, campaign, tmp_path / "best", 4, store=store)
    values = [winner.certificate.values.validation for winner in winners]
    assert values == [0.9, 0.8, 0.7, 0.5]  # 0.8 was found twice
    assert winners[0].certificate.trial == find_winner(ledger, campaign).certificate.trial
    files = sorted((tmp_path / "best").iterdir())
    assert [path.name[:2] for path in files] == ["01", "02", "03", "04"]
    assert [read_winner(path) for path in files] == winners
    assert winners[1].certificate.selected_by == (
        "place 2 of the best configurations on validation data, after the winner"
    )
    many = export_top(ledger, campaign, tmp_path / "all", 50, store=store)
    assert len(many) == len({str(winner.config) for winner in many}) == 5


def test_values_on_other_datasets_are_certified_of_what_was_trained_there(
    ledger: Ledger, store: Store, tmp_path: Path
) -> None:
    campaign = several_campaign(ledger)
    new = NewTrial("transfer", 0, {"x": 0.9}, 0, 0, None, "wine")
    trial = ledger.start_trial(f"{campaign}/tpe/0", new)
    outcome = Outcome(TrialState.COMPLETE, 1.0, values=[0.75, 900.0])
    ledger.finish_trial(trial.id, trial.token, outcome, told=None, attributes={})
    opening = ledger.open_test(trial.search, "winner", [trial.id], "wine")
    ledger.close_test(opening.id, [0.7])
    first, second = export_top(ledger, campaign, tmp_path / "best", 2, store=store)
    assert (first.certificate.transfer, second.certificate.transfer) == ({"wine": [0.7]}, None)
    files = sorted((tmp_path / "best").iterdir())
    assert ["transfer:" in path.read_text(encoding="utf-8") for path in files] == [True, False]
    assert [read_winner(path) for path in files] == [first, second]


@pytest.mark.parametrize("metrics", [1, 2])
def test_the_pareto_set_is_what_nothing_dominates(
    metrics: int, ledger: Ledger, store: Store, tmp_path: Path
) -> None:
    """By two metrics, or by one and the size that each trial has recorded: the same trials."""
    campaign = several_campaign(ledger, metrics=metrics)
    winners = export_pareto(ledger, campaign, tmp_path / "front", store=store)
    assert [winner.certificate.values.validation for winner in winners] == FRONT
    assert "of the Pareto set by gain and parameters, ordered by gain" in winners[0].certificate.selected_by


def test_one_measure_makes_no_pareto_set(ledger: Ledger, store: Store, tmp_path: Path) -> None:
    campaign = several_campaign(ledger, metrics=1, sizes=False)
    with pytest.raises(UserError, match=r"needs two measures, but several-1 has the metric gain alone"):
        export_pareto(ledger, campaign, tmp_path / "front", store=store)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--top-k", "2", "--pareto"], "got --top-k and --pareto"),
        (["--top-k", "2", "--arm", "tpe"], "got --top-k and --arm"),
        (["--pareto", "--format", "torch"], "got --pareto and --format"),
        (["--refit", "--format", "torch"], "got --refit and --format torch"),
        (["--refit", "--pareto"], "got --pareto and --refit"),
    ],
)
def test_kinds_of_exports_exclude_each_other(
    words: list[str],
    said: str,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert automl(monkeypatch, "export", "several", *words) == 2
    assert said in capsys.readouterr().err


def test_without_validation_data_there_is_no_refit(ledger: Ledger) -> None:
    winner = find_winner(ledger, several_campaign(ledger))
    with pytest.raises(UserError, match=r"--refit trains on the rows .* but several-1 has no dataset"):
        refitted(winner)


@pytest.mark.parametrize("split", [{}, {"validation": 0.3, "test": 0.0}, {"seed": 4}])
def test_a_refit_trains_on_all_rows_but_those_of_the_test(split: dict[str, Any]) -> None:
    spec = {"dataset": "iris", "metrics": [{"name": "accuracy"}], "split": split}
    task, joined = load_task(spec), load_task({**spec, REFIT: True})
    assert len(joined.train) == len(task.train) + len(task.validation)
    assert len(joined.validation) == len(task.validation) and joined.digest != task.digest
    rows = {tuple(row) for row in np.asarray(joined.train.x)}
    assert rows == {tuple(row) for part in (task.train, task.validation) for row in np.asarray(part.x)}


def test_few_shot_parts_are_not_joined() -> None:
    episodes = {"ways": 3, "queries": 5, "count": 20}
    spec = {"dataset": "glyphs", "metrics": [{"name": "accuracy"}], "episodes": episodes, REFIT: True}
    with pytest.raises(UserError, match="few-shot parts share no class"):
        load_task(spec)


@pytest.mark.slow
def test_a_refitted_winner_says_so_and_is_another_training(finished: Any, best: Path) -> None:
    from automl.export.retraining import Training, train

    winner = refitted(read_winner(best))
    assert winner.certificate.refit and winner.checksum != read_winner(best).checksum
    before = train(best, finished.store, Training(device="cpu"))
    write_winner(winner, best)
    after = train(best, finished.store, Training(device="cpu"), trust=True)
    assert after.folder != before.folder and after.exported is None and before.exported is not None
