"""A finished campaign of a tiny image task, run once for all tests here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from automl.campaign import run_campaign
from automl.config import load_study
from automl.export import export_config
from automl.ledger import Ledger, Store, resolve_store
from automl.progress import QuietProgress
from automl.storage import open_ledger, prepare

CODE = """
import numpy as np
from automl.data import Dataset

def images():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = rng.normal(size=(90, 1, 8, 8)) + y[:, None, None, None] * np.linspace(0, 2, 8)
    return Dataset(x * 40 + 100, np.array(["cat", "dog", "owl"])[y], "image")
"""
STUDY = """
name: tiny
task: {dataset: "tiny_images:images", metric: accuracy}
space: nasbench201
evaluator: {network: {epochs: 2, channels: 4, batch_size: 16}}
budget: {trials: 2}
seeds: 2
arms: {tpe: {strategy: tpe}, resnet: {reference: resnet}}
executor: local
final: {seeds: 2}
"""


class Finished(NamedTuple):
    folder: Path
    store: Store
    campaign: str


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("export")
    (folder / "tiny_images.py").write_text(CODE)
    (folder / "tiny.yaml").write_text(STUDY)
    store = resolve_store({}, folder)
    prepare(store)
    campaign = run_campaign(load_study(folder / "tiny.yaml"), store=store, progress=QuietProgress())
    sys.modules.pop("tiny_images", None)
    return Finished(folder, store, campaign)


@pytest.fixture
def finished_ledger(finished: Finished) -> Iterator[Ledger]:
    with open_ledger(finished.store) as ledger:
        yield ledger


@pytest.fixture
def best(finished: Finished, finished_ledger: Ledger, tmp_path: Path) -> Path:
    """The campaign's winner as a file, signed by its store."""
    path = tmp_path / "best.yaml"
    export_config(finished_ledger, finished.campaign, path, store=finished.store)
    return path
