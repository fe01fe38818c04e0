"""Folders of images: each read once, into one array.

All have one size, or are resized to `task.read.size`; grey when all are grey, else RGB; grey levels of more
than 8 bits stay as they are. Transparency is blended with white, or is a channel by `task.read.alpha: keep`.
"""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from automl.contracts import ReadSpec, Split, UserError
from automl.data.dataset import Dataset
from automl.data.reading.classes import Labelled, labelled
from automl.data.reading.folders import walk
from automl.data.reading.pictures import Change, Picture, UnreadableError, read_picture, stored_size
from automl.data.reading.stack import Stack
from automl.data.reading.wording import count, shown, some

KEYS = ("alpha", "size")  # of `task.read`
MOST_FAILURES = 20  # after which no further image is tried
MOST_SIZES = 2000  # images whose sizes are looked at when they differ


class _Reading:
    """What the images of a folder have been so far."""

    def __init__(self, root: Path, images: list[Labelled], read: ReadSpec) -> None:
        self.root, self.images = root, images
        self.size = None if read.size is None else (read.size[0], read.size[1])
        self.keep_alpha = read.alpha == "keep"
        self.stack = Stack(len(images))
        self.sizes: dict[tuple[int, int], list[str]] = {}
        self.kinds: dict[np.dtype, list[str]] = {}
        self.channels: Counter[int] = Counter()
        self.changes: Counter[Change] = Counter()

    def all(self) -> np.ndarray:
        """The pixels of every image. Raises `UserError` naming all that cannot be read."""
        failed: list[str] = []
        for number, one in enumerate(self.images):
            path = self.root.joinpath(*one.file.names)
            try:
                self._take(read_picture(path, self.keep_alpha, self.size), str(one.file))
            except UnreadableError as error:
                failed.append(f"{shown(path)} ({shown(str(error))})")
            if len(failed) == MOST_FAILURES:
                break
            if self.size is None and len(self.sizes) > 1:
                self._refuse_sizes(number + 1)
        if failed:
            raise UserError(
                f"every image must be readable, but {len(failed):,} of {len(self.images):,} images cannot "
                f"be read: {some(failed)}; replace or remove them"
            )
        if len(self.kinds) > 1:
            self._refuse_kinds()
        assert self.stack.pixels is not None
        return self.stack.pixels

    def _take(self, picture: Picture, name: str) -> None:
        self.sizes.setdefault(picture.size, []).append(name)
        self.kinds.setdefault(picture.pixels.dtype, []).append(name)
        self.changes.update(picture.changes)
        self.channels[picture.pixels.shape[2]] += 1
        if len(self.kinds) == 1 and (self.size is not None or len(self.sizes) == 1):
            self.stack.add(picture.pixels)

    def _refuse_sizes(self, start: int) -> None:
        rest = self.images[start : start + MOST_SIZES]
        for one in rest:
            try:
                size = stored_size(self.root.joinpath(*one.file.names))
            except UnreadableError:
                continue
            self.sizes.setdefault(size, []).append(str(one.file))
        ordered = sorted(self.sizes.items(), key=lambda item: -len(item[1]))
        found = [f"{len(names):,} of {h} × {w} such as {names[0]}" for (h, w), names in ordered]
        among = "" if start + MOST_SIZES >= len(self.images) else f" among the first {start + MOST_SIZES:,}"
        raise UserError(
            f"all images must have one size, but {shown(self.root)} has{among} (height × width) "
            f"{some(found, 5)}; set task.read.size: {list(ordered[0][0])}, or resize them"
        )

    def _refuse_kinds(self) -> None:
        found = [f"{len(names):,} of {_bits(kind)} such as {names[0]}" for kind, names in self.kinds.items()]
        raise UserError(
            f"the levels of all images must have one range, but {shown(self.root)} has {some(found)}; "
            "convert them to one kind"
        )

    def notes(self, pixels: np.ndarray) -> list[str]:
        """What was found out and done, a sentence each."""
        notes = [
            f"{count(self.changes[change], 'image')} {change}" for change in Change if self.changes[change]
        ]
        if self.size is not None and self.changes[Change.RESIZED]:
            found = [f"{h} × {w}" for h, w in sorted(self.sizes)]
            height, width = self.size
            notes.append(f"sizes were {some(found)} (height × width); all are {height} × {width} now")
        grey = self.channels[1] + self.channels[2]
        if pixels.shape[1] > 2 and grey:
            notes.append(
                f"{count(grey, 'grey image')} beside {len(self.images) - grey:,} in colour: read as RGB"
            )
        if pixels.dtype != np.uint8:
            notes.append(
                f"grey levels of {_bits(pixels.dtype)} are kept as they are, from {pixels.min():g} to "
                f"{pixels.max():g}"
            )
        return notes


def read_images(folder: Path, read: ReadSpec) -> Dataset:
    """The images in `folder` with the names of their folders as classes; those of a folder test are sealed.

    Raises `UserError` for folders or images that cannot be understood, naming them.
    """
    images, notes = labelled(folder, walk(folder))
    reading = _Reading(folder, images, read)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is odd in a file's metadata
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        pixels = reading.all()
    if reading.changes[Change.COMPOSITED] and pixels.min() == pixels.max():
        raise UserError(
            f"images must show something, but those of {shown(folder)} are blank when their transparency is "
            "blended with white; set task.read.alpha: keep"
        )
    y = np.array([one.label for one in images])
    first = sum(one.part != "test" for one in images)
    test = Split(pixels[first:], y[first:]) if first < len(images) else None
    return Dataset(pixels[:first], y[:first], "image", test=test, notes=(*notes, *reading.notes(pixels)))


def _bits(kind: np.dtype) -> str:
    return f"{8 * kind.itemsize} bits{' (real numbers)' if kind.kind == 'f' else ''}"
