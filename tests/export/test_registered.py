"""Only models that this store signed are fetched from the registry, unless the user trusts another one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from automl.contracts import RunError, UserError
from automl.export.registered import fetch_signed
from automl.export.signing import Maker, sign_text
from automl.ledger import Store
from automl.recorder.experiments import make_client
from automl.recorder.registry import SIGNATURE, TrainingRun, register_model

RUN = TrainingRun("demo/train-1", "accuracy", {}, {"accuracy": 0.9})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text("{}")
    return tmp_path / "model"


def register(store: Store, folder: Path, signed: bool) -> None:
    sign = (lambda text: sign_text(text, store)) if signed else None
    register_model(store, name="demo", folder=folder, run=RUN, sign=sign)


def test_what_this_store_signed_is_fetched(store: Store, folder: Path, tmp_path: Path) -> None:
    register(store, folder, signed=True)
    fetched, maker = fetch_signed(store, "demo", tmp_path / "to")
    assert maker is Maker.THIS_STORE and (fetched / "config.json").read_text() == "{}"


@pytest.mark.parametrize("signature", ["", "0" * 16 + ":" + "0" * 64, "no signature at all", "ü:ü"])
def test_another_one_only_when_trusted(signature: str, store: Store, folder: Path, tmp_path: Path) -> None:
    register(store, folder, signed=False)
    client = make_client(store)
    if signature:
        client.set_model_version_tag("demo", "1", SIGNATURE, signature)
    by = "another store" if signature else "nobody"
    with pytest.raises(UserError, match=f"demo@candidate is signed by {by} .*; look where it comes from"):
        fetch_signed(store, "demo", tmp_path / "to")
    assert str(fetch_signed(store, "demo", tmp_path / "to", trust=True)[1]) == by


def test_sums_that_were_changed_with_the_files_are_not_signed(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    """Whoever may write to the server can change both."""
    register(store, folder, signed=True)
    client = make_client(store)
    version = client.get_model_version("demo", "1")
    run = client.get_run(str(version.run_id))
    (Path(run.info.artifact_uri.removeprefix("file://")) / "model/config.json").write_text("{ }")
    with pytest.raises(RunError, match="must have the files it was registered with"):
        fetch_signed(store, "demo", tmp_path / "to", trust=True)
    client.set_model_version_tag("demo", "1", "sha256.config.json", hashlib.sha256(b"{ }").hexdigest())
    with pytest.raises(UserError, match="is signed by somebody without the key"):
        fetch_signed(store, "demo", tmp_path / "again")
