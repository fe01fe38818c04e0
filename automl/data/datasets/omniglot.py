"""Omniglot: 1,623 characters of 50 alphabets, each drawn by 20 people, 28×28 (from AUTOML_DATA)."""

import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from automl.contracts import UserError
from automl.data.dataset import Dataset
from automl.data.local import find_files

FOLDERS = ("omniglot", ".")
ARRAYS = "omniglot_28.npz"
ARCHIVES = ("images_background.zip", "images_evaluation.zip")
SIDE = 28
_ENTRY = re.compile(r"images_(background|evaluation)/([^/]+/character\d+)/[^/]+\.png$")


@dataclass(frozen=True)
class Omniglot:
    """`x`: (n, 1, 28, 28) uint8, ink 255; `y`: (n,) numbers of characters; `names`: Alphabet/character."""

    x: np.ndarray
    y: np.ndarray
    names: list[str]
    evaluation: np.ndarray  # (characters,) whether it is of the evaluation set


def omniglot() -> Dataset:
    """The official split: 964 background characters to train on, 659 evaluation characters as test.

    Lake, Salakhutdinov & Tenenbaum 2015, https://doi.org/10.1126/science.aab3050. Validation characters
    are drawn from the background set.
    """
    data = read_omniglot()
    return Dataset(data.x, data.y, "image", len(data.names), parts=np.where(data.evaluation, 2, 0))


def read_omniglot() -> Omniglot:
    """All drawings, from the .npz file of 28×28 images or the two official archives.

    Raises `UserError` when neither is in AUTOML_DATA, or a file is damaged.
    """
    path, *others = find_files("omniglot", FOLDERS, (ARRAYS,), ARCHIVES)
    if others:
        return _from_archives([path, *others])
    try:
        with np.load(path, allow_pickle=False) as arrays:
            x, y, names = arrays["x"][:, None], arrays["label"].astype(np.int64), arrays["class_names"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} must hold the arrays x, label and class_names, but {error!r}; fetch it again"
        ) from error
    sets, _, rest = np.strings.partition(names, "/")
    return Omniglot(x, y, rest.tolist(), sets == "images_evaluation")


def _from_archives(paths: list[Path]) -> Omniglot:
    drawings: dict[tuple[bool, str], list[np.ndarray]] = {}
    for path in paths:
        try:
            with zipfile.ZipFile(path) as archive:
                for entry in sorted(archive.namelist()):
                    match = _ENTRY.search(entry)
                    if match:
                        key = (match[1] == "evaluation", match[2])
                        drawings.setdefault(key, []).append(_small(archive.read(entry)))
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(
                f"{path} must be the official archive, whole, but {error!r}; fetch it again"
            ) from error
    if not drawings:
        raise UserError(f"{paths[0]} must hold images_background/…/*.png, but does not; fetch it again")
    keys = sorted(drawings)
    x = np.concatenate([np.stack(drawings[key]) for key in keys])[:, None]
    y = np.repeat(np.arange(len(keys)), [len(drawings[key]) for key in keys])
    return Omniglot(x, y, [name for _, name in keys], np.array([evaluation for evaluation, _ in keys]))


def _small(data: bytes) -> np.ndarray:
    """A drawing of 105×105, ink black, as 28×28 with ink 255."""
    from PIL import Image  # Pillow is needed for image files alone

    with Image.open(io.BytesIO(data)) as image:
        return 255 - np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS))


PLUGIN = omniglot
