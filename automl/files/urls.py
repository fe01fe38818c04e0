"""Addresses of storages: which ones are known, and that none holds a password."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from automl.contracts import UserError
from automl.masking import MASK, mask, mask_text

SCHEMES: Final = ("file", "s3", "gs", "abfs", "abfss")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_EXAMPLES: Final = (
    "/mnt/nfs/automl, s3://bucket/automl, gs://bucket/automl or abfs://container@account/automl"
)


def is_url(named: str) -> bool:
    """Whether `named` is an address with a scheme rather than a path."""
    return _SCHEME.match(named) is not None


def named_url(named: str, of: str, folder: Path | None = None) -> str:
    """The storage that a user names, as a URL without a slash at its end. `of`: the option or variable.

    A relative path begins in `folder`; without one it is refused. Raises `UserError` for an unknown scheme,
    for one without a bucket, and for a password or key in it: they belong into the environment of the nodes.
    """
    named = named.strip()
    if not is_url(named):
        path = Path(named).expanduser()
        if folder is None and not path.is_absolute():
            raise UserError(f"{of} must be a URL or an absolute path ({_EXAMPLES}), but got {named!r}")
        return f"file://{quote(os.path.normpath((folder or Path.cwd()) / path))}"
    try:
        parts = urlsplit(named)
    except ValueError as error:
        raise UserError(f"{of} must be a URL or a path ({_EXAMPLES}), but: {error}") from None
    scheme = parts.scheme.lower()
    _check_open(named, of)
    if scheme not in SCHEMES:
        known = ", ".join(f"{one}://" for one in SCHEMES)
        raise UserError(f"{of} must be a path or begin with one of {known}, but its scheme is {scheme!r}")
    if scheme == "file":
        if parts.netloc or not parts.path.startswith("/"):
            raise UserError(f"{of} must read file:///absolute/path, but got {named!r}")
        return f"file://{quote(os.path.normpath(unquote(parts.path)))}"
    if not parts.netloc or parts.fragment:
        raise UserError(f"{of} must name a bucket or container ({_EXAMPLES}), but got {shown(named)!r}")
    query = f"?{parts.query}" if parts.query else ""
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}{query}"


def below(url: str, *names: str) -> str:
    """The URL of `names` below `url`; a query stays at its end."""
    base, mark, query = url.partition("?")
    return "/".join([base, *(quote(name, safe="/@=+,") for name in names)]) + mark + query


def shown(url: str) -> str:
    """`url` for messages: without a query, and without what looks like a secret."""
    return mask_text(url.partition("?")[0])


def _check_open(named: str, of: str) -> None:
    """Raise `UserError` for credentials in an address; the container of abfs://container@account is none."""
    parts = urlsplit(named)
    user, at, _ = parts.netloc.rpartition("@")
    is_container = parts.scheme.lower() in ("abfs", "abfss") and ":" not in user
    secret = [name for name, _ in parse_qsl(parts.query) if mask({name: "a"})[name] == MASK]
    if (at and not is_container) or secret:
        raise UserError(
            f"{of} must hold no password or key, but {shown(named)} does"
            f"{' (' + ', '.join(secret) + ')' if secret else ''}; leave it out and set the usual variables "
            "on every node: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, or "
            "AZURE_STORAGE_KEY or AZURE_CLIENT_ID and its like; or give the nodes a role"
        )
