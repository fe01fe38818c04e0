"""A meta-learner's folder adapts as the learner itself, in a process that has torch and nothing of ours."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from fake_context import FakeContext
from patience import PATIENCE

from automl import plugins
from automl.contracts import EpisodeSpec, Split, Task
from automl.data.episodes import EpisodeSampler
from automl.evaluators.metalearn import MetaLearn
from automl.export import learner_folder
from automl.metatraining.options import MetaLearnOptions
from automl.metatraining.saved import load_learner

WINNER: Any = SimpleNamespace(name="few", certificate=SimpleNamespace(arm="arm"))
SPEC = EpisodeSpec(ways=3, shots=2, queries=3, count=4)
ALONE = """
import sys
folder, given, outputs = sys.argv[1:]

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"automl", "searchspaces", "pydantic", "mlflow", "optuna", "ray"}:
            raise ImportError(f"{name} must not be needed")

sys.meta_path.insert(0, Blocked())
sys.path.insert(0, folder)
import torch
torch.set_num_threads(1)
import model
support_x, support_y, query_x = torch.load(given, weights_only=True)
torch.save(model.adapt(support_x, support_y)(query_x).detach(), outputs)
"""


def split(seed: int) -> Split:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(4), 6)
    x = rng.normal(size=(4, 1, 8, 8))[y] + 0.3 * rng.normal(size=(24, 1, 8, 8))
    return Split(x.astype(np.float32), y)


TASK = Task("patterns", "image", (1, 8, 8), 4, split(0), split(1), "0" * 64, SPEC)


def trained(name: str, folder: Path) -> Path:
    options = MetaLearnOptions(
        learner=name, width=4, meta_batch=2, iterations=2, report_every=2, validation_episodes=2
    )
    context = FakeContext(folder, TASK, final=True)
    MetaLearn(options).evaluate({}, context)
    return folder / "model"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["maml", "protonet", "embedding"])
def test_it_adapts_without_this_package(tmp_path: Path, name: str) -> None:
    model, output = trained(name, tmp_path), tmp_path / "exported"
    described, text = learner_folder.contents(WINNER, json.loads((model / "config.json").read_text()))
    output.mkdir()
    shutil.copy(model / "weights.pt", output)
    (output / "model.py").write_text(text)
    (output / "config.json").write_text(json.dumps(described))
    episode = EpisodeSampler(TASK.validation, SPEC, seed=0).sample(1)
    given = (episode.support_x[0], episode.support_y[0], episode.query_x[0])
    torch.save(given, tmp_path / "given.pt")
    files = (output, tmp_path / "given.pt", tmp_path / "outputs.pt")
    subprocess.run([sys.executable, "-I", "-c", ALONE, *files], check=True, cwd=tmp_path, timeout=PATIENCE)
    torch.set_num_threads(1)
    expected = load_learner(model).adapt(*given[:2])(given[2]).detach()
    torch.testing.assert_close(torch.load(files[2], weights_only=True), expected)


@pytest.mark.parametrize("name", plugins.names("learners"))
def test_every_learner_can_leave(name: str) -> None:
    described = {
        "learner": name,
        "options": {},
        "backbone": ["mlp", [1], 8, False],
        "ways": 0,
    }
    config, text = learner_folder.contents(WINNER, described)
    compile(text, "model.py", "exec")
    assert config["learner"] == name
    assert "automl" not in {line.split()[1].partition(".")[0] for line in text.splitlines() if _imports(line)}


def _imports(line: str) -> bool:
    return line.startswith(("import ", "from "))
