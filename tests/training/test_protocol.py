"""An evaluator that trains networks is known by its contract: a copy under another name serves as well."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fake_context import FakeContext, image_task

from automl import plugins
from automl.contracts import Config, Context, Evaluator, PluginSpec, Result, UserError
from automl.evaluators import network, supernet
from automl.evaluators.pipeline import Pipeline
from automl.searchspaces.nasbench201 import PLUGIN as CELL
from automl.training.protocol import NetworkTrainer, require_trainer

torch.set_num_threads(1)
SIZES = {"epochs": 1, "batch_size": 16, "channels": 2}


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The evaluators `network` and `supernet` as a user's own files `my_trainer` and `my_search`."""
    folder = tmp_path / "plugins" / "evaluators"
    folder.mkdir(parents=True)
    for module, name in ((network, "my_trainer"), (supernet, "my_search")):
        assert module.__file__ is not None
        shutil.copy(module.__file__, folder / f"{name}.py")
    monkeypatch.setenv("AUTOML_PLUGINS", str(folder.parent))


def search(name: str, protocol: Evaluator, folder: Path) -> Result:
    evaluator = plugins.build("evaluators", PluginSpec(name, {"epochs": 1, "batch_size": 8}))
    context = FakeContext(folder, given_task=image_task(rows=24), space=CELL, protocol=protocol)
    result = evaluator.evaluate({}, context)
    return replace(result, metrics={})


def test_copies_under_other_names_search_and_train_alike(copies: None, tmp_path: Path) -> None:
    own = plugins.build("evaluators", PluginSpec("network", SIZES))
    copy = plugins.build("evaluators", PluginSpec("my_trainer", SIZES))
    assert type(own) is not type(copy) and isinstance(copy, NetworkTrainer)
    assert search("supernet", own, tmp_path / "a") == search("my_search", copy, tmp_path / "b")


class Half(NetworkTrainer):
    """Trains by the recipe, and reports half of the value."""

    def train(self, config: Config, context: Context, **fields: object) -> Result:  # type: ignore[override]
        result = super().train(config, context, **fields)  # type: ignore[arg-type]
        return replace(result, values={name: value / 2 for name, value in result.values.items()})


def test_a_derived_network_is_trained_as_the_studys_evaluator_says(tmp_path: Path) -> None:
    options = Half.Options.model_validate(SIZES)
    whole = search("supernet", network.Network(options), tmp_path / "a")
    half = search("supernet", Half(options), tmp_path / "b")
    assert half.derived == whole.derived
    assert half.values["accuracy"] == whole.values["accuracy"] / 2


def test_an_evaluator_that_trains_no_networks_is_refused_with_those_that_do(copies: None) -> None:
    evaluator = Pipeline(Pipeline.Options())
    with pytest.raises(UserError, match=r"of type Pipeline; known ones: my_trainer, network$"):
        require_trainer(evaluator, "a search")
