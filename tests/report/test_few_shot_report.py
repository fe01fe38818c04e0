"""What a report says of few-shot studies."""

from dataclasses import replace
from io import StringIO

import pytest
from report_examples import RANDOM, FakeLedger, fake
from rich.console import Console

from automl.report import CampaignReport, collect, html, terminal

EVALUATOR = {"name": "metalearn", "options": {"backbone": "conv4", "width": 16}}
TASK = {
    "dataset": "glyphs",
    "metrics": [{"name": "accuracy", "direction": "maximize"}],
    "episodes": {"count": 600},
}


def detail(value: float, *, steps: bool = False) -> dict[str, float]:
    after = {f"accuracy_after_{step}": value + step / 100 for step in (0, 1, 3, 5, 10)} if steps else {}
    return {"accuracy": value, "accuracy_low": value - 0.02, "accuracy_high": value + 0.02, **after}


def few_shot(*, opened: bool = True) -> FakeLedger:
    arms = {"random": RANDOM, "protonet": RANDOM, "odd": RANDOM}
    ledger = fake(arms, seeds=(0, 1), task=TASK, evaluator=EVALUATOR)
    for arm, bonus in (("random", 0.0), ("protonet", 0.2), ("odd", 0.1)):
        for seed in (0, 1):
            config = {"learner": "protonet" if arm == "protonet" else "maml", "transductive": arm == "odd"}
            winner = f"{ledger.row.id}/{arm}/{seed}/0"
            search = ledger.search(arm, seed, winner=winner)
            ledger.trial(search, 0, [0.65 + bonus], config=config)
            values, metrics = [0.6 + bonus + seed / 10], {"train_accuracy": 0.7 + bonus, "batched": 1.0}
            ledger.trial(search, 0, values, config=config, kind="final", metrics=metrics)
            if opened:
                value = 0.5 + bonus + seed / 10
                ledger.opening(search, [value])
                details = [detail(value, steps=arm == "random")]
                ledger.opening_rows[-1] = replace(ledger.opening_rows[-1], details=details)
    return ledger


def report(ledger: FakeLedger) -> CampaignReport:
    return collect(ledger, ledger.row.id)


def test_models_of_all_seeds_are_pooled() -> None:
    first, second, third = report(few_shot()).few_shot
    assert (first.arm, first.learner, first.backbone) == ("random", "maml", "conv4-16")
    assert (first.models, first.episodes, first.batched) == (2, 600, 1.0)
    assert first.test is not None
    assert (first.test.mean, first.test.low, first.test.high) == pytest.approx((0.55, 0.53, 0.57))
    assert first.train == pytest.approx(0.7) and first.validation == pytest.approx(0.65)
    assert first.gap == pytest.approx(-0.15)
    assert first.steps == pytest.approx({"0": 0.55, "1": 0.56, "3": 0.58, "5": 0.60, "10": 0.65})
    assert second.learner == "protonet" and second.steps == {}
    assert [entry.transductive for entry in (first, second, third)] == [False, False, True]


def test_a_sealed_test_has_no_value() -> None:
    entries = report(few_shot(opened=False)).few_shot
    assert all(entry.test is None and entry.gap is None and entry.train for entry in entries)


def test_transductive_models_have_a_table_of_their_own() -> None:
    data = report(few_shot())
    page = html(data)
    tables = page.partition("Scores on new tasks")[2].partition("</section>")[0]
    inductive, _, transductive = tables.partition("Transductive")
    assert "odd" not in inductive and "odd" in transductive.partition("</table>")[0]
    assert "55.0 [53.0, 57.0]" in inductive and "56.0 / 58.0 / 60.0 / 65.0" in inductive
    assert "−15.0" in inductive and "600 episodes" in transductive and "batched" in inductive
    console = Console(file=StringIO(), width=80, record=True)
    console.print(terminal(data))
    text = console.export_text()
    assert "55.0 [53.0, 57.0]" in text and "Transductive" in text


def test_other_studies_have_no_such_section() -> None:
    ledger = fake()
    data = report(ledger)
    assert data.few_shot == () and "Scores on new tasks" not in html(data)
