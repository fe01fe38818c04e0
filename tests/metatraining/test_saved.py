"""Saved learners: described in plain JSON, read back, also those of older versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from automl.checking.episodes import images
from automl.contracts import UserError
from automl.learners.backbones import Backbone
from automl.learners.maml import Maml, MamlOptions
from automl.metatraining.description import LearnerDescription
from automl.metatraining.saved import load_learner, save_learner

WRITTEN = {  # by version 0.1, commit 10a45bd
    "format": 1,
    "learner": "maml",
    "options": {
        "outer_rate": 0.001,
        "decay": 0,
        "clip": 0.0,
        "formulation": "loop",
        "tasks_at_once": 0,
        "inner_rate": 0.01,
        "inner_steps": 1,
        "first_order": False,
        "multi_step": 0,
        "learned_rates": False,
    },
    "backbone": ["conv4", [1, 8, 8], 4, False],
    "ways": 3,
    "config": {"learner": "maml", "width": 4},
}


def maml() -> Maml:
    options = MamlOptions(formulation="loop")
    return Maml(options, Backbone("conv4", (1, 8, 8), 4), ways=3, seed=2)


def test_a_learner_is_described_as_before(tmp_path: Path) -> None:
    save_learner(maml(), "maml", {"learner": "maml", "width": 4}, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text()) == WRITTEN
    assert LearnerDescription.from_json(WRITTEN).to_json() == WRITTEN


def test_a_folder_of_an_older_version_adapts_as_it_did(tmp_path: Path) -> None:
    torch.save(maml().parameters_for_export(), tmp_path / "weights.pt")
    (tmp_path / "config.json").write_text(json.dumps(WRITTEN))
    tasks = images(2)
    torch.testing.assert_close(load_learner(tmp_path).predict(tasks), maml().predict(tasks))


def test_a_damaged_folder_of_a_learner_is_refused(tmp_path: Path) -> None:
    for text in ("{", "{}", '{"backbone": [1]}'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(UserError, match=r"must hold config\.json and weights\.pt"):
            load_learner(tmp_path)
