"""The exported folder gives the same logits in a process that has torch and nothing of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from patience import PATIENCE

from automl.contracts import UserError
from automl.data import load_task
from automl.export.certificate import find_winner
from automl.export.source import Flattened
from automl.export.torch_folder import export_torch
from automl.ledger import Ledger
from automl.training.saved import load_network

ALONE = """
import sys
folder, images, logits = sys.argv[1:]

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"automl", "searchspaces", "pydantic", "mlflow", "optuna", "ray"}:
            raise ImportError(f"{name} must not be needed")

sys.meta_path.insert(0, Blocked())
sys.path.insert(0, folder)
import torch
torch.set_num_threads(1)
import model
network = model.load_model(folder)  # a text, as one types it
with torch.inference_mode():
    torch.save(network(torch.load(images, weights_only=True)), logits)
"""


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["resnet", "tpe"])
def test_equal_logits_without_this_package(
    finished: Any, finished_ledger: Ledger, tmp_path: Path, arm: str
) -> None:
    folder = tmp_path / "exported"
    winner = export_torch(finished_ledger, finished.campaign, folder, arm=arm)
    described = json.loads((folder / "config.json").read_text())
    (trial,) = [t for t in finished_ledger.trials(finished.campaign) if t.id == described["trial"]]
    ours = load_network(Path(trial.workdir or "") / "model").eval()
    images = torch.tensor(
        load_task(winner.task.model_dump(mode="json"), winner.import_path).validation.x,
    )
    torch.save(images, tmp_path / "images.pt")
    subprocess.run(
        [sys.executable, "-I", "-c", ALONE, folder, tmp_path / "images.pt", tmp_path / "logits.pt"],
        check=True,
        cwd=tmp_path,
        timeout=PATIENCE,
    )
    with torch.inference_mode():
        expected = ours(images)
    torch.testing.assert_close(
        torch.load(tmp_path / "logits.pt", weights_only=True), expected, rtol=0, atol=0
    )


def test_raw_images_are_standardised_as_in_training(
    finished: Any, finished_ledger: Ledger, tmp_path: Path
) -> None:
    export_torch(finished_ledger, finished.campaign, tmp_path)
    described = json.loads((tmp_path / "config.json").read_text())
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    raw = (rng.normal(size=(90, 1, 8, 8)) + y[:, None, None, None] * np.linspace(0, 2, 8)) * 40 + 100
    scope: dict[str, Any] = {"__name__": "model", "__file__": str(tmp_path / "model.py")}
    exec((tmp_path / "model.py").read_text(), scope)
    prepared = scope["prepare_images"](raw)  # an array, as Pillow gives it
    assert described["class_names"] == ["cat", "dog", "owl"]
    task = load_task(
        {"dataset": "tiny_images:images", "metrics": [{"name": "accuracy", "direction": "maximize"}]}
    )
    flat = {row.numpy().round(4).tobytes() for row in prepared}
    assert {row.round(4).tobytes() for row in task.train.x} <= flat


def test_of_the_retrainings_the_best_on_validation_is_taken(
    finished: Any, finished_ledger: Ledger, tmp_path: Path
) -> None:
    winner = export_torch(finished_ledger, finished.campaign, tmp_path)
    trial = json.loads((tmp_path / "config.json").read_text())["trial"]
    number = int(trial.rpartition("-")[2])
    assert winner.certificate.values.fresh[number] == max(winner.certificate.values.fresh)


def test_without_the_trained_files_it_says_what_to_do(
    finished: Any, finished_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    winner = find_winner(finished_ledger, finished.campaign)
    trials = finished_ledger.trials(finished.campaign)
    gone = [replace(trial, workdir=str(tmp_path / "gone")) for trial in trials]
    for found, message in (
        ([], r"no retraining of its winner; set final: \{seeds: 1\}"),
        (gone, "must be in .*gone/model, but: .*export it where it was trained, or train it again"),
    ):
        monkeypatch.setattr(finished_ledger, "trials", lambda search, found=found: found)
        monkeypatch.setattr("automl.export.torch_folder.find_winner", lambda *_, w=winner: w)
        with pytest.raises(UserError, match=message):
            export_torch(finished_ledger, finished.campaign, tmp_path / "a")
    assert not (tmp_path / "a").exists()


HELPER = """
from torch import nn

SIZE = 3

class Block(nn.Conv2d):
    pass
"""
SPACE = """
import math
import torch
from helper_blocks import Block as Base
from helper_blocks import SIZE

def scale(x):
    # keeps the variance
    return x / math.sqrt(SIZE)

class Net(Base):
    def forward(self, x: "torch.Tensor"):
        return scale(super().forward(x))

def build(config, shape, classes, *, channels, cells):
    return Net(shape[0], classes, SIZE)
"""


@pytest.fixture
def own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "helper_blocks.py").write_text(HELPER)
    (tmp_path / "own_space.py").write_text(SPACE)
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("helper_blocks", "own_space"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    return tmp_path


def test_source_from_several_files_of_a_user_runs_alone(own_code: Path) -> None:
    text = Flattened("own_space:build").text
    scope: dict[str, Any] = {}
    exec(text, scope)
    network = scope["build"]({}, (1, 8, 8), 2, channels=1, cells=1)
    assert network(torch.zeros(1, 1, 8, 8)).shape == (1, 2, 6, 6)
    assert "helper_blocks import" not in text
    assert "# keeps the variance" in text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("import numpy as np\nX = np.pi", "needs numpy|imports the module 'numpy'"),
        ("from numpy import pi\nX = pi", "it needs numpy, which is neither torch nor Python's library"),
        ("import helper_blocks\nX = helper_blocks.SIZE", "imports the module 'helper_blocks'; import names"),
        ("class Block: pass\nX = (Block, Base)", "both define 'Block'; rename one"),
    ],
)
def test_code_that_cannot_stand_alone_is_refused(own_code: Path, line: str, message: str) -> None:
    (own_code / "own_space.py").write_text(f"{SPACE}\n{line}\n\ndef wrong():\n    return X, build\n")
    with pytest.raises(UserError, match=message):
        Flattened("own_space:wrong")
