"""Shared by several commands: arguments, the store, names of campaigns, output.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from automl.config.document import nearest
from automl.contracts import UserError

if TYPE_CHECKING:
    from automl.ledger import CampaignRow, Ledger, Store

OUT, ERR = 1, 2  # descriptors
_reserved: TextIO | None = None  # standard output, where nothing but one JSON object is to be
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A study, a campaign such as quickstart-3, or a file.")
]
StudyFile = Annotated[
    str, typer.Argument(metavar="FILE", help="A study file, or the name of a shipped study.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the file; may be repeated."),
]
Trust = Annotated[
    bool, typer.Option("--trust", help="Run code that the file names, wherever on Python's path it is.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]


def study_path(name: str) -> Path:
    """The file called `name`, or the shipped study of that name."""
    path = Path(name)
    if not path.exists() and name in (shipped := shipped_studies()):
        return shipped[name]
    return path


def shipped_studies() -> dict[str, Path]:
    """The study files of this package by name."""
    folder = Path(str(resources.files("automl.studies")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


@contextlib.contextmanager
def open_ledger(store: Store | None = None) -> Iterator[tuple[Store, Ledger]]:
    """The store (by default that of the environment) and its ledger.

    Creates nothing; raises `UserError` when the store does not exist.
    """
    from automl import storage
    from automl.ledger import resolve_store

    store = store or resolve_store()
    if store.url.startswith("sqlite") and not (store.folder / "ledger.db").exists():
        text = f"a store must hold a campaign to be read, but there is none in {store.folder}"
        raise UserError(f"{text}; start one with: automl run quickstart, or set AUTOML_STORE")
    with storage.open_ledger(store) as ledger:
        yield store, ledger


def find_campaign(ledger: Ledger, name: str) -> CampaignRow:
    """The campaign of that id or label, or the latest of that study. Raises `UserError` for none."""
    study = study_name(name)
    campaign = ledger.latest(study) or ledger.campaign(study)
    if campaign is None:
        campaigns = ledger.campaigns()
        for row in campaigns:
            if row.label == study:
                return row
        known = dict.fromkeys([row.study for row in campaigns] + [row.id for row in campaigns])
        raise UserError(
            f"NAME must be a study or campaign that has run, but got {study!r}; {nearest(study, known)}"
        )
    return campaign


def study_name(name: str) -> str:
    """`name`, or the study's name in the file of that name."""
    if not name.endswith((".yaml", ".yml")) and not Path(name).is_file():
        return name
    from automl.config import yamlfile

    data = yamlfile.read(Path(name)).data
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        raise UserError(f"{name}: a study file must have a name, but got none; see automl check {name}")
    return str(data["name"])


def emit(data: object) -> None:
    """Write one JSON object to standard output."""
    output = _reserved or sys.stdout
    output.write(f"{json.dumps(data)}\n")
    output.flush()


def output() -> TextIO:
    """Standard output, where JSON goes whatever is redirected later."""
    return _reserved or sys.stdout


def say(text: str = "") -> None:
    """Write a line to standard output."""
    sys.stdout.write(f"{text}\n")


def note(text: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"{text}\n")


@contextlib.contextmanager
def only_json(wanted: bool) -> Iterator[None]:
    """Redirect what libraries, C code and child processes print to standard error, when `wanted`."""
    if not wanted:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr), _descriptor_redirected():
        yield


@contextlib.contextmanager
def _descriptor_redirected() -> Iterator[None]:
    """Let descriptor 1 be that of standard error: child processes know nothing of `sys.stdout`."""
    try:
        kept = os.dup(OUT)
    except OSError:  # closed: nothing can be written there
        yield
        return
    try:
        _to_stderr()
        yield
    finally:
        _flush_c()
        os.dup2(kept, OUT)
        os.close(kept)


def reserve_output() -> None:
    """Keep this process's standard output for `emit`: threads, children and exit handlers print too."""
    global _reserved
    with contextlib.suppress(AttributeError, OSError):  # another object takes its place
        if sys.stdout.fileno() == OUT:
            _reserved = os.fdopen(os.dup(OUT), "w", encoding="utf-8")
            _to_stderr()
            sys.stdout = sys.stderr


def _to_stderr() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()
    _flush_c()
    with contextlib.suppress(OSError):  # there is no standard error: both stay as they are
        os.dup2(ERR, OUT)


def _flush_c() -> None:
    """Write what C's own buffers hold."""
    ctypes.CDLL(None).fflush(None)


def write_text(option: str, path: Path, text: str) -> None:
    """Write the file that an option names. Raises `UserError` when that cannot be."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{option} must name a writable file, but got {str(path)!r}: {error.strerror}"
        ) from error
