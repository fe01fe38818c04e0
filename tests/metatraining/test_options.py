"""Options of meta-training: those of the learner, parameters that set them, the backbone."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from automl.contracts import Direction, EpisodeSpec, Metric, UserError
from automl.metatraining.options import MetaLearnOptions, find_learner, task_kind


def options(**given: object) -> MetaLearnOptions:
    return MetaLearnOptions.model_validate(given)


def test_parameters_override_options_and_another_learner_drops_what_it_has_not() -> None:
    given = options(learner="maml", inner_steps=3, width=8, decay=50)
    assert given.adjusted({"width": 16}).width == 16
    assert given.adjusted({"inner_steps": 2}).learner_options().model_dump()["inner_steps"] == 2
    other = given.adjusted({"learner": "protonet"})
    assert "inner_steps" not in other.model_dump() and other.learner_options().decay == 50
    with pytest.raises(UserError, match=r"option of the learner 'maml'.*did you mean 'inner_steps'"):
        given.adjusted({"inner_step": 2})
    with pytest.raises(ValidationError, match="meta-learner must be one of those there are"):
        options(learner="mamml")


def test_auto_is_a_backbone_for_each_kind_of_tasks() -> None:
    assert options().backbone_for("classification") == "conv4"
    assert options().backbone_for("regression") == "mlp"
    assert options(backbone="mlp").backbone_for("classification") == "mlp"
    assert task_kind((Metric("mse", Direction.MINIMIZE),)) == "regression"
    assert task_kind((Metric("accuracy", Direction.MAXIMIZE),)) == task_kind(()) == "classification"


def test_training_episodes_are_the_tasks_unless_set() -> None:
    spec = EpisodeSpec(ways=5, shots=1, queries=15, rotations=True)
    assert options().training_episodes(spec) == spec
    drawn = options(train_ways=20, train_shots=2, train_rotations=False).training_episodes(spec)
    assert (drawn.ways, drawn.shots, drawn.queries, drawn.rotations) == (20, 2, 15, False)


def test_many_unknown_options_are_named_with_one_list_of_the_known_ones() -> None:
    with pytest.raises(ValidationError) as caught:
        options(first=1, second=2, outer_rate=-1.0)
    text = str(caught.value)
    assert "option of maml must be one of those there are, but got 'first', 'second'; known:" in text
    assert "outer_rate: Input should be greater than 0, but got -1.0" in text
    assert text.count("known:") == 1


def test_a_plug_in_that_is_no_learner_is_refused() -> None:
    with pytest.raises(UserError, match=r"a meta-learner must (be a class that )?extend"):
        find_learner("automl.contracts:LearnerTraits")
