"""Shared by several commands: arguments, the store, names of campaigns, output.

Commands import their rooms when they run: `automl --help` starts in 0.3 s.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, TextIO

import typer

from automl.api.finding import find_campaign, open_ledger, shipped_studies, study_name, study_path
from automl.contracts import UserError

__all__ = [
    "ERR",
    "OUT",
    "Json",
    "Name",
    "Set",
    "StudyFile",
    "Trust",
    "emit",
    "find_campaign",
    "note",
    "only_json",
    "open_ledger",
    "reserve_output",
    "say",
    "shipped_studies",
    "study_name",
    "study_path",
    "write_text",
    "write_texts",
]
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
    write_texts(option, path, [text])


def write_texts(option: str, path: Path, texts: Iterable[str]) -> None:
    """Write the file that an option names, in parts; whole or, where making these fails, not at all.

    Raises `UserError` when it cannot be written.
    """
    plain, real = path.is_file() or not path.exists(), path.resolve()
    draft = real.with_name(f".{real.name}.{os.getpid()}") if plain else real
    try:
        try:
            with draft.open("w", encoding="utf-8") as file:
                file.writelines(texts)
            if plain:
                draft.replace(real)
        finally:
            if plain:
                draft.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"{option} must name a writable file, but got {str(path)!r}: {error.strerror}"
        ) from error
