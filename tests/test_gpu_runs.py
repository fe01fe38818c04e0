"""What `make gpu` runs, on a CPU: only the card itself stays untried where there is no GPU."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent / "gpu"


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_cards", HERE / "cards.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gpu_cards", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("evaluator", "options"),
    [("network", {"precision": "bf16", "epochs": 1}), ("supernet", {"method": "gdas"}), ("pipeline", {})],
)
def test_a_trial_is_measured_and_its_seed_repeats_it(
    cards: ModuleType, evaluator: str, options: dict[str, object]
) -> None:
    card = cards.Card("cpu")
    first, again = (card.run(cards.trials_of(evaluator, **options), seed=3) for _ in range(2))
    assert (first.result.values, first.reports) == (again.result.values, again.reports)
    assert first.seconds > 0 and first.peak == 0


def test_the_table_says_what_it_was_measured_on(cards: ModuleType) -> None:
    title, _, head, rule, row = cards.table(
        cards.Card("cpu").title, [("network", "bf16", "1.20", "30", "yes")]
    )
    assert "CPU, torch" in title
    assert head == "| evaluator | what | seconds | peak MiB | ok |" and rule.count("---") == 5
    assert row == "| network | bf16 | 1.20 | 30 | yes |"
