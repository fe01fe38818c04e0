"""The JSON of `automl report` has the same keys, numbers and names as before it had types."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import test_collapse
import test_few_shot_report
import test_proxy_ranking
import test_rung_ranking
from report_examples import ACCURACY, LOSS, FakeLedger, fake, realistic, values_only

from automl.report import collect

GOLDEN = Path(__file__).parent / "golden"
TWO = [*ACCURACY, {"name": "parameters", "direction": "minimize"}]
PARTLY_FAILED: dict[str, list[float | None]] = {"random": [3.0, 2.0, 4.0], "tpe": [None, 1.5, 1.0]}
EXAMPLES: dict[str, Callable[[], FakeLedger]] = {
    "just_begun": lambda: fake(state="running"),
    "cells_two_metrics": lambda: realistic(seeds=2, trials=12, metrics=TWO),
    "cells_importance": lambda: realistic(seeds=3, trials=12),
    "loss_without_result": lambda: values_only(PARTLY_FAILED, metrics=LOSS),
    "few_shot": test_few_shot_report.few_shot,
    "few_shot_sealed": lambda: test_few_shot_report.few_shot(opened=False),
    "collapse": lambda: test_collapse.campaign(seeds=2),
    "healthy": lambda: test_collapse.campaign(test_collapse.HEALTHY, epochs=3),
    "proxies": test_proxy_ranking.ledger,
    "rungs": lambda: test_rung_ranking.campaign(test_rung_ranking.MIXED),
}


def comparable(value: object) -> object:
    """Floats with ten digits, as other versions of scipy may differ in the last one; no texts for people."""
    if isinstance(value, str):
        return "a text" if " " in value else value
    if isinstance(value, float):
        return float(f"{value:.10g}")
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    return [comparable(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_json_is_that_of_the_golden_file(name: str) -> None:
    """Keys and their order, types, names and numbers; texts for people may change."""
    ledger = EXAMPLES[name]()
    golden = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    data = collect(ledger, ledger.row.id).to_json()
    assert json.dumps(comparable(data), indent=1) == json.dumps(comparable(golden), indent=1)
