"""Folders of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from automl.contracts import ReadSpec, UserError
from automl.data.dataset import Dataset

KEYS = ("alpha", "size")  # of `task.read`
IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}


def read_images(folder: Path, read: ReadSpec) -> Dataset:
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
