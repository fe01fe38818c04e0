"""The text of a table's file: decompressed, decoded, and its line ends made one."""

from __future__ import annotations

import codecs
import gzip
import zlib
from pathlib import Path

from automl.contracts import UserError

FALLBACK = "cp1252"  # what is neither UTF-8 nor UTF-16 was most likely written on Windows
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
    data = _bytes(path)
    for start, what in _BINARY.items():
        if data.startswith(start):
            raise UserError(f"a table must be a text file, but {path} is {what}")
    found = encoding or _encoding(data)
    try:
        text = data.decode(found)
    except LookupError as error:
        raise UserError(
            f"task.read.encoding must be a known encoding, but got {found!r}; write utf-8, cp1252 or utf-16"
        ) from error
    except (UnicodeError, ValueError) as error:
        raise UserError(
            f"{path.name} must be text in {found}, but {error}; set task.read.encoding to what it was "
            "written in"
        ) from error
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    _check_text(text, path)
    return text, found


def _bytes(path: Path) -> bytes:
    try:
        if path.name.lower().endswith(".gz"):
            with gzip.open(path) as file:
                return file.read()
        return path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"a table must be a readable file, but {path}: {error}; replace it") from error


def _encoding(data: bytes) -> str:
    for mark, name in _MARKS.items():
        if data.startswith(mark):
            return name
    start = data[:4096]
    if start.count(0) > len(start) / 4:  # half of the bytes of Latin text in UTF-16 are zero
        return "utf-16-le" if start[1::2].count(0) >= start[::2].count(0) else "utf-16-be"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return FALLBACK if _decodes(data, FALLBACK) else "latin-1"
    return "utf-8"


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _check_text(text: str, path: Path) -> None:
    if not text.strip():
        raise UserError(f"a table must have rows, but {path} is empty; check the file")
    control = next((sign for sign in text if sign < " " and sign not in "\t\n\f"), None)
    if control is not None:
        line = text[: text.index(control)].count("\n") + 1
        raise UserError(
            f"a table must be a text file, but line {line} of {path} has the control character {control!r}; "
            "remove it, or set task.read.encoding"
        )
