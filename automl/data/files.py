"""Datasets from files: tables (.csv, .tsv, also .gz), arrays (.npz) and folders of images."""

from __future__ import annotations

import difflib
import zipfile
from pathlib import Path

import numpy as np

from automl.contracts import Split, UserError
from automl.data.dataset import Dataset

SEPARATORS = {".csv": ",", ".csv.gz": ",", ".tsv": "\t", ".tsv.gz": "\t"}
IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}


def read(path: Path, target: str | None) -> Dataset:
    """The dataset in the file or folder `path`. Raises `UserError` when it cannot be understood."""
    if path.is_dir():
        dataset = read_images(path)
    elif path.suffix == ".npz":
        dataset = read_arrays(path)
    else:
        for suffix, separator in SEPARATORS.items():
            if path.name.endswith(suffix):
                return read_table(path, separator, target)
        raise UserError(
            f"a dataset file must end in {', '.join(SEPARATORS)} or .npz, or be a folder of images, "
            f"but got {path.name!r}; convert it"
        )
    if target is not None:
        raise UserError(
            f"task.target names a column of a table, but {path.name!r} is none; remove task.target"
        )
    return dataset


def read_table(path: Path, separator: str, target: str | None) -> Dataset:
    """A table with a header; the target is the column `target`, or the last one. Empty cells are missing."""
    import pandas as pd  # pandas takes half a second to import

    try:
        frame = pd.read_csv(path, sep=separator, low_memory=False)
    except (OSError, ValueError, EOFError, pd.errors.ParserError) as error:
        raise UserError(
            f"a table must be a readable {separator!r}-separated file, but {path}: {error}"
        ) from error
    columns = [str(column) for column in frame.columns]
    frame.columns = columns
    if len(columns) < 2 or len(frame) == 0:
        raise UserError(
            f"a table must have rows, features and a target, but {path} has {len(frame)} rows and "
            f"{len(columns)} columns; check the file and its separator"
        )
    chosen = columns[-1] if target is None else target
    if chosen not in columns:
        near = difflib.get_close_matches(chosen, columns, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(
            f"task.target must be a column of {path.name}, but got {chosen!r}; {hint}"
            f"columns: {', '.join(columns)}"
        )
    y = frame.pop(chosen).to_numpy()
    return Dataset(frame, y, "table")


def read_arrays(path: Path) -> Dataset:
    """Arrays `x` and `y`, optionally `x_test` and `y_test`, of an .npz file.

    `x`: (n, features); or images (n, H, W), (n, C, H, W) or (n, H, W, C) with C of 1, 3 or 4.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} must be an .npz file of plain arrays, but reading it failed: {error}"
        ) from error
    for name in ("x", "y"):
        if name not in arrays:
            raise UserError(
                f"an .npz dataset must hold the arrays x and y, but {path} holds "
                f"{', '.join(arrays) or 'none'}; save it with np.savez(path, x=…, y=…)"
            )
    test = None
    if "x_test" in arrays and "y_test" in arrays:
        test = Split(_features(arrays["x_test"], path), arrays["y_test"])
    kind = "table" if arrays["x"].ndim == 2 else "image"
    return Dataset(
        _features(arrays["x"], path), arrays["y"], "table" if kind == "table" else "image", test=test
    )


def _features(x: np.ndarray, path: Path) -> object:
    import pandas as pd  # pandas takes half a second to import

    if x.ndim == 2:
        return pd.DataFrame(x, columns=[f"x{column}" for column in range(x.shape[1])])
    if x.ndim == 3:
        return x[:, None]
    if x.ndim == 4:
        last = x.shape[3] in (1, 3, 4) and x.shape[1] not in (1, 3, 4)
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if last else x
    raise UserError(
        f"x must have 2 dimensions (a table), 3 or 4 (images), but that of {path} has shape {x.shape}; "
        "reshape it"
    )


def read_images(folder: Path) -> Dataset:
    """Images of one size, one subfolder for each class; grey when all are grey, else RGB."""
    from PIL import Image  # Pillow is needed for image files alone

    files = {
        label.name: sorted(file for file in label.rglob("*") if file.suffix.lower() in IMAGES)
        for label in sorted(folder.iterdir())
        if label.is_dir()
    }
    labels = [name for name, images in files.items() if images]
    if len(labels) < 2:
        raise UserError(
            f"a folder of images must have a subfolder of images for each of at least two classes, but "
            f"{folder} has {len(labels)}; arrange it as {folder.name}/<class>/<image>.png"
        )
    x, y = [], []
    for name in labels:
        for file in files[name]:
            try:
                with Image.open(file) as image:
                    x.append(np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB")))
            except (OSError, ValueError, SyntaxError) as error:
                raise UserError(
                    f"every image must be readable, but {file}: {error}; replace or remove it"
                ) from error
            if x[-1].shape[:2] != x[0].shape[:2]:
                raise UserError(
                    f"all images must have one size, but {file} is {x[-1].shape[:2]} (height, width) and "
                    f"the first one {x[0].shape[:2]}; resize them"
                )
            y.append(name)
    if any(image.ndim == 3 for image in x):
        x = [image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2) for image in x]
        return Dataset(np.stack(x).transpose(0, 3, 1, 2), np.array(y), "image")
    return Dataset(np.stack(x)[:, None], np.array(y), "image")
