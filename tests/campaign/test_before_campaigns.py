"""What is refused before a campaign begins, because data, networks and options do not go together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.campaign import run_campaign
from automl.config import load_study
from automl.contracts import UserError
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress

STUDY = """
name: refused
task: {dataset: some.npz, metric: accuracy}
space: "refused_spaces:TANH"
evaluator: {network: {epochs: 1, channels: 2}}
budget: {trials: 1}
seeds: 1
arms: {tpe: {strategy: tpe}}
executor: local
final: {seeds: 0}
"""
SPACES = """
import torch
from torch import nn
from automl.space import Int, Space

class Template(nn.Module):
    def __init__(self, pixels, classes):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(classes, pixels))

    def forward(self, x):
        return x.flatten(1) @ self.weight.T

class Single(nn.Linear):
    def forward(self, x):
        return super().forward(x.flatten(1) @ torch.eye(64))  # which a proxy in float64 cannot multiply

def tanh(config, shape, classes, *, channels, cells):
    width = config["width"]
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Tanh(), nn.Linear(width, classes))

def template(config, shape, classes, *, channels, cells):
    return Template(64, classes)

def single(config, shape, classes, *, channels, cells):
    return Single(64, classes)

TANH = Space({"width": Int(2, 4)}, network=tanh)
SINGLE = Space({"width": Int(2, 4)}, network=single)
TEMPLATE = Space({"width": Int(2, 4)}, network=template)
"""
SCREEN = {"screen": {"strategy": {"proxy_screen": {"proxy": "naswot", "draw": 2, "keep": 1}}}}
LABELS = np.arange(60) % 3


def refusal(folder: Path, store: Store, *overrides: str, x: Any = None, y: Any = LABELS) -> str:
    """What the study is refused with; nothing of it is in the ledger."""
    np.savez(folder / "some.npz", x=np.zeros((60, 1, 8, 8)) if x is None else x, y=y)
    (folder / "refused_spaces.py").write_text(SPACES)
    (folder / "refused.yaml").write_text(STUDY)
    with pytest.raises(UserError) as error:
        study = load_study(folder / "refused.yaml", overrides)
        run_campaign(study, store=store, progress=QuietProgress())
    with Ledger(store) as ledger:
        assert ledger.campaigns() == []
    return str(error.value)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (None, np.zeros(60, int), "classification needs at least two classes, but 'some.npz' has 1"),
        (np.zeros((60, 1, 1, 8, 8)), LABELS, "x must have 2 dimensions (a table), 3 or 4 (images), but"),
        (np.zeros((60, 64)), LABELS, "arms.tpe: a network needs images with classes, but 'some.npz' is of"),
        (None, LABELS[:50], "a dataset must have one target a row, but"),
        (np.full((60, 1, 8, 8), np.nan), LABELS, "pixels must be finite, but"),
    ],
)
def test_data(workspace: Path, store: Store, x: Any, y: Any, message: str) -> None:
    assert message in refusal(workspace, store, x=x, y=y)


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("space=nasbench201", "arms={darts: {evaluator: {supernet: {method: darts}}}}"),
        (f"arms={json.dumps(SCREEN)}",),
    ],
)
@pytest.mark.parametrize("y", [np.linspace(0, 9, 60), LABELS[:, None] / 7])
def test_regression_on_images(
    workspace: Path, store: Store, y: np.ndarray, overrides: tuple[str, ...]
) -> None:
    text = refusal(workspace, store, "task.metric=rmse", *overrides, y=y)
    assert "networks learn classes of images, but the targets of 'some.npz' are numbers" in text


@pytest.mark.parametrize(
    ("x", "y", "metric", "message"),
    [
        (None, LABELS, "accuracy", "'some.npz' is of kind image; use the evaluator network"),
        (None, LABELS / 7, "rmse", "'some.npz' is of kind image; save what describes each row as a table"),
        (
            np.zeros((60, 4)),
            np.arange(60) % 15,
            "accuracy",
            "there are fewer of '0' (2)",
        ),
    ],
)
def test_data_of_a_pipeline(
    workspace: Path, store: Store, x: Any, y: np.ndarray, metric: str, message: str
) -> None:
    overrides = ("space=tabular", "evaluator=pipeline", f"task.metric={metric}")
    assert message in refusal(workspace, store, *overrides, x=x, y=y)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["evaluator.network.proxies=[naswot]"], "arms.tpe: the proxy naswot needs a network with a ReLU"),
        (
            [f"arms={json.dumps(SCREEN)}"],
            "arms.screen: the proxy naswot needs a network with a ReLU, but got",
        ),
        (
            ["space=refused_spaces:TEMPLATE", "evaluator.network.proxies=[parameters, snip]"],
            "arms.tpe: the proxy snip needs a network with a convolution or linear layer, but got a Template",
        ),
        (
            ["space=refused_spaces:SINGLE", "evaluator.network.proxies=[jacov, synflow]"],
            "arms.tpe: the proxy synflow must be able to score the networks of the space, but for a Single",
        ),
        (["evaluator.network.drop_path=0.2"], "arms.tpe: drop_path needs a network with paths to drop, but"),
        (["evaluator.network.cutout=8"], "arms.tpe: cutout must be smaller than the images, but got 8 for 8"),
    ],
)
def test_networks(workspace: Path, store: Store, overrides: list[str], message: str) -> None:
    found = refusal(workspace, store, *overrides)
    assert message in found
    assert all("; " in line for line in found.splitlines()), "what to do"


@pytest.mark.slow
def test_a_reference_can_follow_the_whole_recipe(workspace: Path, store: Store) -> None:
    """Where all arms can, nothing is refused: the cells and the ResNet have paths and an auxiliary head."""
    x = np.random.default_rng(0).normal(size=(60, 1, 8, 8))
    np.savez(workspace / "some.npz", x=x, y=LABELS)
    (workspace / "refused.yaml").write_text(STUDY.replace('"refused_spaces:TANH"', "nasbench201"))
    recipe = "evaluator.network={epochs: 1, channels: 2, drop_path: 0.2, auxiliary: 0.4, cutout: 4}"
    overrides = [recipe, "arms={resnet: {reference: resnet}, tpe: {strategy: tpe}}"]
    study = load_study(workspace / "refused.yaml", overrides)
    campaign = run_campaign(study, store=store, progress=QuietProgress())
    with Ledger(store) as ledger:
        states = {trial.search: str(trial.state) for trial in ledger.trials(campaign=campaign)}
    assert set(states.values()) == {"complete"} and len(states) == 3
