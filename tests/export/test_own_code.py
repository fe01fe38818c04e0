"""Winners whose code lies beside the study are exported without a hint where it is."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from automl.campaign import run_campaign
from automl.config import load_study
from automl.contracts import UserError
from automl.export.certificate import find_winner
from automl.export.torch_folder import export_torch
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress

PARTS = """
from torch import nn

def head(pixels, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, classes))
"""
CODE = """
from own_parts import head
from automl.space import Choice, Space

def network(config, shape, classes, *, channels, cells):
    return head(shape[0] * shape[1] * shape[2], classes)

SPACE = Space({"w": Choice([1, 2])}, network=network)
"""
STUDY = """
name: own
task: {dataset: some.npz, metric: accuracy}
space: "own_network:SPACE"
evaluator: {network: {epochs: 1, channels: 2, batch_size: 16}}
budget: {trials: 1}
seeds: 1
arms: {random: {strategy: random}}
executor: local
final: {seeds: 1}
"""


@pytest.fixture
def campaign(workspace: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "path", [*sys.path])
    rng = np.random.default_rng(0)
    np.savez(workspace / "some.npz", x=rng.normal(size=(60, 1, 4, 4)), y=np.arange(60) % 3)
    for name, text in {"own_parts.py": PARTS, "own_network.py": CODE, "own.yaml": STUDY}.items():
        (workspace / name).write_text(text)
    name = run_campaign(load_study(workspace / "own.yaml"), store=store, progress=QuietProgress())
    sys.path.remove(str(workspace))
    forget()
    return name


def forget() -> None:
    """As in a new process."""
    for name in ("own_network", "own_parts"):
        sys.modules.pop(name, None)


def test_a_network_beside_the_study_becomes_a_folder(campaign: str, ledger: Ledger, tmp_path: Path) -> None:
    export_torch(ledger, campaign, tmp_path / "folder")
    text = (tmp_path / "folder" / "model.py").read_text()
    assert "def head(" in text and "def network(" in text and "own_parts import" not in text
    forget()
    assert find_winner(ledger, campaign).certificate.arm == "random"


def test_code_that_is_gone_is_named(campaign: str, ledger: Ledger, tmp_path: Path, workspace: Path) -> None:
    (workspace / "own_network.py").unlink()
    with pytest.raises(UserError, match="own_network cannot be imported"):
        export_torch(ledger, campaign, tmp_path / "folder")


def test_code_that_is_broken_is_named(campaign: str, ledger: Ledger, tmp_path: Path, workspace: Path) -> None:
    (workspace / "own_parts.py").write_text("raise ValueError('half-written')")
    with pytest.raises(UserError, match=r"own_network cannot be imported: ValueError.'half-written'"):
        export_torch(ledger, campaign, tmp_path / "folder")
