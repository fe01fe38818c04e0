"""What a campaign tells a program or a notebook, and what it does for them."""

from __future__ import annotations

from pathlib import Path

import pytest

import automl
from automl.contracts import Config, UserError
from automl.export.winner import read_winner
from automl.ledger import Ledger, Store

SPACE = {"x": automl.Float(-2, 2)}


def bowl(config: Config) -> float:
    return float(config["x"] or 0) ** 2


@pytest.fixture
def campaign(store: Store) -> automl.Campaign:
    return automl.minimize(bowl, SPACE, trials=3, seeds=2, store=store, progress="quiet")


def test_it_tells_how_it_stands(campaign: automl.Campaign) -> None:
    report, text = campaign.report, str(campaign)
    assert repr(campaign) == "<Campaign bowl-1: finished>" and repr(report) == "<Report of bowl-1: finished>"
    assert text == str(report) and "bowl-1  finished" in text and "exported winner" in text
    assert report.study == "bowl" and set(report.arms) == {"random", "tpe"}
    assert "<title>" in report.html()
    shown = campaign._repr_html_()
    assert "<table>" in shown and "★" in shown and "<script" not in shown
    curve = campaign.anytime()
    assert list(curve.columns) == ["arm", "seed", "device_seconds", "best"] and len(curve) == 12
    for _, one in curve.groupby(["arm", "seed"]):
        assert one["device_seconds"].is_monotonic_increasing and one["best"].is_monotonic_decreasing


def test_figures_are_plotly_ones(campaign: automl.Campaign) -> None:
    for name in ("anytime", "differences", "levels"):
        assert type(campaign.figure(name)).__module__.startswith("plotly"), name
    with pytest.raises(UserError, match="must be one of anytime"):
        campaign.figure("curve")
    with pytest.raises(UserError, match="'pareto' needs results that bowl-1 does not have"):
        campaign.figure("pareto")


@pytest.mark.slow
def test_it_goes_before_the_gate(campaign: automl.Campaign, store: Store) -> None:
    judged = campaign.promote(dry_run=True)
    assert judged.action == "refuse" and [one.name for one in judged.failing] == ["beats random"]
    with Ledger(store) as ledger:
        assert ledger.promotions() == []
        forced = campaign.promote(arm="tpe", force="the first one")
        assert (forced.action, forced.version, forced.arm) == ("promote", 1, "tpe")
        assert [row.action for row in ledger.promotions("bowl")] == ["promote"]


@pytest.mark.slow
def test_it_is_compared_with_others_of_its_store(campaign: automl.Campaign, store: Store) -> None:
    other = automl.minimize(bowl, SPACE, trials=3, seeds=2, store=store, fresh=True, progress="quiet")
    comparison = other.compare(campaign)
    assert repr(comparison) == "<Comparison of bowl-2, bowl-1>" and len(comparison.pairs) == 1
    assert "bowl-2" in str(comparison) and "<pre>" in comparison._repr_html_()
    assert str(other.compare("bowl-1")) == str(comparison)
    with pytest.raises(UserError, match="two campaigns or more"):
        other.compare()
    with pytest.raises(UserError, match="did you mean 'bowl'"):
        other.compare("bowll")


def test_campaigns_of_two_stores_are_not_compared(
    campaign: automl.Campaign, new_store: object, tmp_path: Path
) -> None:
    assert callable(new_store)
    other = automl.Campaign("bowl-1", new_store(tmp_path / "elsewhere"))
    with pytest.raises(UserError, match="in one store to be compared"):
        campaign.compare(other)
    with pytest.raises(UserError, match="bowl-1 is not"):
        _ = other.state


def test_it_exports_its_winner(campaign: automl.Campaign, tmp_path: Path) -> None:
    campaign.export(tmp_path / "best.yaml")
    winner, best = read_winner(tmp_path / "best.yaml"), campaign.best
    assert best is not None and winner.config == best.config and winner.certificate.campaign == "bowl-1"
    campaign.export(tmp_path / "random.yaml", arm="random")
    assert read_winner(tmp_path / "random.yaml").certificate.arm == "random"


def test_it_is_stopped_and_paused_from_another_process(campaign: automl.Campaign) -> None:
    assert "has ended" in campaign.stop() and "nothing was changed" in campaign.resume()
    with pytest.raises(UserError, match="must run to be paused"):
        campaign.pause()


def test_a_label_and_a_file_name_it_too(campaign: automl.Campaign, store: Store, tmp_path: Path) -> None:
    with Ledger(store) as ledger:
        ledger.label_campaign("bowl-1", "first try")
    (tmp_path / "bowl.yaml").write_text("name: bowl\n")
    for name in ("bowl", "bowl-1", "first try", str(tmp_path / "bowl.yaml")):
        assert automl.open(name, store=store) == campaign
    assert automl.campaigns("other", store=store) == []
