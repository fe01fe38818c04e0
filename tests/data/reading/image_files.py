"""Small images and folders of them for the tests of readers."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from automl.contracts import ReadSpec
from automl.data import Dataset
from automl.data.reading.images import read_images


def levels(height: int = 5, width: int = 6, high: int = 255, start: int = 0) -> np.ndarray:
    """Different grey levels from `start` to `high`, (height, width)."""
    return np.linspace(start, high, height * width).reshape(height, width).round()


def grey(**size: int) -> Image.Image:
    return Image.fromarray(levels(**size).astype(np.uint8))


def colour(**size: int) -> Image.Image:
    plane = levels(**size).astype(np.uint8)
    return Image.fromarray(np.stack([plane, 255 - plane, plane // 2], axis=-1))


def save(path: Path, image: Image.Image | None = None, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or grey()).save(path, **options)
    return path


def classes(root: Path, image: Image.Image, ending: str = "png", count: int = 2, **options: Any) -> Path:
    """Two classes a and b with `count` copies of `image` each."""
    for label in "ab":
        for number in range(count):
            save(root / label / f"{number}.{ending}", image, **options)
    return root


def read(root: Path, **keys: Any) -> Dataset:
    return read_images(root, ReadSpec(**keys))


def told(dataset: Dataset) -> str:
    return "\n".join(dataset.notes)


def png(pixels: np.ndarray, colour_type: int, transparent: np.ndarray | None = None) -> bytes:
    """A PNG file of 16 bits, as Pillow cannot write it; `pixels` (H, W, C), `transparent` (C,)."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    key = b"" if transparent is None else chunk(b"tRNS", transparent.astype(">u2").tobytes())
    body = chunk(b"IHDR", header) + key + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file, with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
