"""A study's JSON in the ledger becomes typed settings."""

from __future__ import annotations

import pytest
from report_examples import RANDOM, fake

from automl.contracts import Direction, Metric, PluginSpec
from automl.report.settings import ArmSettings, Budget, EpisodeSettings, StudySettings, option


def test_a_study_is_read() -> None:
    space = {"name": "nasbench201", "fix": {}, "narrow": {}}
    study = StudySettings.from_json(fake({"random": RANDOM}, seeds=(3, 4), space=space).row.spec)
    assert study.metrics == (Metric("accuracy", Direction.MAXIMIZE),)
    assert (study.dataset, study.space_name, study.seeds) == ("digits", "nasbench201", (3, 4))
    assert study.budget == Budget(device_seconds=120.0, trials=None, wall_seconds=None)
    assert study.evaluator_of("random") == PluginSpec("network")
    assert study.arm("random").strategy == PluginSpec("random")
    assert study.episodes is None


def test_few_shot_studies_have_episodes() -> None:
    task = {"metrics": [{"name": "accuracy", "direction": "maximize"}], "episodes": {"count": 600}}
    study = StudySettings.from_json(fake(task=task).row.spec)
    assert study.episodes == EpisodeSettings(600, ())
    assert study.dataset is None


def test_an_arm_that_the_study_does_not_list_is_empty() -> None:
    study = StudySettings.from_json(fake().row.spec)
    assert study.arm("gone") == ArmSettings()
    assert study.evaluator_of("gone") == study.evaluator
    assert study.space_name is None


@pytest.mark.parametrize(
    ("arm", "one_shot"),
    [
        (ArmSettings(evaluator=PluginSpec("a")), True),
        (ArmSettings(evaluator=PluginSpec("a"), strategy=PluginSpec("b")), False),
        (ArmSettings(evaluator=PluginSpec("a"), reference="c"), False),
        (ArmSettings(strategy=PluginSpec("b")), False),
    ],
)
def test_an_arm_with_an_evaluator_alone_is_one_shot(arm: ArmSettings, one_shot: bool) -> None:
    assert arm.one_shot is one_shot


def test_a_pruner_that_is_not_installed_is_taken_to_prune() -> None:
    arm = ArmSettings(pruner=PluginSpec("no_longer_here"))
    assert arm.prunes and arm.build_pruner() is None
    assert not ArmSettings().prunes and ArmSettings().build_pruner() is None


def test_options_are_as_written_or_unknown() -> None:
    assert option(PluginSpec("no_longer_here", {"method": "darts"}), "method") == "darts"
    assert option(PluginSpec("no_longer_here"), "method") is None
