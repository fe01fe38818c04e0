"""Datasets that lie in the folders that AUTOML_DATA lists, on this machine or by URL."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from automl.contracts import UserError
from automl.files import below, data_roots, is_url, shown, staged

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
            paths = _whole(place, files)
            if paths is not None:
                return paths
    searched = (
        ", ".join(shown(str(place)) for place in _places(folders)) or "nowhere, since AUTOML_DATA is not set"
    )
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


def _places(folders: Sequence[str]) -> Iterator[Path | str]:
    """Folders, and URLs of folders."""
    for root in data_roots():
        for folder in folders:
            if is_url(root):
                yield root if folder == "." else below(root, folder)
            else:
                yield Path(root) / folder


def _whole(place: Path | str, files: Sequence[str]) -> list[Path] | None:
    """All of `files` in a folder, those of a URL fetched to this node; None when one is missing."""
    if isinstance(place, Path):
        paths = [place / file for file in files]
        return paths if all(path.is_file() for path in paths) else None
    found: list[Path] = []
    for file in files:
        path = staged(below(place, file))
        if path is None:
            return None
        found.append(path)
    return found
