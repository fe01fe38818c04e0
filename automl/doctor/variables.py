"""The variables of the environment that this program reads, and the folder it was started in."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from automl.contracts import UserError
from automl.doctor.finding import Finding, problem, warning
from automl.doctor.machine import existing
from automl.files import cache_size, data_roots, is_url, named_url

OURS: Final = "AUTOML_"
READ_FROM: Final = ("AUTOML_PLUGINS", "AUTOML_DATA")  # lists of folders, the second one of URLs too
WRITTEN_TO: Final = ("AUTOML_FOLDER", "AUTOML_ARTIFACTS")
PORT: Final = "AUTOML_PORT"
STORAGE: Final = "AUTOML_STORAGE"
CACHE: Final = ("AUTOML_CACHE", "AUTOML_CACHE_SIZE")
OTHERS: Final = ("AUTOML_STORE", "AUTOML_HOST", "AUTOML_DEBUG", "AUTOML_USER")
KNOWN: Final = (*READ_FROM, *WRITTEN_TO, *CACHE, STORAGE, PORT, *OTHERS)
SERVER: Final = "MLFLOW_TRACKING_URI"
MAX_PORT: Final = 65535


def variables(environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Whether every variable of ours is known and names what it must."""
    found = [*_folders(environ), *_addresses(environ), *_unknown(environ)]
    yield from found
    named = sorted(name for name in environ if name in KNOWN)
    if not found:
        yield Finding("variables", f"{', '.join(named) or 'none of ours'} set")


def folder() -> Iterator[Finding]:
    """Whether the working folder is still there."""
    try:
        Path.cwd()
    except OSError as error:
        text = f"the working folder cannot be used: {error.strerror}"
        yield problem("folder", text, "cd into one that is there")


def _folders(environ: Mapping[str, str]) -> Iterator[Finding]:
    for name in READ_FROM:
        for place in data_roots(environ, name):
            why = "" if name == "AUTOML_DATA" and is_url(place) else _unreadable(Path(place).expanduser())
            if why:
                advice = f"correct {name}, which lists folders with {os.pathsep!r} between them"
                yield problem("variables", f"{name} names {place}, which {why}", advice)
    for name in WRITTEN_TO:
        place = environ.get(name, "").strip()
        if place and "://" not in place:
            path = existing(Path(os.path.abspath(Path(place).expanduser())))  # noqa: PTH100 - links stay
            if not path.is_dir() or not os.access(path, os.W_OK | os.X_OK):
                text = f"{name} names {place}, which this user cannot write ({path})"
                yield problem("variables", text, f"correct {name}, or chown or chmod that folder")


def _addresses(environ: Mapping[str, str]) -> Iterator[Finding]:
    port = environ.get(PORT, "")
    if port and not (port.isascii() and port.isdigit() and 1 <= int(port) <= MAX_PORT):
        yield problem("variables", f"{PORT} must be 1 to {MAX_PORT}, but is {port!r}", "correct or unset it")
    try:
        cache_size(environ)
        if environ.get(STORAGE, "").strip():
            named_url(environ[STORAGE], STORAGE, Path.cwd())
    except UserError as error:
        yield problem("variables", str(error), "correct or unset it")
    server = environ.get(SERVER, "").strip()
    if server and not server.startswith(("http://", "https://")):
        text = f"{SERVER} names no server by http:// or https://, so that the store's own MLflow is used"
        yield warning("variables", text, "unset it, or name the tracking server")


def _unknown(environ: Mapping[str, str]) -> Iterator[Finding]:
    for name in sorted(environ):
        if name.startswith(OURS) and name not in KNOWN:
            near = difflib.get_close_matches(name, KNOWN, n=1)
            meant = f"it may mean {near[0]}" if near else f"known: {', '.join(sorted(KNOWN))}"
            yield warning("variables", f"{name} is set, which nothing here reads", f"unset it; {meant}")


def _unreadable(path: Path) -> str:
    if not path.exists():
        return "is not there"
    if not path.is_dir():
        return "is not a folder"
    return "" if os.access(path, os.R_OK | os.X_OK) else "this user cannot read"
