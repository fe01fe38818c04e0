"""Results of supernet searches keep their JSON, so that interrupted trials of older versions continue."""

from __future__ import annotations

from typing import Any

import pytest

from automl.oneshot.result import EpochMeans, EpochRecord, SupernetResult, Verdict

GENOTYPE = {"edge_0_1": "skip_connect", "edge_0_2": "nor_conv_3x3"}
START = {
    "epoch": 0,
    "genotype": GENOTYPE,
    "strengths": [[0.5, 0.5], [0.4, 0.6]],
    "entropy": 0.68,
    "skips": 1,
    "derived": 2,
    "skip_share": 0.45,
}
EPOCH = {
    "epoch": 1,
    "train_loss": 1.5,
    "validation_loss": 1.6,
    "validation_accuracy": 0.4,
    **{key: value for key, value in START.items() if key != "epoch"},
    "none_share": 0.1,
    "supernet_accuracy": 0.5,
    "path_accuracy": 0.375,
    "discretisation_gap": 0.125,
    "eigenvalue": 2.0,
    "eigenvalue_products": 7,
}
VERDICT = {
    "collapsed": True,
    "alarms": {"skips": 1},
    "epoch": 1,
    "rule": "skips",
    "action": "rollback",
    "rollback": 0,
    "genotype": GENOTYPE,
}
FOUND: dict[str, Any] = {
    "genotype": GENOTYPE,
    "epochs": 1,
    "seconds": 2.5,
    "selection_seconds": 0.5,
    "health_seconds": 0.25,
    "skips": 1,
    "verdict": VERDICT,
    "selected": {"paths_scored": 3.0},
    "edges": ["edge_0_1", "edge_0_2"],
    "operations": ["skip_connect", "nor_conv_3x3"],
    "history": [START, EPOCH],
    "rank": [{"config": GENOTYPE, "supernet": 0.5}],
}  # as the first version wrote it into its checkpoints


def test_a_checkpoint_of_the_first_version_is_read_and_written_alike() -> None:
    result = SupernetResult.from_checkpoint((5, {"carry": {"found": FOUND}}))
    assert result is not None
    assert result.carry() == {"found": {**FOUND, "epoch_seconds": None, "part": 1.0, "changed": 0}}
    assert result.verdict.genotype == GENOTYPE and result.rank[0].supernet == 0.5


@pytest.mark.parametrize("checkpoint", [None, (3, {"method": {}}), (3, {"carry": {}})], ids=str)
def test_a_checkpoint_of_a_search_carries_no_result(checkpoint: Any) -> None:
    assert SupernetResult.from_checkpoint(checkpoint) is None


def test_a_method_without_alpha_has_means_alone() -> None:
    record = EpochRecord(2, EpochMeans(1.0, 1.1, 0.5))
    data = {"epoch": 2, "train_loss": 1.0, "validation_loss": 1.1, "validation_accuracy": 0.5}
    assert record.to_json() == data and EpochRecord.from_json(data) == record


def test_a_healthy_search_has_a_short_verdict() -> None:
    assert Verdict().to_json() == {"collapsed": False, "alarms": {}}
    assert Verdict.from_json({"collapsed": False, "alarms": {}}) == Verdict()


def test_metrics_say_the_cost_and_the_collapse() -> None:
    metrics = SupernetResult.from_json(FOUND).metrics()
    assert metrics == {
        "epochs": 1.0,
        "seconds": 2.5,
        "selection_seconds": 0.5,
        "health_seconds": 0.25,
        "skips": 1.0,
        "paths_scored": 3.0,
        "collapsed": 1.0,
        "alarm_skips": 1.0,
        "entropy": 0.68,
        "collapse_epoch": 1.0,
        "stopped": 1.0,
        "rollback_epoch": 0.0,
    }
