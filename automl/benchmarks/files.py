"""Where benchmark files are found, and how their arrays are read; each mistake has a message."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from pathlib import Path

import numpy as np

from automl.contracts import UserError
from automl.files import below, data_roots, is_url, shown, staged


def find_file(name: str, folders: tuple[Path, ...] = (Path(),)) -> Path:
    """The benchmark file `name`: as given, in one of `folders`, or below AUTOML_DATA.

    There it lies in a folder that the variable lists or in a folder of that; of a URL, from which it is
    fetched, in that itself. Raises `UserError` when there is none, or more than one below AUTOML_DATA.
    """
    for folder in folders:
        if (folder / name).is_file():
            return (folder / name).resolve()
    named = data_roots()
    roots = [Path(root) for root in named if not is_url(root)]
    paths = [place / name for root in roots for place in (root, *_subfolders(root))]
    stored = (staged(below(root, name)) for root in named if is_url(root))
    paths += [path for path in stored if path is not None]
    paths = list(dict.fromkeys(path.resolve() for path in paths if path.is_file()))
    if len(paths) == 1:
        return paths[0]
    if paths:
        raise UserError(
            f"the name of a benchmark file must mean one file, but {name!r} is each of "
            f"{', '.join(map(str, paths))}; write it with its folder"
        )
    searched = [*map(str, folders), *(f"{root} and its folders" for root in roots)]
    searched += [shown(root) for root in named if is_url(root)]
    where = ", ".join(searched) + ("" if named else "; AUTOML_DATA is not set")
    raise UserError(
        f"a benchmark file must exist, but {name!r} was not found (searched: {where}); correct the name, or "
        "set AUTOML_DATA to the folder that holds it"
    )


def _subfolders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def file_digest(name: str) -> str:
    """Sha256 (hex) of the benchmark file `name`."""
    return hashlib.sha256(find_file(name).read_bytes()).hexdigest()


def array_names(path: Path) -> list[str]:
    """Names of the arrays in an npz file. Raises `UserError` for anything else, whole or cut off."""
    try:
        with zipfile.ZipFile(path) as file:
            names = [name.removesuffix(".npy") for name in file.namelist() if name.endswith(".npy")]
    except (OSError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error
    if not names:
        raise _unreadable(path, "it holds no arrays")
    return names


def read_array(path: Path, name: str) -> np.ndarray:
    """One array of an npz file, which has it. Raises `UserError` when it is damaged or holds objects."""
    try:
        with np.load(path, allow_pickle=False) as file:
            array: np.ndarray = file[name]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise _unreadable(path, f"array {name!r}: {error}") from error
    return array


def array_shape(path: Path, name: str) -> tuple[int, ...]:
    """The shape of an array, without reading its values. Raises `UserError` when it is damaged."""
    try:
        with zipfile.ZipFile(path) as file, file.open(f"{name}.npy") as array:
            version = np.lib.format.read_magic(array)
            read = np.lib.format.read_array_header_1_0
            shape, _, _ = (read if version == (1, 0) else np.lib.format.read_array_header_2_0)(array)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise _unreadable(path, f"array {name!r}: {error}") from error
    return tuple(shape)


def _unreadable(path: Path, why: object) -> UserError:
    return UserError(
        f"a benchmark file must be a readable .npz file, but {path} is not: {why}; is it cut off, or of "
        "another format? Get it again"
    )
