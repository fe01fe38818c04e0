import io

import pytest
from report_examples import LOSS, FakeLedger, fake, realistic, values_only
from rich.console import Console

from automl.report import collect, terminal

ID = "nas-digits-3"


def printed(ledger: FakeLedger, width: int = 80) -> str:
    text = io.StringIO()
    console = Console(width=width, file=text)
    console.print(terminal(collect(ledger, ID)))
    return text.getvalue()


def test_table_and_verdicts_fit_80_columns() -> None:
    text = printed(realistic(seeds=3, trials=10))
    assert max(map(len, text.splitlines())) <= 80
    rows = [line.split() for line in text.splitlines()]
    arms = [row[0] for row in rows if row and row[0] in ("random", "tpe", "darts", "resnet")]
    assert len(arms) == 4
    assert "cannot tell yet whether tpe is better than random" in " ".join(text.split())
    assert "The test set was opened 12 times." in text
    assert "…" not in text


def test_rows_are_sorted_best_first_and_carry_all_levels() -> None:
    ledger = values_only({"random": [1.0, 1.2], "tpe": [0.5, 0.7]}, metrics=LOSS)
    lines = printed(ledger).splitlines()
    table = [line.split() for line in lines if line.startswith(("tpe ", "random "))]
    assert table == [
        ["tpe", "★", "2/0/0", "1", "s", "0.6", "±", "0.14", "–", "–"],
        ["random", "2/0/0", "1", "s", "1.1", "±", "0.14", "–", "–"],
    ]


def test_the_exported_winner_is_named_with_its_reason() -> None:
    text = " ".join(printed(values_only({"random": [1.0, 1.2], "tpe": [0.7, 0.5]}, metrics=LOSS)).split())
    rule = "best value on validation data, among all searches"
    assert f"★ exported winner: tpe, seed 1, trial 0: loss 0.5, {rule}" in text
    assert "★" not in printed(fake(state="running"))


@pytest.mark.parametrize("state", ["running", "interrupted"])
def test_an_unfinished_campaign_says_so(state: str) -> None:
    text = printed(fake(state=state))
    assert f"the campaign is {state}: all numbers and verdicts are interim" in text
    assert "tpe has not started with seeds 0, 1, 2" in text
    assert "The test set is sealed." in text


def test_names_are_never_markup() -> None:
    text = printed(values_only({"random": [0.5, 0.6], "[red]x[/red]": [0.5, 0.7]}))
    assert "[red]x[/red]" in text
