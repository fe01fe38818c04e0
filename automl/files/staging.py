"""Data by URL: each file is fetched once per node, and again when it has changed there."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from automl.contracts import RunError, UserError, digest
from automl.files.cache import node_cache
from automl.files.folder import Entry, Folder
from automl.files.urls import named_url, shown

_BETWEEN: Final = re.compile(rf"{os.pathsep}(?!//)")  # not that of s3://
_held: dict[str, int] = {}  # entries of the cache that this process reads: descriptors of their locks


def data_roots(environ: Mapping[str, str] = os.environ, variable: str = "AUTOML_DATA") -> list[str]:
    """The folders and URLs that `AUTOML_DATA` lists. A colon in a URL's query is written %3A."""
    return [root for root in map(str.strip, _BETWEEN.split(environ.get(variable, ""))) if root]


def staged(url: str, of: str = "AUTOML_DATA") -> Path | None:
    """A copy of the file at `url` on this node, under its own name; None when there is no such file.

    It stays there while this process lives. Raises `UserError` when the storage cannot be read, naming `of`.
    """
    base, _, query = named_url(url, of).partition("?")
    parent, _, name = base.rpartition("/")
    folder = Folder(f"{parent}{'?' + query if query else ''}")
    try:
        found = folder.entry(unquote(name))
        return None if found is None else _fetched(folder, [found], url) / found.name
    except RunError as error:
        raise UserError(f"{of} must name what can be read from here, but {error}") from None


def staged_folder(url: str, of: str = "AUTOML_DATA") -> Path | None:
    """A copy of the folder at `url` with all that is in it, as `staged`; None when nothing is there."""
    folder = Folder(named_url(url, of))
    try:
        found = folder.entries()
        name = PurePosixPath(unquote(urlsplit(folder.url).path)).name or "data"
        return _fetched(folder, found, url, name) / name if found else None
    except RunError as error:
        raise UserError(f"{of} must name what can be read from here, but {error}") from None


def staged_any(url: str, of: str) -> Path:
    """The file or folder at `url` on this node. Raises `UserError` when there is neither."""
    found = staged(url, of) or staged_folder(url, of)
    if found is None:
        raise UserError(f"{of} must name a file or folder, but there is none at {shown(url)}; correct it")
    return found


def _fetched(folder: Folder, entries: list[Entry], url: str, below: str = "") -> Path:
    """The cached folder that holds copies of `entries` of `folder`, in a folder `below` of it."""
    if outside := [entry.name for entry in entries if ".." in PurePosixPath(entry.name).parts]:
        raise UserError(
            f"names of files must not lead out of their folder, but {shown(url)} has {outside[0]!r}"
        )
    key = digest([url, [list(entry) for entry in entries]])[:32]

    def make(part: Path) -> None:
        for entry in entries:
            to = part / below / entry.name
            folder.fetch(entry.name, to)
            if to.stat().st_size != entry.size:
                raise RunError(
                    f"{entry.name} in {folder.shown} is changing: {entry.size} bytes were announced"
                )

    cache = node_cache()
    if key not in _held:
        _held[key] = cache.hold(key, make)
    return cache.folder / key
