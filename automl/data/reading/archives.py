"""The arrays of an .npz file, each checked by its header before any memory is taken for it."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from automl.contracts import UserError
from automl.data.reading.memory import require_memory
from automl.data.reading.wording import shown

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_SAVE = "save it with np.savez(path, x=…, y=…)"


class _DamagedError(Exception):
    """What an array's header says cannot be."""


@dataclass(frozen=True)
class Header:
    """What an array is, without its numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_headers(path: Path) -> dict[str, Header]:
    """Each array in `path` by its name. Raises `UserError` for a file that is no sound .npz."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                member.filename.removesuffix(".npy"): _header(archive, member)
                for member in archive.infolist()
                if member.filename.endswith(".npy")
            }
    except Exception as error:  # damaged bytes lead zipfile, zlib and NumPy into errors of every kind
        raise _refusal(path, error) from error


def read_members(path: Path, headers: dict[str, Header], names: Iterable[str]) -> dict[str, np.ndarray]:
    """The arrays `names` of `path`, in this machine's own types. Raises `UserError` like `read_headers`.

    Nothing is taken of arrays that have other names, or unpickled.
    """
    wanted = list(names)
    require_memory(
        sum(headers[name].size for name in wanted),
        f"the arrays {', '.join(map(shown, wanted))} of {shown(path)}",
        "save fewer rows, or numbers of fewer bits",
    )
    for name in wanted:
        if headers[name].dtype.hasobject:
            raise UserError(
                f"an .npz file must hold plain arrays, but {shown(name)} of {shown(path)} holds Python "
                "objects (a pickle, which could run code); save numbers or text: np.array(….tolist())"
            )
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: _array(archive, name) for name in wanted}
    except Exception as error:  # as above
        raise _refusal(path, error) from error


def is_long(dtype: np.dtype) -> bool:
    """Whether these are real numbers of more than 64 bits, which no library here computes with."""
    return dtype.kind == "f" and dtype.itemsize > 8


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header:
    with archive.open(member) as stream:
        version = npy.read_magic(stream)
        if version not in _HEADERS:
            raise _DamagedError(f"{member.filename} is of the unknown version {version}")
        shape, _, dtype = _HEADERS[version](stream)
        header = Header(tuple(shape), dtype)
        if not dtype.hasobject and (
            min(shape, default=0) < 0 or header.size != member.file_size - stream.tell()
        ):
            raise _DamagedError(
                f"{member.filename} should hold {dtype} of shape {shape}, but has {member.file_size:,} bytes"
            )
    return header


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as stream:
        array: np.ndarray = npy.read_array(stream, allow_pickle=False)
    if is_long(array.dtype):
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _refusal(path: Path, error: Exception) -> UserError:
    try:
        with path.open("rb") as file:
            single = file.read(6) == b"\x93NUMPY"
    except OSError:
        single = False
    if single:
        return UserError(f"an .npz file must hold named arrays, but {shown(path)} is one .npy array; {_SAVE}")
    reason = shown(str(error).splitlines()[0][:200]) if str(error) else type(error).__name__
    return UserError(
        f"{shown(path)} must be an .npz file of plain arrays, but reading it failed: {reason}; {_SAVE}"
    )
