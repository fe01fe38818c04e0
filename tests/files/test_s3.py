"""The room on a real S3 server."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from s3_server import Bucket

from automl.contracts import StoredFile, UserError
from automl.files import Folder, Kept, LostFileError, StorageError, drop, failing, keep, probe, staged


def test_files_go_through_a_bucket(bucket: Bucket, tmp_path: Path) -> None:
    data = bytes(range(256)) * 40_000  # more than one part
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights.pt").write_bytes(data)
    kept = Kept(
        f"{bucket.url}/a-1/tpe-0/3", keep(f"{bucket.url}/a-1/tpe-0/3", tmp_path, ["model/weights.pt"])
    )
    sha = hashlib.sha256(data).hexdigest()
    assert kept.files == {"model/weights.pt": StoredFile(sha, len(data))}
    assert bucket.objects()[f"automl/a-1/tpe-0/3/objects/{sha}"] == len(data)
    with kept.folder("model") as folder:
        assert (folder / "weights.pt").read_bytes() == data
    assert [entry.name for entry in Folder(bucket.url).entries()] == [f"a-1/tpe-0/3/objects/{sha}"]
    drop(f"{bucket.url}/a-1/tpe-0/3")
    drop(f"{bucket.url}/a-1/tpe-0/3")
    assert Folder(bucket.url).entries() == []


def test_a_damaged_object_of_a_bucket_is_refused(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"weights")
    kept = Kept(bucket.url, keep(bucket.url, tmp_path, ["a"]))
    bucket.put(f"automl/objects/{kept.files['a'].sha256}", b"weightz")
    with pytest.raises(LostFileError, match=r"7 bytes of .* were kept"):
        kept.fetch("a", tmp_path / "b")


def test_a_bucket_can_be_probed(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < probe(bucket.url) < 60
    assert bucket.objects() == {}
    with pytest.raises(UserError, match=r"must take, give back and delete a file.*no-such-bucket"):
        probe("s3://no-such-bucket/x")
    monkeypatch.setattr(failing, "TRIES", 1)
    with pytest.raises(UserError, match="look whether it can be reached from here") as raised:
        probe("s3://bucket/x?scheme=http&endpoint_override=127.0.0.1%3A1")
    assert "testing-secret-key" not in str(raised.value)


def test_a_server_may_be_named_in_the_address(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    port = bucket.server.address.rpartition(":")[2]
    url = f"{bucket.url}?scheme=http&endpoint_override=127.0.0.1%3A{port}"
    Folder(url).write("a", b"x")
    assert bucket.get("automl/a") == b"x"
    with pytest.raises(UserError, match="must have only region, endpoint_override, scheme, but got colour"):
        Folder(f"{bucket.url}?colour=red").write("a", b"x")


def test_data_of_a_bucket_are_staged_again_when_they_change(bucket: Bucket) -> None:
    bucket.put("automl/a.csv", b"x\n1\n")
    found = staged(f"{bucket.url}/a.csv")
    assert found is not None and found.read_bytes() == b"x\n1\n"
    bucket.put("automl/a.csv", b"x\n1\n2\n")
    found = staged(f"{bucket.url}/a.csv")
    assert found is not None and found.read_bytes() == b"x\n1\n2\n"
    assert staged(f"{bucket.url}/b.csv") is None


def test_a_server_that_is_gone_is_told(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(failing, "TRIES", 1)
    from automl.files import opening

    opening._made.cache_clear()
    with pytest.raises(StorageError, match="writing a in s3://"):
        Folder(bucket.url).write("a", b"x")
    opening._made.cache_clear()
