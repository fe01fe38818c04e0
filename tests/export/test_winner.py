"""best.yaml: which winner, what is claimed, and that a changed file is refused."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import yaml

from automl.contracts import UserError
from automl.export import Winner, read_winner
from automl.export.certificate import find_winner
from automl.export.signing import sign
from automl.export.winner import write_winner
from automl.ledger import Ledger
from automl.report import collect


def test_a_written_file_reads_back_equal(finished: Any, finished_ledger: Ledger, best: Path) -> None:
    assert read_winner(best) == sign(find_winner(finished_ledger, finished.campaign), finished.store)


def test_the_winner_is_best_on_validation_and_never_by_test(finished: Any, finished_ledger: Ledger) -> None:
    arms = collect(finished_ledger, finished.campaign).arms
    certificate = find_winner(finished_ledger, finished.campaign).certificate
    means = {(name, s.seed): fmean(s.fresh) for name, arm in arms.items() for s in arm.searches}
    assert means[certificate.arm, certificate.seed] == max(means.values())


def test_the_certificate_says_what_the_ledger_says(finished: Any, finished_ledger: Ledger) -> None:
    winner = find_winner(finished_ledger, finished.campaign, "resnet")
    certificate = winner.certificate
    (search,) = [s for s in finished_ledger.searches(finished.campaign) if s.id in certificate.trial]
    trials = finished_ledger.trials(search=search.id)
    assert winner.config == {"depth": 2, "width": 1, "kernel": 3}
    assert winner.space.name == "resnet"
    assert winner.training.options["epochs"] == 2
    assert winner.training.options["momentum"] == 0.9  # defaults are written out: they may change
    assert certificate.trial == search.winner
    assert certificate.device_seconds.search == pytest.approx(trials[-1].device_seconds)
    assert certificate.values.fresh == [t.values[0] for t in trials if t.kind == "final" and t.values]
    (opening,) = [o for o in finished_ledger.openings(finished.campaign) if o.search == search.id]
    assert certificate.values.test == opening.values
    assert certificate.test_openings == 6  # three arms, two seeds
    assert certificate.arms == ["random", "tpe", "resnet"]
    assert certificate.seeds == [0, 1]
    assert certificate.baseline is not None
    assert certificate.baseline.against == "random"
    decided = {"better": True, "worse": False, "undecided": None}
    assert certificate.baseline_beaten is decided[certificate.baseline.verdict]
    assert certificate.data is not None
    assert len(certificate.data) == 64


def test_unknown_arms_and_unfinished_campaigns_are_refused(finished: Any, finished_ledger: Ledger) -> None:
    with pytest.raises(UserError, match=r"'tqe'; did you mean 'tpe'\? known: random, tpe, resnet"):
        find_winner(finished_ledger, finished.campaign, "tqe")
    row = finished_ledger.campaign(finished.campaign)
    assert row is not None
    begun = finished_ledger.create_campaign("begun", {**row.spec, "name": "begun"}, "d", {})
    with pytest.raises(UserError, match="must be finished to be exported, but begun-1 is interrupted"):
        find_winner(finished_ledger, begun.id)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: tiny", "name: tinier", "checksum: must be the checksum"),
        ("validation: 0.2", "validation: 0.3", "checksum: must be the checksum"),
        ("version: 1", "version: 2", "version: .*1, but got 2"),
        ("config:", "configs:", "configs: must be a known key"),
        ("arm: ", "arm: 3 #", "certificate.arm: must be text"),
        ("import_path:", "import_path: [", "must be valid YAML"),
    ],
)
def test_a_changed_file_is_refused(best: Path, old: str, new: str, message: str) -> None:
    text = best.read_text()
    assert old in text
    best.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=message) as refused:
        read_winner(best)
    assert str(best) in str(refused.value)


def test_a_file_cut_off_anywhere_is_refused(best: Path) -> None:
    text = best.read_bytes()
    for length in random.Random(0).sample(range(len(text) - 2), 25):
        best.write_bytes(text[:length])
        with pytest.raises(UserError):
            read_winner(best)


@pytest.mark.parametrize("content", ["", "[]", "3", "a: &x 1\nb: *x", "\x00", "version: 1"])
def test_any_other_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "best.yaml"
    path.write_text(content)
    with pytest.raises(UserError):
        read_winner(path)


@pytest.mark.parametrize(
    "text", ["1e3", "12345e67", "0123", "+1", "1.20.1", "no", "null", "~", "a: b", "# x", ""]
)
def test_texts_stay_texts(finished: Any, finished_ledger: Ledger, tmp_path: Path, text: str) -> None:
    winner = find_winner(finished_ledger, finished.campaign)
    changed = winner.model_copy(update={"provenance": {"study": text}}).sealed()
    write_winner(changed, tmp_path / "best.yaml")
    assert read_winner(tmp_path / "best.yaml") == changed
    assert yaml.safe_load((tmp_path / "best.yaml").read_text())["name"] == "tiny"


def test_a_genotype_is_trained_instead_of_the_configuration(finished: Any, finished_ledger: Ledger) -> None:
    winner = find_winner(finished_ledger, finished.campaign)
    assert winner.trained == winner.config
    derived: Winner = winner.model_copy(update={"config": {}, "genotype": winner.config})
    assert derived.trained == winner.config


def test_a_one_shot_search_is_exported_with_its_protocol(
    finished: Any, finished_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = finished_ledger.campaign(finished.campaign)
    assert row is not None
    spec = {**row.spec, "arms": {**row.spec["arms"]}}
    spec["arms"]["tpe"] = {**spec["arms"]["tpe"], "evaluator": {"name": "supernet", "options": {}}}
    report = collect(finished_ledger, finished.campaign)
    derived = tuple(
        replace(search, best=replace(search.best, config={}, derived=search.best.config))
        for search in report.arms["tpe"].searches
        if search.best is not None
    )
    arms = {**report.arms, "tpe": replace(report.arms["tpe"], searches=derived)}
    changed = replace(report, arms=arms)
    monkeypatch.setattr("automl.export.certificate.collect", lambda *_: changed)
    monkeypatch.setattr(finished_ledger, "campaign", lambda _: replace(row, spec=spec))
    winner = find_winner(finished_ledger, finished.campaign, "tpe")
    assert winner.config == {}
    assert set(winner.trained) == {"edge_0_1", "edge_0_2", "edge_1_2", "edge_0_3", "edge_1_3", "edge_2_3"}
    assert winner.training.name == "network"
