"""Arrays from .npz files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from automl.contracts import ReadSpec, Split, UserError
from automl.data.dataset import Dataset

KEYS = ("layout",)  # of `task.read`


def read_arrays(path: Path, read: ReadSpec) -> Dataset:
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
