from __future__ import annotations

from pathlib import Path

import pytest
from faulty import Faults

from automl.contracts import UserError
from automl.files import data_roots, staged, staged_any


def test_urls_and_folders_are_listed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_DATA", "/data:s3://bucket/data:file:///mnt/x:/more")
    assert data_roots() == ["/data", "s3://bucket/data", "file:///mnt/x", "/more"]


def test_a_file_is_staged_once_and_again_when_it_has_changed(
    url: str, tmp_path: Path, faults: Faults
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/a b.csv").write_text("x\n1\n")
    first = staged(f"{url}/a b.csv")
    assert first is not None and first.name == "a b.csv" and first.read_text() == "x\n1\n"
    assert staged(f"{url}/a b.csv") == first
    assert faults.calls["read"] == 1
    (tmp_path / "there/a b.csv").write_text("x\n1\n2\n")
    second = staged(f"{url}/a b.csv")
    assert second is not None and second.read_text() == "x\n1\n2\n"
    assert staged(f"{url}/b.csv") is None


def test_a_folder_is_staged_with_all_that_is_in_it(url: str, tmp_path: Path) -> None:
    (tmp_path / "there/images/cat").mkdir(parents=True)
    (tmp_path / "there/images/cat/1.png").write_bytes(b"1")
    found = staged_any(f"{url}/images", "task.dataset")
    assert found.name == "images" and (found / "cat/1.png").read_bytes() == b"1"


def test_what_is_not_there_is_told(url: str) -> None:
    with pytest.raises(
        UserError, match=r"task.dataset must name a file or folder, but there is none at .*/x.csv"
    ):
        staged_any(f"{url}/x.csv", "task.dataset")
