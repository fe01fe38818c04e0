"""Who wrote best.yaml, and whose code a training runs."""

from __future__ import annotations

import json
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from in_process import automl

from automl.contracts import UserError
from automl.export import read_winner
from automl.export.certificate import find_winner
from automl.export.signing import NAME, Maker, maker, sign
from automl.export.trust import check_trust
from automl.export.winner import Winner, write_winner
from automl.ledger import Ledger, Store


@pytest.fixture
def winner(finished: Any, finished_ledger: Ledger) -> Winner:
    """A winner whose data set is code of the study's folder."""
    return find_winner(finished_ledger, finished.campaign)


def test_a_store_knows_what_it_signed(finished: Any, best: Path, store: Store) -> None:
    assert maker(read_winner(best), finished.store) is Maker.THIS_STORE
    assert maker(read_winner(best), store) is Maker.ANOTHER, "it has no key yet"
    key = finished.store.folder / NAME
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_text() not in best.read_text()


def test_another_key_is_another_store(winner: Winner, store: Store, best: Path) -> None:
    assert maker(sign(winner, store), store) is Maker.THIS_STORE
    assert maker(read_winner(best), store) is Maker.ANOTHER


def test_what_was_changed_is_not_signed(winner: Winner, store: Store, tmp_path: Path) -> None:
    """A checksum can be made by everybody."""
    changed = sign(winner, store).model_copy(update={"name": "other"})
    write_winner(changed, tmp_path / "changed.yaml")
    assert maker(read_winner(tmp_path / "changed.yaml"), store) is Maker.FORGED
    assert maker(winner, store) is Maker.NOBODY


def test_several_first_exports_make_one_key(winner: Winner, store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        signed = list(pool.map(lambda _: sign(winner, store), range(16)))
    assert len({one.signature.key for one in signed if one.signature}) == 1
    assert [path.name for path in store.folder.glob(f"{NAME}*")] == [NAME]


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "00" * 8])
def test_a_broken_key_is_refused(winner: Winner, store: Store, text: str) -> None:
    (store.folder / NAME).write_text(text)
    with pytest.raises(UserError, match=r"signing.key: must be 16 bytes or more in hexadecimal"):
        sign(winner, store)


def test_code_elsewhere_is_refused_unless_signed(
    finished: Any, winner: Winner, best: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_trust(read_winner(best), best, finished.store)
    with pytest.raises(UserError, match=r"but tiny_images:images is in /.*signed by: another store\)"):
        check_trust(read_winner(best), best, store)
    with pytest.raises(UserError, match=r"signed by: nobody.*run again with --trust"):
        check_trust(winner, best, finished.store)
    check_trust(winner, finished.folder / "best.yaml", store)  # beside its code
    monkeypatch.setenv("AUTOML_PLUGINS", os.pathsep.join([str(best.parent), str(finished.folder)]))
    check_trust(winner, best, store)


def test_code_that_is_nowhere_is_not_refused(
    winner: Winner, best: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails later, when it is imported."""
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place not in winner.import_path])
    monkeypatch.delitem(sys.modules, "tiny_images", raising=False)
    check_trust(winner.model_copy(update={"import_path": ["/no/such/folder"]}), best, store)
    with pytest.raises(UserError, match="but tiny_images:images is in /"):
        check_trust(winner, best, store)


def test_what_names_no_code_is_trained(winner: Winner, best: Path, store: Store) -> None:
    plain = winner.model_copy(update={"task": winner.task.model_copy(update={"dataset": "digits"})})
    check_trust(plain, best, store)


def test_code_in_options_counts(
    winner: Winner,
    best: Path,
    store: Store,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = winner.task.model_copy(update={"dataset": "digits"})
    options = {"inner": [{"call": "evil.code:run"}]}
    training = type(winner.training)(winner.training.name, options)
    hidden = winner.model_copy(update={"task": task, "training": training})
    check_trust(hidden, best, store)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "evil").mkdir()
    (elsewhere / "evil/code.py").write_text("raise RuntimeError('this must not run')")
    hidden = hidden.model_copy(update={"import_path": [str(elsewhere)]})
    with pytest.raises(UserError, match=r"evil\.code:run is in /.*/evil/code\.py"):
        check_trust(hidden, best, store)
    monkeypatch.syspath_prepend(elsewhere)  # or where PYTHONPATH leads to
    with pytest.raises(UserError, match=r"evil\.code:run is in /"):
        check_trust(sign(hidden.model_copy(update={"import_path": []}), store), best, store)


@pytest.mark.parametrize("code", ["evil/__init__.py", "evil/code.py"])
def test_a_link_beside_the_file_is_no_code_of_its_folder(
    code: str, winner: Winner, best: Path, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for file in ("evil/__init__.py", "evil/code.py"):
        (elsewhere / file).parent.mkdir(parents=True, exist_ok=True)
        (elsewhere / file).write_text("raise RuntimeError('this must not run')")
    (best.parent / "evil").mkdir()
    (best.parent / code).symlink_to(elsewhere / code)
    task = winner.task.model_copy(update={"dataset": "evil.code:make"})
    with pytest.raises(UserError, match=f"is in {elsewhere}"):
        check_trust(winner.model_copy(update={"task": task, "import_path": []}), best, store)


def test_the_commands(
    finished: Any,
    best: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AUTOML_STORE", str(finished.store.folder))
    assert automl(monkeypatch, "verify", str(best)) == 0
    assert "unchanged since it was exported; signed by this store" in capsys.readouterr().out
    forged = read_winner(best).model_copy(update={"name": "forged"})
    write_winner(forged, tmp_path / "forged.yaml")
    assert automl(monkeypatch, "verify", str(tmp_path / "forged.yaml")) == 1
    said = capsys.readouterr().out
    assert "its signature does not; export it again; signed by somebody without the key" in said
    assert "unchanged" not in said
    monkeypatch.setenv("AUTOML_STORE", str(tmp_path / "other"))
    assert automl(monkeypatch, "verify", str(best), "--json") == 1
    assert json.loads(capsys.readouterr().out)["signed_by"] == "another store"
    assert automl(monkeypatch, "train", str(best)) == 2
    assert "run again with --trust" in capsys.readouterr().err
    best.write_text(best.read_text().replace("name: tiny", "name: tidy"))
    assert automl(monkeypatch, "verify", str(best)) == 2
    assert "checksum: must be the checksum" in capsys.readouterr().err
