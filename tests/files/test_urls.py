from __future__ import annotations

from pathlib import Path

import pytest

from automl.contracts import UserError
from automl.files.urls import below, named_url, shown


@pytest.mark.parametrize(
    ("named", "url"),
    [
        ("/mnt/nfs/automl/", "file:///mnt/nfs/automl"),
        ("file:///mnt/nfs/../x", "file:///mnt/x"),
        ("/with space", "file:///with%20space"),
        ("s3://bucket/automl/", "s3://bucket/automl"),
        ("S3://bucket", "s3://bucket"),
        (
            "s3://bucket/a?endpoint_override=localhost%3A9000",
            "s3://bucket/a?endpoint_override=localhost%3A9000",
        ),
        ("gs://bucket/a", "gs://bucket/a"),
        ("abfs://container@account/a", "abfs://container@account/a"),
    ],
)
def test_storages_are_named_by_urls_and_paths(named: str, url: str) -> None:
    assert named_url(named, "AUTOML_STORAGE") == url


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("here", "AUTOML_STORAGE must be a URL or an absolute path"),
        ("ftp://host/x", "its scheme is 'ftp'"),
        ("s3:///x", "must name a bucket"),
        ("file://host/x", "must read file:///absolute/path"),
        ("http://[", "must be a URL"),
    ],
)
def test_other_addresses_are_refused(named: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        named_url(named, "AUTOML_STORAGE")


@pytest.mark.parametrize(
    "named",
    [
        "s3://AKIA0123456789ABCDEF:hunter2hunter2@bucket/x",
        "s3://me@bucket/x",
        "abfs://container:hunter2hunter2@account/x",
        "abfs://container@account/x?client_secret=hunter2hunter2",
        "s3://bucket/x?secret_key=hunter2hunter2",
    ],
)
def test_an_address_with_a_password_is_refused_and_not_repeated(named: str) -> None:
    with pytest.raises(UserError, match="must hold no password or key") as raised:
        named_url(named, "AUTOML_STORAGE")
    assert "hunter2" not in str(raised.value)
    assert "AWS_ACCESS_KEY_ID" in str(raised.value)


def test_a_relative_path_begins_where_it_is_told(tmp_path: Path) -> None:
    assert named_url("files", "AUTOML_STORAGE", tmp_path) == f"file://{tmp_path}/files"


def test_a_query_stays_at_the_end_and_is_not_shown() -> None:
    url = below("s3://bucket/a?region=x", "campaign-1", "tpe-0")
    assert url == "s3://bucket/a/campaign-1/tpe-0?region=x"
    assert shown(url) == "s3://bucket/a/campaign-1/tpe-0"
