"""Damaged folders of images and .npz files: small sound inputs, changed at random by a seed.

As a script, `mutations.py FOLDER COUNT`, it reads COUNT of them and prints what became of each.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from image_files import chunk, classes, colour, grey, levels, save
from PIL import Image

from automl.contracts import UserError
from automl.data import load_task

Random = random.Random


def pictures(root: Path, rng: Random) -> Path:
    """Three classes of 7 images in a random format."""
    deep = Image.fromarray(levels(16, 16, 65535).astype(np.uint16))
    alpha = colour(height=16, width=16)
    alpha.putalpha(grey(height=16, width=16))
    flat, plain = colour(height=16, width=16), grey(height=16, width=16)
    ending, image, options = rng.choice(
        [
            ("png", plain, {}),
            ("png", alpha, {}),
            ("png", deep, {}),
            ("png", flat.quantize(8), {"transparency": 3}),
            ("jpg", flat, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"}),
            ("gif", flat.quantize(8), {"save_all": True, "append_images": [plain, flat.quantize(4)]}),
            ("tif", deep, {"compression": "tiff_lzw"}),
            ("tif", flat, {}),
            ("webp", alpha, {}),
            ("bmp", flat, {}),
            ("tga", alpha, {}),
            ("jp2", flat, {}),
            ("ico", alpha, {}),
            ("pgm", deep, {}),
        ]
    )
    parts = rng.choice([("",), ("train", "test"), ("train", "val", "test")])
    for part in parts:
        classes(root / part, image, ending, 7, **options)
        save(root / part / "c" / f"0.{ending}", image, **options)
        for number in range(1, 5):
            save(root / part / "c" / f"{number}.{ending}", image, **options)
    return root


def arrays(root: Path, rng: Random) -> Path:
    """An .npz file of images or of a table, with a test part or without."""
    root.mkdir(parents=True)
    numbers = np.random.default_rng(rng.randrange(2**32))
    labels = np.arange(24) % 3
    shape = rng.choice([(24, 5), (24, 6, 7), (24, 3, 8, 8), (24, 9, 9, 2)])
    y: Any = rng.choice([labels, np.eye(3)[labels], labels[:, None], np.array(["a", "b", "c"])[labels]])
    held = {"x_test": numbers.random(shape)[:6], "y_test": y[:6]} if rng.random() < 0.5 else {}
    write = rng.choice([np.savez, np.savez_compressed])
    write(root / "a.npz", x=numbers.random(shape), y=y, **held)
    return root / "a.npz"


def flip(path: Path, rng: Random) -> None:
    data = bytearray(path.read_bytes())
    # damage at the beginning, where sizes and types stand, says more
    reach = len(data) if rng.random() < 0.5 else min(len(data), 64)
    for _ in range(rng.choice([1, 3, 20]) if reach else 0):
        data[rng.randrange(reach)] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def cut(path: Path, rng: Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data) + 1)])


def insert(path: Path, rng: Random) -> None:
    data, noise = path.read_bytes(), rng.randbytes(rng.choice([1, 4, 500]))
    at = rng.randrange(len(data) + 1)
    path.write_bytes(data[:at] + noise + data[at:])


def replace(path: Path, rng: Random) -> None:
    data = bytearray(path.read_bytes())
    at = rng.randrange(len(data) + 1)
    data[at : at + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"9999"])
    path.write_bytes(data)


def rename(path: Path, rng: Random) -> None:
    name = rng.choice(
        [
            "._x.png",
            "x.PNG",
            "x.txt",
            "x",
            "Thumbs.db",
            os.fsdecode(b"\xff.png"),
            "a\nb.tif",
            "é" * 99 + ".gif",
        ]
    )
    path.rename(path.with_name(name))


def move(path: Path, rng: Random) -> None:
    folder = path.parent / rng.choice(["..", "new", "train", "test", ".hidden", "new/deep", "../val/a"])
    folder.mkdir(parents=True, exist_ok=True)
    path.rename(folder / path.name)


def link(path: Path, rng: Random) -> None:
    name = path.with_name(f"link{rng.randrange(9)}{path.suffix}")
    if not name.is_symlink():
        name.symlink_to(rng.choice([path, path.parent, path.parent.parent, path.with_name("gone")]))


def become(path: Path, rng: Random) -> None:
    path.unlink()
    rng.choice([lambda: path.mkdir(), lambda: path.write_bytes(b""), lambda: os.mkfifo(path), lambda: None])()


def drop(path: Path, rng: Random) -> None:
    shutil.rmtree(path.parent)
    if rng.random() < 0.5:
        path.parent.mkdir()


def deep(path: Path, rng: Random) -> None:
    """Damage inside a file whose checksums are right: a member of an archive, or a chunk of a PNG file."""
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            members = {name: bytearray(archive.read(name)) for name in archive.namelist()}
        damage(rng.choice(list(members.values())), rng)
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, bytes(data))
    elif path.suffix == ".png":
        data = path.read_bytes()
        chunks, at = [], 8
        while at + 12 <= len(data):
            size = int.from_bytes(data[at : at + 4], "big")
            chunks.append((data[at + 4 : at + 8], bytearray(data[at + 8 : at + 8 + size])))
            at += 12 + size
        if chunks:
            damage(rng.choice(chunks)[1], rng)
        path.write_bytes(data[:8] + b"".join(chunk(kind, bytes(inside)) for kind, inside in chunks))


def damage(data: bytearray, rng: Random) -> None:
    for _ in range(rng.choice([1, 3]) if data else 0):
        at = rng.randrange(min(len(data), rng.choice([32, 128, 10**6])))
        data[at] = rng.choice([data[at] ^ 1 << rng.randrange(8), 0xFF, ord("9")])


BYTES: list[Callable[[Path, Random], None]] = [flip, flip, cut, insert, replace]
NAMES: list[Callable[[Path, Random], None]] = [rename, move, link, become, drop]


def mutated(root: Path, seed: int) -> Path:
    """A dataset below `root` that was sound before one to three changes."""
    rng = random.Random(seed)
    dataset = rng.choice([pictures, pictures, arrays])(root / str(seed), rng)
    inside = BYTES if rng.random() < 0.5 else [deep]
    for _ in range(rng.randint(1, 3)):
        files = (
            sorted(path for path in dataset.rglob("*") if path.is_file()) if dataset.is_dir() else [dataset]
        )
        if files:
            rng.choice(inside if dataset.is_file() else inside + NAMES)(rng.choice(files), rng)
    return dataset


def outcome(dataset: Path, seed: int) -> str:
    """`read`, or the refusal; whatever else happens is raised."""
    read = (
        random.Random(seed).choice([{}, {}, {"size": [9, 9]}, {"alpha": "keep"}]) if dataset.is_dir() else {}
    )
    metrics = [{"name": "accuracy", "direction": "maximize"}]
    try:
        load_task({"dataset": str(dataset), "metrics": metrics, "read": read})
    except UserError as error:
        str(error).encode()
        return str(error)
    return "read"


def main(folder: str, count: str) -> None:
    """Print a line of JSON for each input, and the largest memory of all, in KiB."""
    for seed in range(int(count)):
        dataset = mutated(Path(folder), seed)
        start = time.process_time()
        try:
            found = outcome(dataset, seed)
        except Exception as error:
            found = f"raised {type(error).__name__}: {error}"
        sys.stdout.write(json.dumps([seed, time.process_time() - start, found]) + "\n")
    sys.stdout.write(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
