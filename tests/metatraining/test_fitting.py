"""What keeps the learners of a space from a task."""

from __future__ import annotations

from typing import Any

import pytest

from automl import plugins
from automl.contracts import Direction, EpisodeSpec, Metric, TaskOutline
from automl.metatraining import fitting
from automl.metatraining.options import MetaLearnOptions
from automl.space import Choice, Int, Space

IMAGES = TaskOutline((Metric("accuracy", Direction.MAXIMIZE),), has_data=True, episodes=EpisodeSpec())
LINES = TaskOutline((Metric("mse", Direction.MINIMIZE),), has_data=True, episodes=EpisodeSpec(ways=0))


@pytest.mark.parametrize(
    ("given", "space", "task", "text"),
    [
        ({}, "protonet", LINES, "the learner protonet must suit the task, but it learns classification"),
        ({}, "nasbench201", IMAGES, "a parameter must be an option of the learner 'maml'"),
        ({"train_ways": 10}, "maml", IMAGES, "train_ways must be left out for maml"),
        ({"train_ways": 10}, "protonet", IMAGES, None),
        ({"train_ways": 5}, "maml", IMAGES, None),
        ({}, "maml", LINES, None),
    ],
)
def test_what_keeps_learners_from_a_space_is_said(
    given: dict[str, Any], space: str, task: TaskOutline, text: str | None
) -> None:
    mistakes = list(
        fitting.mistakes(MetaLearnOptions.model_validate(given), plugins.load("spaces", space), task)
    )
    assert [option for option, _ in mistakes] == ([] if text is None else [""])
    assert text is None or text in mistakes[0][1]


def test_each_learner_that_the_space_can_choose_is_looked_at() -> None:
    space = Space({"learner": Choice(("maml", "protonet", "siamese")), "meta_batch": Int(1, 4)})
    texts = [text for _, text in fitting.mistakes(MetaLearnOptions(), space, LINES)]
    assert [text.split()[2] for text in texts] == ["protonet", "siamese"]


def test_the_highest_values_of_some_parameters() -> None:
    space = Space({"a": Int(1, 4), "b": Choice((2, 7, "x")), "c": Choice(("x", "y")), "d": Int(1, 9)})
    assert fitting.highest(space, ["a", "b", "c", "none"]) == {"a": 4, "b": 7, "c": None}
