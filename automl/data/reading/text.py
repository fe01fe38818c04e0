"""The text of a table's file: decompressed, decoded, and its line ends made one."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from automl.contracts import UserError

FALLBACK = "cp1252"  # what is neither UTF-8 nor UTF-16 was most likely written on Windows
_START, _BLOCK = 4096, 1 << 20  # bytes
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f]")
_MARKS = {  # byte order marks, the longer ones first
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_BINARY = {  # how files begin that are often taken for tables
    b"PK\x03\x04": "an Excel workbook or another zip archive; save it as .csv",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save it as .csv",
    b"PAR1": "a Parquet file; write it as .csv, or load it in a dataset function of yours",
    b"\x89HDF": "an HDF5 file; write it as .csv, or load it in a dataset function of yours",
    b"\x1f\x8b": "compressed by gzip; name it .csv.gz",
    b"SQLite format": "an SQLite database; write the table as .csv",
}


def read_text(path: Path, encoding: str | None) -> tuple[str, str]:
    """The text of `path` with line feeds alone, and the encoding, given or found. Raises `UserError`."""
    with _opened(path, encoding) as (stream, found):
        text = stream.read().removeprefix("\ufeff")
    if not text.strip():
        raise UserError(f"a table must have rows, but {path} is empty; check the file")
    _check_text(text, 1, path)
    return text, found


def read_lines(path: Path, encoding: str | None) -> Iterator[str]:
    """The lines of `path` without line feeds, read as they are asked for. Raises `UserError`."""
    with _opened(path, encoding) as (stream, _):
        number = 0
        for number, line in enumerate(stream, start=1):
            text = line.removeprefix("\ufeff") if number == 1 else line
            _check_text(text, number, path)
            yield text.removesuffix("\n")
        if not number:
            raise UserError(f"a table must have rows, but {path} is empty; check the file")


@contextmanager
def _opened(path: Path, encoding: str | None) -> Iterator[tuple[TextIO, str]]:
    """The text of `path`, decompressed, and its encoding. What is wrong with it is a `UserError`."""
    try:
        zipped = path.name.lower().endswith(".gz")
        with cast(BinaryIO, gzip.open(path)) if zipped else path.open("rb") as stream:
            start = stream.read(_START)
            for magic, what in _BINARY.items():
                if start.startswith(magic):
                    raise UserError(f"a table must be a text file, but {path} is {what}")
            found = encoding or _encoding(stream, start)
            stream.seek(0)
            with _decoding(path, found), io.TextIOWrapper(stream, found) as text:
                yield text, found
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"a table must be a readable file, but {path}: {error}; replace it") from error


@contextmanager
def _decoding(path: Path, encoding: str) -> Iterator[None]:
    try:
        yield
    except LookupError as error:
        raise UserError(
            f"task.read.encoding must be a known encoding, but got {encoding!r}; write utf-8, cp1252 or "
            "utf-16"
        ) from error
    except (UnicodeError, ValueError) as error:
        raise UserError(
            f"{path.name} must be text in {encoding}, but {error}; set task.read.encoding to what it was "
            "written in"
        ) from error


def _encoding(stream: BinaryIO, start: bytes) -> str:
    for mark, name in _MARKS.items():
        if start.startswith(mark):
            return name
    if start.count(0) > len(start) / 4:  # half of the bytes of Latin text in UTF-16 are zero
        return "utf-16-le" if start[1::2].count(0) >= start[::2].count(0) else "utf-16-be"
    return next((name for name in ("utf-8", FALLBACK) if _decodes(stream, name)), "latin-1")


def _decodes(stream: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    stream.seek(0)
    try:
        while block := stream.read(_BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _check_text(text: str, line: int, path: Path) -> None:
    """Raise `UserError` for control characters in `text`, which begins in this `line`."""
    found = _CONTROL.search(text)
    if found is not None:
        line += text[: found.start()].count("\n")
        raise UserError(
            f"a table must be a text file, but line {line} of {path} has the control character {found[0]!r}; "
            "remove it, or set task.read.encoding"
        )
