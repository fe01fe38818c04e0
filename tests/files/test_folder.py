from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from faulty import Faults

from automl.contracts import StoredFile, UserError
from automl.files import Folder, LostFileError, StorageError, probe
from automl.files.failing import TRIES


def digest(data: bytes) -> StoredFile:
    return StoredFile(hashlib.sha256(data).hexdigest(), len(data))


def test_files_come_back_as_they_were(url: str, tmp_path: Path) -> None:
    folder = Folder(url)
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    folder.put(tmp_path / "a", "models/a")
    folder.write("b", b"small")
    folder.write("b.gz", b"\x1f\x8bsmall")  # is kept as it is
    assert folder.read("b.gz") == b"\x1f\x8bsmall"
    folder.remove("b.gz")
    folder.fetch("models/a", tmp_path / "back", digest(b"x" * 3_000_000))
    assert (tmp_path / "back").read_bytes() == b"x" * 3_000_000
    assert folder.read("b") == b"small"
    assert [(entry.name, entry.size) for entry in folder.entries()] == [("b", 5), ("models/a", 3_000_000)]
    folder.remove("b")
    folder.remove("b")
    assert folder.read("b") is None and folder.entry("b") is None
    folder.clear()
    folder.clear()
    assert folder.entries() == []


def test_what_is_not_there_is_lost(url: str, tmp_path: Path) -> None:
    with pytest.raises(LostFileError, match=r"a is not in file:///.*/there any more"):
        Folder(url).fetch("a", tmp_path / "a", digest(b""))


@pytest.mark.parametrize("kind", ["read", "write"])
def test_passing_errors_are_tried_again(kind: str, url: str, tmp_path: Path, faults: Faults) -> None:
    faults.errors = {(kind, number): OSError("503 SlowDown") for number in range(1, TRIES)}
    (tmp_path / "a").write_bytes(b"data")
    Folder(url).put(tmp_path / "a", "a")
    Folder(url).fetch("a", tmp_path / "back", digest(b"data"))
    assert (tmp_path / "back").read_bytes() == b"data"
    assert faults.calls[kind] == TRIES


def test_a_storage_that_stays_away_is_told_with_a_masked_reason(
    url: str, tmp_path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abcdefgh12345678")
    faults.always["write"] = OSError("connection refused (key abcdefgh12345678)")
    (tmp_path / "a").write_bytes(b"data")
    with pytest.raises(StorageError, match=r"writing a in .* failed: connection refused") as raised:
        Folder(url).put(tmp_path / "a", "a")
    assert "abcdefgh" not in str(raised.value)
    assert faults.calls["write"] == TRIES


def test_a_refusal_is_not_asked_again(url: str, faults: Faults) -> None:
    faults.always["write"] = OSError("AWS Error ACCESS_DENIED during PutObject operation")
    with pytest.raises(StorageError, match="ACCESS_DENIED"):
        Folder(url).write("a", b"x")
    assert faults.calls["write"] == 1


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_damage_is_refused_then_read_again(damage: str, url: str, tmp_path: Path, faults: Faults) -> None:
    Folder(url).write("a", b"data")
    getattr(faults, damage).add(1)
    Folder(url).fetch("a", tmp_path / "back", digest(b"data"))
    assert (tmp_path / "back").read_bytes() == b"data"
    getattr(faults, damage).update(range(1, 100))
    with pytest.raises(
        LostFileError, match=f"reading a .* failed: 4 bytes of .* were kept.*in {TRIES} tries"
    ):
        Folder(url).fetch("a", tmp_path / "again", digest(b"data"))
    assert not (tmp_path / "again").exists()


def test_a_probe_writes_reads_and_deletes(url: str, tmp_path: Path, faults: Faults) -> None:
    assert probe(url) >= 0
    assert list((tmp_path / "there").iterdir()) == []
    faults.flipped = {2}
    with pytest.raises(UserError, match=r"must give back what it took, but .* gave something else"):
        probe(url)
    faults.always["write"] = OSError("NoSuchBucket")
    with pytest.raises(UserError, match=r"must take, give back and delete a file, .*NoSuchBucket"):
        probe(url)
