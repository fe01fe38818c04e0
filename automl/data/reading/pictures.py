"""One image file as an array of pixels, and what was done to it on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

# needs another program, is only recognised and not read, or holds no image
_NOT_READ = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "PDF", "WMF"}
_GREY = {"1", "L", "LA", "La"}
_PLAIN = {"1", "L", "P", "RGB", "RGBX"}  # become grey or RGB without a change of colours


class UnreadableError(Exception):
    """No pixels can be had from a file; the text says why."""


class Change(StrEnum):
    """What was done to an image, in words that follow `12 images`."""

    TURNED = "are turned as their EXIF orientation says"
    COMPOSITED = "have transparent pixels, which are blended with white (task.read.alpha: keep keeps them)"
    KEPT = "have transparent pixels; the transparency is the last channel"
    KEYED = "name one level or colour of 16 bits as transparent, which is not applied"
    FIRST = "have several frames or pages, of which the first is read"
    HALVED = "have colours of 16 bits, of which the upper 8 are read"
    CONVERTED = "are converted from CMYK or another colour space to RGB"
    EXIF = "have damaged EXIF data, so their orientation is unknown; they are read as stored"
    RESIZED = "are resized"
    STRETCHED = "lose their proportions by that"


@dataclass(frozen=True)
class Picture:
    """`pixels`: (H, W, C) with C 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA; `size` as stored, (H, W)."""

    pixels: np.ndarray
    changes: frozenset[Change]
    size: tuple[int, int]


@cache
def endings() -> frozenset[str]:
    """The endings, in lower case, of the files that can be read."""
    known = {*_formats(), "MPO"}  # several JPEG images in one file
    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in known)


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in Image.ID if name not in _NOT_READ)


def read_picture(path: Path, keep_alpha: bool, size: tuple[int, int] | None) -> Picture:
    """The first frame of `path`, upright, resized to `size` (height, width). Raises `UnreadableError`.

    uint8, or with deeper grey levels uint16, int32 or float32, as they are in the file.
    """
    try:
        with _opened(path) as image:
            return _picture(image, keep_alpha, size)
    except UnreadableError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableError(_too_large(error)) from error
    except Exception as error:  # Pillow's readers raise whatever damaged bytes lead them to
        raise UnreadableError(_reason(path, error)) from error


def stored_size(path: Path) -> tuple[int, int]:
    """Height and width of the upright image in `path`, from its header alone. Raises `UnreadableError`."""
    try:
        with _opened(path) as image:
            turned = image.format != "PNG" and image.getexif().get(ExifTags.Base.Orientation, 1) in range(
                5, 9
            )
            width, height = image.size
    except Exception as error:  # as above
        raise UnreadableError(_reason(path, error)) from error
    return (width, height) if turned else (height, width)


def _opened(path: Path) -> Image.Image:
    return Image.open(path, formats=_formats())


def _too_large(error: Exception) -> str:
    pixels = re.search(r"\d+", str(error))
    found = f"{int(pixels[0]):,} pixels" if pixels else "too many pixels"
    return f"{found}, more than the {Image.MAX_IMAGE_PIXELS:,} that are opened: make it smaller"


def _reason(path: Path, error: Exception) -> str:
    if path.is_file() and path.stat().st_size == 0:
        return "the file is empty"
    if isinstance(error, UnidentifiedImageError):
        return "no image of a known format, or of a kind of it that is not read"
    if isinstance(error, FileNotFoundError):
        return "a link to a file that does not exist"
    text = str(error).replace(str(path), "the file").splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__


def _picture(image: Image.Image, keep_alpha: bool, size: tuple[int, int] | None) -> Picture:
    changes: set[Change] = set()
    halved = isinstance(image, ImageFile.ImageFile) and any(map(_of_16_bits, image.tile))
    upright = _upright(image, changes)
    if halved and not _deep(upright):
        changes.add(Change.HALVED)
        if upright.info.pop("transparency", None) is not None:
            changes.add(Change.KEYED)  # a colour of 16 bits would be taken for another one of 8
    plain = _deep_grey(upright, changes) if _deep(upright) else _eight_bit(upright, keep_alpha, changes)
    stored = plain.height, plain.width
    if size is not None and size != stored:
        changes.add(Change.RESIZED)
        if stored[0] * size[1] != stored[1] * size[0]:
            changes.add(Change.STRETCHED)
        plain = plain.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    pixels = np.array(plain)
    if pixels.size == 0:
        raise UnreadableError("it has no pixels")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise UnreadableError("it has nan or infinite pixels")
    if _has_more(image):
        changes.add(Change.FIRST)
    return Picture(pixels if pixels.ndim == 3 else pixels[:, :, None], frozenset(changes), stored)


def _of_16_bits(tile: ImageFile._Tile) -> bool:
    """Whether `tile` is stored with more than 8 bits, by what Pillow's decoder is told of it."""
    told = tile.args if isinstance(tile.args, tuple) else (tile.args,)
    portable = tile.codec_name == "ppm" and isinstance(told[-1], int) and told[-1] > 255
    return portable or any(isinstance(part, str) and ";16" in part for part in told)


def _upright(image: Image.Image, changes: set[Change]) -> Image.Image:
    """`image`, loaded, turned as its EXIF data say."""
    # TIFF turns itself when it is loaded, and forgets that it did; PNG has its EXIF data after the pixels
    first = image.getexif().get(ExifTags.Base.Orientation, 1) if image.format == "TIFF" else 1
    image.load()
    try:
        turn = image.getexif().get(ExifTags.Base.Orientation, 1)
        turned = ImageOps.exif_transpose(image) if turn in range(2, 9) else image
    except Exception:  # the pixels are whole: what damaged EXIF data raise is of no consequence
        changes.add(Change.EXIF)
        return image
    if first in range(2, 9) or turn in range(2, 9):
        changes.add(Change.TURNED)
    return turned


def _deep(image: Image.Image) -> bool:
    """Whether `image` is grey with more than 8 bits."""
    return image.mode == "F" or image.mode.startswith("I")


def _deep_grey(image: Image.Image, changes: set[Change]) -> Image.Image:
    if image.has_transparency_data:
        changes.add(Change.KEYED)
    if image.mode in ("I;16", "I", "F"):
        return image
    return Image.fromarray(np.array(image).astype(np.uint16))  # another order of bytes


def _eight_bit(image: Image.Image, keep_alpha: bool, changes: set[Change]) -> Image.Image:
    """`image` in mode L, LA, RGB or RGBA."""
    grey = image.mode in _GREY or (image.mode in ("P", "PA") and _grey_palette(image))
    if image.mode == "La":
        image = image.convert("LA")
    if not image.has_transparency_data:
        if image.mode not in _PLAIN:
            changes.add(Change.CONVERTED)
        return image.convert("L" if grey else "RGB")
    full = image.convert("RGBA")
    transparent = bool(np.asarray(full.getchannel("A")).min() < 255)
    if keep_alpha:
        if transparent:
            changes.add(Change.KEPT)
        return full.convert("LA") if grey else full
    if transparent:
        changes.add(Change.COMPOSITED)
        full = Image.alpha_composite(Image.new("RGBA", full.size, "white"), full)
    flat = full.convert("RGB")
    return flat.convert("L") if grey else flat


def _grey_palette(image: Image.Image) -> bool:
    colours = np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())


def _has_more(image: Image.Image) -> bool:
    """Whether there is a second frame. `image` is of no use afterwards."""
    try:
        image.seek(1)
    except EOFError:
        return False
    except Exception:  # it is there, but damaged
        return True
    return True
