"""Datasets that lie on this machine, in the folders that AUTOML_DATA lists."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from automl.contracts import UserError

# what a NumPy array of numbers needs, in the spellings of NumPy 1 and 2
_ALLOWED = {
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("_codecs", "encode"),
}


def find_files(name: str, folders: Sequence[str], *either: Sequence[str]) -> list[Path]:
    """The first group of files that is whole in one of `folders` below AUTOML_DATA.

    Raises `UserError` naming what was searched.
    """
    for files in either:
        for place in _places(folders):
            paths = [place / file for file in files]
            if all(path.is_file() for path in paths):
                return paths
    searched = ", ".join(str(place) for place in _places(folders)) or "nowhere, since AUTOML_DATA is not set"
    wanted = ", or ".join(" and ".join(files) for files in either)
    raise UserError(
        f"the dataset {name!r} must lie in a folder listed in AUTOML_DATA, but there is no {wanted} "
        f"(searched: {searched}); set AUTOML_DATA to the folder that holds {folders[0]}/"
    )


def plain_unpickle(data: bytes) -> Any:
    """Numbers, strings, lists, dicts and arrays from a pickle; anything else raises `ValueError`."""
    try:
        return _PlainUnpickler(io.BytesIO(data), encoding="bytes").load()
    except (pickle.UnpicklingError, EOFError, AttributeError, TypeError, IndexError) as error:
        raise ValueError(f"not a plain pickle: {error}") from error


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return super().find_class(module, name)


def _places(folders: Sequence[str]) -> Iterator[Path]:
    for root in filter(None, os.environ.get("AUTOML_DATA", "").split(os.pathsep)):
        for folder in folders:
            yield Path(root) / folder
