from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from faulty import Faults

from automl.contracts import RunError, StoredFile
from automl.files import Kept, LostFileError, StorageError, drop, has_part, keep, node_cache, part_of
from automl.files.kept import campaign_url, file_digest


def made(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    (root / "model").mkdir(parents=True)
    (root / "artifacts").mkdir()
    (root / "model/weights.pt").write_bytes(b"weights" * 1000)
    (root / "model/config.json").write_text("{}")
    (root / "artifacts/notes.txt").write_text("{}")
    return root


NAMES = ("model/weights.pt", "model/config.json", "artifacts/notes.txt")


def test_what_is_kept_comes_back_as_a_folder(url: str, tmp_path: Path) -> None:
    root = made(tmp_path)
    kept = Kept(url, keep(url, root, NAMES))
    assert kept.files["model/config.json"] == file_digest(root / "model/config.json")
    assert len(list((tmp_path / "there/objects").iterdir())) == 2  # equal files are one object
    with kept.folder("model") as folder:
        assert {one.name for one in folder.iterdir()} == {"weights.pt", "config.json"}
        assert (folder / "weights.pt").read_bytes() == b"weights" * 1000
    assert not folder.exists()
    drop(url)
    node_cache().drop(kept.files["model/weights.pt"].sha256)
    with pytest.raises(LostFileError, match="is not in"), kept.folder("model"):
        raise AssertionError


def test_nothing_is_written_twice_but_what_is_too_short(url: str, tmp_path: Path, faults: Faults) -> None:
    root = made(tmp_path)
    files = keep(url, root, NAMES)
    assert faults.calls["write"] == 2
    keep(url, root, NAMES)
    assert faults.calls["write"] == 2
    place = tmp_path / "there/objects" / files["model/weights.pt"].sha256
    place.write_bytes(b"wei")  # an upload that was cut off
    keep(url, root, NAMES)
    assert place.read_bytes() == b"weights" * 1000


def test_a_file_is_fetched_once_for_a_node(url: str, tmp_path: Path, faults: Faults) -> None:
    kept = Kept(url, keep(url, made(tmp_path), NAMES))
    for number in range(3):
        kept.fetch("model/weights.pt", tmp_path / str(number))
    assert faults.calls["read"] == 1


def test_a_cache_on_a_bad_disk_is_noticed(url: str, tmp_path: Path, node: Path) -> None:
    kept = Kept(url, keep(url, made(tmp_path), NAMES))
    kept.fetch("model/weights.pt", tmp_path / "a")
    (node / "files" / kept.files["model/weights.pt"].sha256).write_bytes(b"rotten")
    kept.fetch("model/weights.pt", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"weights" * 1000


def test_a_damaged_object_is_lost_and_an_absent_storage_is_not(
    url: str, tmp_path: Path, faults: Faults
) -> None:
    kept = Kept(url, keep(url, made(tmp_path), NAMES))
    faults.truncated = set(range(1, 100))
    with pytest.raises(LostFileError, match="were kept"):
        kept.fetch("model/weights.pt", tmp_path / "a")
    faults.always["read"] = OSError("timeout")
    with pytest.raises(StorageError, match="timeout"), kept.folder("model"):
        raise AssertionError


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "model/../../x", ""])
def test_a_list_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(RunError, match="must lie in its folder"):
        Kept.of("file:///x", {name: StoredFile("00", 1)})


def test_campaigns_of_one_name_have_folders_of_their_own() -> None:
    assert campaign_url("s3://b/x", "a-1", 1.0) != campaign_url("s3://b/x", "a-1", 2.0)
    assert campaign_url("s3://b/x", "a-1", 1.0).startswith("s3://b/x/a-1-")


@dataclass
class Trial:
    workdir: str | None
    storage: str | None = None
    files: dict[str, StoredFile] | None = None


def test_the_model_of_a_trial_is_where_its_row_says(url: str, tmp_path: Path) -> None:
    root = made(tmp_path)
    for trial in (Trial(str(root)), Trial("/not/here", url, keep(url, root, NAMES))):
        assert has_part(trial, "model") and not has_part(trial, "other")
        with part_of(trial, "model") as folder:
            assert (folder / "config.json").read_text() == "{}"
        with pytest.raises(LostFileError), part_of(trial, "other"):
            raise AssertionError
