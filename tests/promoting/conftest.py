"""Campaigns of models of known quality, run once for all tests here."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from promoting_example import campaign, write_study

from automl.ledger import Ledger, Store, resolve_store
from automl.storage import open_ledger, prepare


class Judged(NamedTuple):
    """A store with gated-1 (0.5), gated-2 (worse: 0.4) and gated-3 (better: 0.7)."""

    folder: Path
    store: Store
    file: Path


@pytest.fixture(scope="session")
def three_campaigns(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    folder = tmp_path_factory.mktemp("gated")
    file = write_study(folder)
    store = resolve_store({}, folder)
    prepare(store)
    for quality in (0.5, 0.4, 0.7):
        campaign(store, file, quality)
    sys.modules.pop("graded_code", None)  # other tests have their own
    sys.path.remove(str(folder))
    return Judged(folder, store, file)


@pytest.fixture
def judged(three_campaigns: Judged, tmp_path: Path) -> Judged:
    """A copy of them; the folders of trials stay where they are."""
    folder = tmp_path / "copied"
    shutil.copytree(three_campaigns.folder, folder)
    return Judged(folder, resolve_store({}, folder), folder / three_campaigns.file.name)


@pytest.fixture
def judged_ledger(judged: Judged) -> Iterator[Ledger]:
    with open_ledger(judged.store) as ledger:
        yield ledger
