"""The places of arms, and the optimism of their selection."""

import json

import pytest
from report_examples import FakeLedger, fake, realistic, values_only

from automl.report import collect, html
from automl.report import optimism as gaps
from automl.report.ranking import lines, places
from automl.report.wording import Units

THREE: dict[str, list[float | None]] = {
    "random": [0.50, 0.51, 0.52, 0.50, 0.51],
    "tpe": [0.80, 0.82, 0.81, 0.80, 0.81],
    "gp": [0.805, 0.817, 0.815, 0.795, 0.812],
}


def test_arms_that_are_not_told_apart_share_their_places() -> None:
    ledger = values_only(THREE)
    comparison = collect(ledger, ledger.row.id).comparison
    found = {place.arm: (place.best, place.worst) for place in places(comparison)}
    assert found == {"tpe": (1, 2), "gp": (1, 2), "random": (3, 3)}
    assert list(lines(comparison))[-1] == "random: place 3"
    assert any(line.endswith("places 1 to 2 (better than random)") for line in lines(comparison))


def test_equivalent_arms_are_named() -> None:
    ledger = values_only(THREE, equivalent=0.05)
    comparison = collect(ledger, ledger.row.id).comparison
    by_arm = {place.arm: place for place in places(comparison)}
    assert by_arm["tpe"].equivalent_to == ("gp",) and by_arm["gp"].equivalent_to == ("tpe",)
    (pair,) = [pair for pair in comparison.pairs if pair.verdict == "equivalent"]
    assert "are equivalent: within the margin" in pair.sentence


def test_two_arms_need_no_ranking() -> None:
    ledger = values_only({"random": [0.1, 0.2], "tpe": [0.2, 0.4]})
    report = collect(ledger, ledger.row.id)
    assert report.comparison.pairs == () and places(report.comparison) == ()
    assert "<h2>Ranking</h2>" not in html(report)


def retrained() -> FakeLedger:
    """Retrained winners are 0.1 worse than selected on average, and their test values another 0.05."""
    ledger = fake({"random": {"strategy": {"name": "random", "options": {}}}}, seeds=range(4))
    for seed, noise in enumerate([0.01, -0.01, 0.02, -0.02]):
        search = ledger.search("random", seed, winner=f"nas-digits-3/random/{seed}/0")
        ledger.trial(search, 0, [0.9])
        for number in range(3):
            ledger.trial(search, number, [0.8 + noise], kind="final")
        ledger.opening(search, [0.75 + noise] * 3)
    return ledger


def test_optimism_has_a_mean_and_an_interval_for_each_step() -> None:
    ledger = retrained()
    found = collect(ledger, ledger.row.id).comparison.optimism["random"]
    assert found.validation_to_fresh.mean == pytest.approx(-0.1)
    assert found.validation_to_test.mean == pytest.approx(-0.15)
    assert found.validation_to_fresh.seeds == 4
    low, high = found.validation_to_fresh.interval or (0.0, 0.0)
    # t(0.975, 3) = 3.182 · sd 0.018257 / 2
    assert (low, high) == (pytest.approx(-0.1 - 0.029048, abs=1e-5), pytest.approx(-0.1 + 0.029048, abs=1e-5))
    (line,) = gaps.lines({"random": found}, Units.of("accuracy", [0.9]))
    assert line.startswith("random: best → fresh −10.0 (−12.9 to −7.1), fresh → test −5.0")


def test_optimism_without_retrainings_is_not_shown() -> None:
    ledger = values_only(THREE)
    report = collect(ledger, ledger.row.id)
    assert report.comparison.optimism["tpe"].validation_to_fresh.mean is None
    assert list(gaps.lines(report.comparison.optimism, report.units)) == []
    assert gaps.section(report.comparison.optimism, report.units) == ""


def test_everything_is_in_the_json_and_on_the_page() -> None:
    ledger = realistic(seeds=3, trials=12)
    report = collect(ledger, ledger.row.id)
    data, page = json.loads(json.dumps(report.to_json())), html(report)
    assert [place["arm"] for place in data["places"]] == data["ranking"]
    assert len(data["pairs"]) == 6
    assert set(data["optimism"]) == set(data["arms"])
    assert "<h2>Ranking</h2>" in page and "<h2>Optimism of the selection</h2>" in page
