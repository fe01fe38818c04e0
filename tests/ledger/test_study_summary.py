from __future__ import annotations

from automl.contracts import Direction, Metric
from automl.ledger.study_summary import ArmSummary, StudySummary

SPEC = {
    "task": {
        "dataset": "digits",
        "metrics": [
            {"name": "accuracy", "direction": "maximize"},
            {"name": "latency", "direction": "minimize"},
        ],
    },
    "evaluator": {"name": "network", "options": {"epochs": 8}},
    "arms": {
        "tpe": {"strategy": {"name": "tpe", "options": {}}, "pruner": {"name": "asha", "options": {}}},
        "darts": {"strategy": None, "evaluator": {"name": "supernet", "options": {}}},
        "resnet": {"reference": "resnet"},
    },
    "executor": {"name": "local", "options": {}},
    "record": "searches",
}


def test_a_study_by_names() -> None:
    summary = StudySummary.from_json(SPEC)
    assert summary.metrics == (Metric("accuracy", Direction.MAXIMIZE), Metric("latency", Direction.MINIMIZE))
    assert (summary.dataset, summary.executor, summary.record) == ("digits", "local", "searches")
    assert summary.arms == {
        "tpe": ArmSummary(strategy="tpe", pruner="asha", evaluator="network"),
        "darts": ArmSummary(evaluator="supernet"),
        "resnet": ArmSummary(evaluator="network", reference="resnet"),
    }


def test_a_study_without_a_dataset_records_its_trials() -> None:
    summary = StudySummary.from_json({"task": {"metrics": []}, "arms": {"random": None}})
    assert (summary.dataset, summary.executor, summary.record) == (None, "", "trials")
    assert summary.arms == {"random": ArmSummary()}
