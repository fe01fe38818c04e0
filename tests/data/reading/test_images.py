"""Pixels of image files: every kind keeps what it shows, what is changed is told, the rest is refused."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_files import classes, colour, grey, levels, png, read, save, told
from PIL import Image

from automl.contracts import UserError
from automl.data.reading import memory, pictures
from automl.data.reading import stack as stacking

PLANE = levels().astype(np.uint8)
ORIENTATION = 0x0112


def alpha(image: Image.Image, transparency: np.ndarray = PLANE) -> Image.Image:
    image.putalpha(Image.fromarray(transparency))
    return image


def shape_in_alpha() -> Image.Image:
    return alpha(Image.new("RGB", (6, 5), "black"))


def keyed(image: Image.Image, path: Path, key: Any) -> Path:
    return save(path, image, transparency=key)


def palette(transparent: bool, grey_only: bool = False) -> tuple[Image.Image, dict[str, Any]]:
    image = Image.fromarray(np.arange(30, dtype=np.uint8).reshape(5, 6) % 4, "P")
    image.putpalette([0, 0, 0, 80, 80, 80, 9, 9, 9, 255, 255, 255] if grey_only else [0, 0, 0, 255, 0, 0] * 2)
    return image, {"transparency": 1} if transparent else {}


def test_shapes_in_the_transparency_are_seen(tmp_path: Path) -> None:
    dataset = read(classes(tmp_path, shape_in_alpha()))
    assert dataset.x.shape == (4, 3, 5, 6)
    assert np.array_equal(dataset.x[0, 0], 255 - PLANE)
    assert "4 images have transparent pixels, which are blended with white" in told(dataset)


def test_transparency_can_be_kept_as_a_channel(tmp_path: Path) -> None:
    dataset = read(classes(tmp_path / "rgba", shape_in_alpha()), alpha="keep")
    assert dataset.x.shape == (4, 4, 5, 6)
    assert np.array_equal(dataset.x[0, 3], PLANE) and not dataset.x[0, :3].any()
    assert "the transparency is the last channel" in told(dataset)
    dataset = read(classes(tmp_path / "la", alpha(grey())), alpha="keep")
    assert dataset.x.shape == (4, 2, 5, 6)
    assert np.array_equal(dataset.x[0, 0], PLANE) and np.array_equal(dataset.x[0, 1], PLANE)


def test_grey_with_transparency_stays_grey(tmp_path: Path) -> None:
    black = alpha(Image.new("L", (6, 5), 0))
    dataset = read(classes(tmp_path, black))
    assert dataset.x.shape == (4, 1, 5, 6) and np.array_equal(dataset.x[0, 0], 255 - PLANE)


def test_white_shapes_need_their_transparency(tmp_path: Path) -> None:
    classes(tmp_path, alpha(Image.new("RGB", (6, 5), "white")))
    with pytest.raises(UserError, match=r"blank when their transparency .*task.read.alpha: keep"):
        read(tmp_path)
    assert len(np.unique(read(tmp_path, alpha="keep").x)) == 30


def test_full_opacity_is_no_transparency(tmp_path: Path) -> None:
    dataset = read(classes(tmp_path, alpha(colour(), np.full((5, 6), 255, np.uint8))))
    assert dataset.x.shape == (4, 3, 5, 6) and dataset.notes == ()


@pytest.mark.parametrize(
    ("image", "options", "channels"),
    [
        (*palette(False), 3),
        (*palette(True), 3),
        (*palette(False, grey_only=True), 1),
        (*palette(True, grey_only=True), 1),
        (colour(), {"transparency": (0, 255, 0)}, 3),
        (grey(), {"transparency": 0}, 1),
        (Image.fromarray(PLANE > 99), {}, 1),
    ],
)
def test_palettes_and_transparent_colours(
    tmp_path: Path, image: Image.Image, options: dict[str, Any], channels: int
) -> None:
    dataset = read(classes(tmp_path, image, **options))
    plain = np.atleast_3d(np.array(image.convert("L" if channels == 1 else "RGB"))).transpose(2, 0, 1)
    differs = (dataset.x[0] != plain).any(axis=0)
    assert dataset.x.shape == (4, channels, 5, 6)
    if options:
        assert differs.any() and (dataset.x[0][:, differs] == 255).all() and "blended" in told(dataset)
    else:
        assert not differs.any() and dataset.notes == ()


@pytest.mark.parametrize(
    ("array", "ending"),
    [
        (levels(high=65535).astype(np.uint16), "png"),
        (levels(high=65535).astype(np.uint16), "tif"),
        (levels(high=4095).astype(np.uint16), "png"),
        (levels(high=65535).astype(np.uint16), "pgm"),
        (levels(high=70000, start=-9).astype(np.int32), "tiff"),
        (levels(high=1).astype(np.float32) / 7, "tif"),
    ],
)
def test_deep_grey_levels_are_kept(tmp_path: Path, array: np.ndarray, ending: str) -> None:
    dataset = read(classes(tmp_path, Image.fromarray(array), ending))
    assert dataset.x.shape == (4, 1, 5, 6) and np.array_equal(dataset.x[0, 0], array)
    assert "are kept as they are, from" in told(dataset)


def test_both_orders_of_bytes_are_read(tmp_path: Path) -> None:
    array = levels(high=65535).astype(np.uint16)
    big = Image.frombytes("I;16B", (6, 5), array.astype(">u2").tobytes())
    dataset = read(classes(tmp_path, big, "tif"))
    assert np.array_equal(dataset.x[0, 0], array)


@pytest.mark.parametrize(("colour_type", "planes"), [(2, 3), (6, 4), (4, 2)])
def test_the_loss_of_deep_colours_is_told(tmp_path: Path, colour_type: int, planes: int) -> None:
    deep = np.stack([levels(high=65535)] * (planes - (planes % 2 == 0)), axis=-1)
    if planes % 2 == 0:
        deep = np.concatenate([deep, np.full((5, 6, 1), 65535)], axis=-1)
    classes(tmp_path, grey())
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(png(deep, colour_type))
    dataset = read(tmp_path)
    assert np.abs(dataset.x[0, 0] - levels(high=65535) / 257).max() <= 1
    assert "4 images have colours of 16 bits, of which the upper 8 are read" in told(dataset)


@pytest.mark.parametrize(("colour_type", "planes"), [(0, 1), (2, 3)])
def test_a_transparent_colour_of_16_bits_is_told(tmp_path: Path, colour_type: int, planes: int) -> None:
    deep = np.stack([levels(high=65535)] * planes, axis=-1)
    for label in "ab":
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.png").write_bytes(png(deep, colour_type, deep[2, 2]))
    dataset = read(tmp_path)
    shown = dataset.x[0, 0] if planes == 1 else dataset.x[0, 0] * 257.0
    assert np.abs(shown - deep[:, :, 0]).max() <= 257
    assert "2 images name one level or colour of 16 bits as transparent, which is not applied" in told(
        dataset
    )


def test_the_loss_of_deep_colours_in_portable_pixmaps_is_told(tmp_path: Path) -> None:
    pixels = (np.arange(5 * 6 * 3) * 700).astype(">u2")
    for label in "ab":
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.ppm").write_bytes(b"P6 6 5 65535\n" + pixels.tobytes())
    dataset = read(tmp_path)
    assert np.abs(dataset.x[0].transpose(1, 2, 0).ravel() - pixels / 257).max() <= 1
    assert "2 images have colours of 16 bits" in told(dataset)
    assert read(classes(tmp_path / "plain", colour(), "ppm")).notes == ()


def test_levels_of_different_depths_are_refused(tmp_path: Path) -> None:
    classes(tmp_path, grey())
    save(tmp_path / "b" / "9.png", Image.fromarray(levels(high=65535).astype(np.uint16)))
    with pytest.raises(UserError, match=r"4 of 8 bits such as a/0\.png, 1 of 16 bits such as b/9\.png"):
        read(tmp_path)


def test_grey_and_colour_make_colour(tmp_path: Path) -> None:
    classes(tmp_path, grey())
    save(tmp_path / "b" / "9.png", colour())
    dataset = read(tmp_path)
    assert dataset.x.shape == (5, 3, 5, 6)
    assert (dataset.x[0] == PLANE).all() and np.array_equal(dataset.x[4, 1], 255 - PLANE)
    assert "4 grey images beside 1 in colour: read as RGB" in told(dataset)


def test_an_image_without_alpha_is_opaque_beside_one_that_has_it(tmp_path: Path) -> None:
    classes(tmp_path, grey())
    save(tmp_path / "b" / "9.png", alpha(grey()))
    assert read(tmp_path, alpha="keep").x[:, 1].min(axis=(1, 2)).tolist() == [255, 255, 255, 255, 0]
    save(tmp_path / "b" / "8.png", colour())
    dataset = read(tmp_path, alpha="keep")
    assert dataset.x.shape == (6, 4, 5, 6) and (dataset.x[5, :3] == PLANE).all()


@pytest.mark.parametrize(
    ("mode", "red"),
    [("CMYK", (0, 255, 255, 0)), ("YCbCr", (76, 85, 255)), ("LAB", (138, 81 + 128, 70 + 128))],
)
def test_other_colour_spaces_become_rgb(tmp_path: Path, mode: str, red: tuple[int, ...]) -> None:
    dataset = read(classes(tmp_path, Image.new(mode, (6, 5), red), "tif"))
    assert dataset.x.shape == (4, 3, 5, 6)
    assert np.abs(dataset.x[0, :, 0, 0].astype(int) - [255, 0, 0]).max() < 12
    assert "4 images are converted from CMYK or another colour space to RGB" in told(dataset)


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("turn", [1, 3, 6, 8, 5])
def test_photographs_are_read_upright(tmp_path: Path, ending: str, turn: int) -> None:
    methods = {3: "ROTATE_180", 6: "ROTATE_90", 8: "ROTATE_270", 5: "TRANSPOSE"}
    upright = colour(height=16, width=16)
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    stored = upright.transpose(Image.Transpose[methods[turn]]) if turn > 1 else upright
    dataset = read(classes(tmp_path, stored, ending, exif=exif, quality=100))
    assert np.abs(dataset.x[0].astype(int) - np.array(upright).transpose(2, 0, 1)).mean() < 4
    assert ("4 images are turned as their EXIF orientation says" in told(dataset)) == (turn > 1)


def test_damaged_exif_data_do_not_cost_the_image(tmp_path: Path) -> None:
    classes(tmp_path / "jpg", colour(), "jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12")
    assert len(read(tmp_path / "jpg").y) == 4
    dataset = read(classes(tmp_path / "png", colour(), exif=b"Exif\0\0no header"))
    assert "4 images have damaged EXIF data" in told(dataset)


@pytest.mark.parametrize(
    "ending", ["tif", "TIFF", "webp", "bmp", "BMP", "gif", "JPEG", "jp2", "ppm", "tga", "ico", "PnG", "avif"]
)
def test_every_ending_is_read(tmp_path: Path, ending: str) -> None:
    assert read(classes(tmp_path, colour(height=16, width=16), ending)).x.shape == (4, 3, 16, 16)


def test_the_content_decides_not_the_ending(tmp_path: Path) -> None:
    classes(tmp_path, colour())
    for path in tmp_path.rglob("*.png"):
        path.rename(path.with_suffix(".bmp"))
    assert read(tmp_path).x.shape == (4, 3, 5, 6)


@pytest.mark.parametrize("ending", ["gif", "tif", "png", "webp"])
def test_the_first_of_several_frames_is_read(tmp_path: Path, ending: str) -> None:
    later = [Image.new("L", (16, 16), level) for level in (40, 90)]
    first = grey(height=16, width=16)
    dataset = read(classes(tmp_path, first, ending, save_all=True, append_images=later, lossless=True))
    assert np.array_equal(dataset.x[0, 0], np.array(first))
    assert "4 images have several frames or pages, of which the first is read" in told(dataset)


def test_unequal_sizes_are_counted_and_named(tmp_path: Path) -> None:
    classes(tmp_path, grey(), count=3)
    save(tmp_path / "b" / "8.png", grey(height=6, width=5))
    save(tmp_path / "b" / "9.png", grey(height=9, width=9))
    with pytest.raises(
        UserError,
        match=r"6 of 5 × 6 such as a/0.png, 1 of 6 × 5 such as b/8.png, 1 of 9 × 9 .*size: \[5, 6\]",
    ):
        read(tmp_path)


def test_sizes_of_turned_images_are_those_that_are_seen(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    classes(tmp_path, grey(height=16, width=8), "jpg")
    for number in range(2):
        save(tmp_path / "a" / f"9{number}.jpg", grey(height=8, width=16), exif=exif)
    assert read(tmp_path).x.shape == (6, 1, 16, 8)
    save(tmp_path / "a" / "00.jpg", grey(height=3, width=3))
    with pytest.raises(UserError, match="6 of 16 × 8"):
        read(tmp_path)


@pytest.mark.parametrize("image", [grey, colour, shape_in_alpha])
def test_all_are_resized_on_demand(tmp_path: Path, image: Any) -> None:
    classes(tmp_path, image())
    save(tmp_path / "b" / "9.png", grey(height=10, width=12))
    save(tmp_path / "b" / "8.png", grey(height=4, width=8))
    dataset = read(tmp_path, size=[4, 8])
    assert dataset.x.shape[2:] == (4, 8) and len(dataset.x) == 6
    assert "5 images are resized" in told(dataset) and "5 images lose their proportions" in told(dataset)
    assert "sizes were 4 × 8, 5 × 6, 10 × 12 (height × width); all are 4 × 8 now" in told(dataset)


def test_deep_levels_are_resized_in_their_range(tmp_path: Path) -> None:
    deep = np.full((8, 8), 60000, np.uint16)
    deep[:, 4:] = 20000
    dataset = read(classes(tmp_path, Image.fromarray(deep)), size=[2, 2])
    assert dataset.x.dtype == np.uint16
    assert np.abs(dataset.x[0, 0] - [[60000, 20000]] * np.ones((2, 1))).max() < 8000


def test_resizing_does_not_let_hidden_colours_through(tmp_path: Path) -> None:
    hidden = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    hidden.paste((0, 0, 255, 255), (0, 0, 4, 8))
    dataset = read(classes(tmp_path, hidden), size=[4, 4], alpha="keep")
    assert dataset.x[0, 0][dataset.x[0, 3] > 0].max() == 0


BROKEN = {
    "empty": (b"", "the file is empty"),
    "no image": (b"<html>not found</html>", "no image of a known format"),
    "truncated": (None, "OSError: "),
    "header only": (b"\x89PNG\r\n\x1a\n", "no image of a known format"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image of a known format"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_images_that_cannot_be_read_are_named(tmp_path: Path, case: str) -> None:
    content, reason = BROKEN[case]
    classes(tmp_path, Image.effect_noise((40, 40), 50))
    whole = (tmp_path / "a" / "0.png").read_bytes()
    for name in ("8", "9"):
        (tmp_path / "b" / f"{name}.png").write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(
        UserError, match=rf"2 of 6 images cannot be read: {tmp_path}/b/8\.png \(.*{reason}.*9\.png"
    ):
        read(tmp_path)


@pytest.mark.parametrize("side", [13, 20])
def test_a_huge_image_is_named_and_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int
) -> None:
    classes(tmp_path, grey())
    save(tmp_path / "b" / "9.png", grey(height=side, width=side))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 150)
    with pytest.raises(
        UserError,
        match=rf"b/9\.png \({side * side} pixels, more than the 150 that are opened: make it smaller",
    ):
        read(tmp_path)


def test_nan_pixels_are_named(tmp_path: Path) -> None:
    wrong = levels(high=1).astype(np.float32)
    wrong[2, 2] = np.nan
    classes(tmp_path, Image.fromarray(levels(high=1).astype(np.float32)), "tif")
    save(tmp_path / "a" / "1.tif", Image.fromarray(wrong))
    with pytest.raises(UserError, match=r"a/1\.tif \(it has nan or infinite pixels"):
        read(tmp_path)


def test_after_many_failures_no_more_are_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def fail(path: Path, *_: Any) -> None:
        tried.append(path)
        raise pictures.UnreadableError("no")

    classes(tmp_path, grey(), count=30)
    monkeypatch.setattr("automl.data.reading.images.read_picture", fail)
    with pytest.raises(UserError, match=r"20 of 60 images cannot be read: .*17 more"):
        read(tmp_path)
    assert len(tried) == 20


def test_images_must_fit_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classes(tmp_path, colour())
    monkeypatch.setattr(memory, "machine_bytes", lambda: 1000)
    with pytest.raises(UserError, match=r"4 images of 5 × 6 pixels and 3 channels take .*task\.read\.size"):
        read(tmp_path)


def test_the_memory_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_CONTAINER", tmp_path / "limit")
    physical = memory.machine_bytes()
    (tmp_path / "limit").write_text("max\n")
    assert memory.machine_bytes() == physical > 1 << 28
    (tmp_path / "limit").write_text("4096\n")
    assert memory.machine_bytes() == 4096


def test_each_file_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = Image.open

    def counted(path: Path, **options: Any) -> Image.Image:
        opened.append(path.name)
        return real(path, **options)

    classes(tmp_path, grey(), count=20)
    monkeypatch.setattr(Image, "open", counted)
    read(tmp_path)
    assert len(opened) == 40


def test_a_stack_holds_little_more_than_its_images(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = np.empty

    def counted(shape: Any, dtype: Any) -> np.ndarray:
        made.append(real(shape, dtype))
        return made[-1]

    monkeypatch.setattr(stacking.np, "empty", counted)
    stack = stacking.Stack(50)
    for _ in range(49):
        stack.add(np.zeros((8, 8, 1), np.uint8))
    stack.add(np.zeros((8, 8, 3), np.uint8))
    assert stack.pixels is made[-1]
    assert sum(array.nbytes for array in made) <= 1.4 * stack.pixels.nbytes


def test_warnings_of_pillow_stay_inside(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(classes(tmp_path, palette(True)[0], transparency=bytes([0, 255, 9, 255])))
