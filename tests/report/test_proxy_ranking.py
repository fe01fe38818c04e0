import json

import pytest
from report_examples import ACCURACY, LOSS, RANDOM, FakeLedger, fake

from automl.contracts import TrialState
from automl.report import collect, html
from automl.report.proxy_ranking import TITLE, ProxyRank, lines

ID = "nas-digits-3"
SCORES = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
VALUES = [0.1, 0.3, 0.2, 0.4, 0.6, 0.5]  # two neighbours out of order: tau = (13 - 2) / 15


def ledger(metrics: list[dict[str, str]] = ACCURACY) -> FakeLedger:
    found = fake({"random": RANDOM, "resnet": {"reference": "resnet"}}, metrics=metrics)
    search = found.search("random", 0)
    for number, (score, value) in enumerate(zip(SCORES, VALUES, strict=True)):
        scores = {"proxy_synflow": score, "proxy_snip": -score, "proxy_flat": 1.0, "train_loss": value}
        found.trial(search, number, [value], metrics=scores)
    found.trial(search, 6, None, state=TrialState.PRUNED, metrics={"proxy_synflow": 100.0})
    found.trial(search, 0, [0.9], kind="final", metrics={"proxy_synflow": -100.0})
    found.trial(found.search("resnet", 0), 0, [0.9], metrics={"proxy_synflow": -100.0})
    return found


def test_correlations_of_each_proxy_over_complete_trials_of_the_studys_space() -> None:
    rows = collect(ledger(), ID).proxies
    assert [row.proxy for row in rows] == ["synflow", "snip", "flat"]
    assert {row.trials for row in rows} == {6}
    # Spearman: 1 - 6 * sum of squared rank differences / (n (n^2 - 1)), four of which are 1
    assert rows[0].spearman == pytest.approx(1 - 6 * 4 / (6 * 35))
    assert rows[0].kendall == pytest.approx(11 / 15)
    assert rows[1].spearman == pytest.approx(-rows[0].spearman)
    assert rows[2].spearman is rows[2].kendall is None


def test_better_is_positive_also_where_less_is_better() -> None:
    rows = collect(ledger(LOSS), ID).proxies
    assert [row.proxy for row in rows] == ["snip", "synflow", "flat"]
    assert rows[0].kendall == pytest.approx(11 / 15)


def test_fewer_than_five_trials_say_nothing() -> None:
    found = fake()
    search = found.search("random", 0)
    for number in range(4):
        found.trial(search, number, [float(number)], metrics={"proxy_synflow": float(number)})
    [row] = collect(found, ID).proxies
    assert row == ProxyRank("synflow", 4, None, None)


def test_the_section_is_shown_and_plain_json() -> None:
    data = collect(ledger(), ID)
    json.dumps(data.to_json()["proxies"], allow_nan=False)
    first, second, _ = lines(data.proxies)
    assert first == "synflow  Spearman 0.89, Kendall 0.73 (6 trials)"
    assert second == "snip     Spearman −0.89, Kendall −0.73 (6 trials)"
    assert TITLE in html(data)
    assert TITLE not in html(collect(fake(), ID))
