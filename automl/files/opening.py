"""The file system behind a URL, through Arrow, as in Ray; its credentials come from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from automl.contracts import UserError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

CONNECTING: Final = 10.0  # seconds
ANSWERING: Final = 60.0  # seconds without a byte
_S3: Final = ("region", "endpoint_override", "scheme")
PROVIDERS: Final = {
    "s3": ("S3FileSystem", "S3"),
    "gs": ("GcsFileSystem", "Google Cloud Storage"),
    "abfs": ("AzureFileSystem", "Azure"),
    "abfss": ("AzureFileSystem", "Azure"),
}


def opened(url: str) -> tuple[FileSystem, str]:
    """The file system of `url`, and its path there. Raises `UserError` for one that is not to be had here."""
    base, _, query = url.partition("?")
    parts = urlsplit(base)
    host = "" if parts.scheme == "file" else parts.netloc
    if parts.scheme.startswith("abfs"):
        container, _, account = host.partition("@")
        return _made(parts.scheme, account, query, os.getpid()), f"{container}{unquote(parts.path)}"
    path = f"{host}{unquote(parts.path)}"
    return _made(parts.scheme, host, query, os.getpid()), path


@lru_cache(maxsize=16)
def _made(scheme: str, host: str, query: str, _process: int) -> FileSystem:
    """One for each process: a copy of a process must not use the connections of the first."""
    from pyarrow import fs  # takes a tenth of a second to import

    if scheme == "file":
        return fs.LocalFileSystem()
    name, told = PROVIDERS[scheme]
    if name not in dir(fs):
        raise UserError(
            f"{scheme}:// needs a pyarrow that was built with {told}, but the one that is installed was not; "
            "run: pip install --force-reinstall pyarrow"
        )
    given = dict(parse_qsl(query))
    try:
        if scheme == "s3":
            return fs.S3FileSystem(**_s3_options(host, given, os.environ))
        if scheme == "gs":
            return fs.FileSystem.from_uri(f"gs://{host}{'?' + query if query else ''}")[0]
        return fs.AzureFileSystem(**_azure_options(host, given, os.environ))
    except (ValueError, OSError, TypeError) as error:
        raise UserError(
            f"{scheme}://{host} cannot be opened: {error}; correct its address or the variables of {told}"
        ) from None


def _s3_options(bucket: str, given: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, Any]:
    """Of the address, else the variables that Amazon's own tools read."""
    from pyarrow import fs  # takes a tenth of a second to import

    _check_known("s3", given, _S3)
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or ""
    scheme, _, host = endpoint.rstrip("/").rpartition("://")
    options: dict[str, Any] = {"scheme": scheme or None, "endpoint_override": host or None, **given}
    region = options.get("region") or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not region:
        region = "us-east-1" if options["endpoint_override"] else fs.resolve_s3_region(bucket)
    options |= {"region": region, "connect_timeout": CONNECTING, "request_timeout": ANSWERING}
    return {name: value for name, value in options.items() if value is not None}


def _azure_options(account: str, given: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Of the variables that Azure's own tools read, else whatever its chain of credentials finds."""
    known = ("blob_storage_authority", "dfs_storage_authority", "blob_storage_scheme", "dfs_storage_scheme")
    _check_known("abfs", given, known)
    name = account.partition(".")[0] or environ.get("AZURE_STORAGE_ACCOUNT", "")
    key, token = environ.get("AZURE_STORAGE_KEY"), environ.get("AZURE_STORAGE_SAS_TOKEN")
    secret = {"account_key": key} if key else {"sas_token": token} if token else {}
    return {"account_name": name, **secret, **given}


def _check_known(scheme: str, given: Mapping[str, str], known: tuple[str, ...]) -> None:
    if unknown := sorted(set(given) - set(known)):
        raise UserError(
            f"after ?, {scheme}:// must have only {', '.join(known)}, but got {', '.join(unknown)}; leave "
            "them out"
        )
