"""Which files of a folder are images, and of which class and part: nothing is taken or left in silence."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from image_files import classes, grey, read, save, told

from automl.contracts import UserError
from automl.data import load_task
from automl.data.reading import classes as reading_classes
from automl.data.reading.folders import walk


def files(root: Path, *names: str) -> Path:
    """A grey image at every name that ends in .png, text at every other."""
    for name in names:
        path = root / name
        if name.lower().endswith(".png"):
            save(path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("text")
    return root


BASE = ("a/1.png", "a/2.png", "b/1.png", "b/2.png")


@pytest.mark.parametrize(
    ("names", "train", "test"),
    [
        (("train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png"), "ab", "ab"),
        (("Train/a/1.png", "Train/b/1.png", "TEST/b/1.png"), "ab", "b"),
        (("training/a/1.png", "training/b/1.png", "testing/b/1.png"), "ab", "b"),
        (("train/a/1.png", "train/b/1.png", "val/b/2.png"), "abb", ""),
        (("train/a/1.png", "train/b/1.png", "valid/a/2.png", "test/a/1.png"), "aba", "a"),
        (("train/a/1.png", "train/b/1.png", "validation/a/2.png", "test/a/1.png"), "aba", "a"),
        (("train/a/1.png", "train/b/1.png"), "ab", ""),
        (("train/a/1.png", "train/b/1.png", "test/1.png", "test/2.png"), "ab", ""),
        (("train/a/1.png", "train/b/1.png", "test/a/1.png", "notes/x.txt"), "ab", "a"),
        (("train/a/deep/er/1.png", "train/b/1.png", "test/a/1.png"), "ab", "a"),
        (("a/train/1.png", "a/test/1.png", "b/train/1.png", "b/test/1.png"), "ab", "ab"),
        (("a/train/1.png", "a/val/1.png", "b/train/1.png", "b/test/1.png"), "aba", "b"),
    ],
)
def test_train_and_test_folders_are_parts(
    tmp_path: Path, names: tuple[str, ...], train: str, test: str
) -> None:
    dataset = read(files(tmp_path, *names))
    assert "".join(dataset.y) == train
    assert "".join([] if dataset.test is None else dataset.test.y) == test
    assert "taken as parts" in told(dataset)
    if "val" in "".join(names).lower():
        assert "joined with 1 of val" in told(dataset)


@pytest.mark.parametrize(
    "names",
    [
        ("train/1.png", "bus/1.png", "car/1.png"),
        ("train/steam/1.png", "bus/1.png"),
        ("trains/1.png", "tests/1.png"),
    ],
)
def test_a_class_may_be_called_train(tmp_path: Path, names: tuple[str, ...]) -> None:
    dataset = read(files(tmp_path, *names))
    assert sorted(dataset.y) == sorted(name.split("/")[0] for name in names)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("train/1.png", "test/1.png"), "a part must have a folder for each class"),
        (("train/a/1.png", "train/b/1.png", "test/a/1.png", "c/1.png"), "parts or classes|beside parts"),
        (("test/a/1.png", "test/b/1.png"), "there must be a folder train"),
        (("val/a/1.png", "test/b/1.png"), "there must be a folder train"),
        (("train/a/1.png", "test/b/1.png"), r"at least two classes, but .* has 1 \(a\)"),
        (("im/a/1.png", "im/b/1.png", "__MACOSX/x"), r"has 1 \(im\); name the folder inside, .*/im, if"),
        (("im/train/a/1.png", "im/test/a/1.png"), r"has 1 \(im\); name the folder inside, .*/im, if"),
        (("a/1.png", "x.png"), r"has 1 \(a\), and 1 image in no folder"),
        ((), "has 0; arrange it as"),
        (("x.png", "y.png"), "has 0, and 2 images in no folder of a class"),
        ((*BASE, "c/readme.txt"), r"/c holds only 1 file of other kinds \(.txt\).*\.png"),
        ((*BASE, "c/1.heic", "c/2.HEIC", "c/deep/3.raw"), r"/c holds only 3 files .*\(.heic, .raw\)"),
        ((*BASE, "c/no_ending"), r"/c holds only 1 file of other kinds \(no ending\)"),
        (("train/a/1.png", "train/b/1.png", "test/c/1.jxl"), r"/test/c holds only 1 file"),
        (("a/train/1.png", "b/train/1.png", "b/test/1.png", "c/1.jxl"), r"/c holds only 1 file"),
    ],
)
def test_folders_that_cannot_be_understood_are_refused(
    tmp_path: Path, names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read(files(tmp_path, *names))


@pytest.mark.parametrize(
    ("stray", "note"),
    [
        (".ipynb_checkpoints/1-checkpoint.png", "1 file hidden"),
        ("a/.ipynb_checkpoints/1-checkpoint.png", r"1 file hidden .*\(a/.ipynb_checkpoints\)"),
        ("__MACOSX/a/1.png", "1 file hidden"),
        ("a/._1.png", "1 file hidden"),
        ("a/Thumbs.db", "1 file hidden"),
        (".DS_Store", "1 file hidden"),
        ("@eaDir/a/1.png", "1 file hidden"),
        ("readme.txt", r"1 file of kinds that are no images: left out \(readme.txt\)"),
        ("b/labels.csv", r"1 file of kinds that are no images: left out \(b/labels.csv\)"),
        ("cover.png", r"1 image in no folder of a class: left out \(cover.png\)"),
        ("a/extra/3.png", r"1 image in folders below a class .*\(a/extra\)"),
        ("A/3.png", "differ in case or blanks alone: 'A', 'a'"),
        ("b /3.png", "differ in case or blanks alone: 'b', 'b '"),
    ],
)
def test_what_is_no_image_of_a_class_is_told(tmp_path: Path, stray: str, note: str) -> None:
    dataset = read(files(tmp_path, *BASE, stray))
    known = {"A", "b "} if stray.endswith("/3.png") and "extra" not in stray else set()
    assert set(dataset.y) <= {"a", "b"} | known
    assert re.search(note, told(dataset)), told(dataset)


def test_thousands_of_strays_are_counted_not_listed(tmp_path: Path) -> None:
    dataset = read(files(tmp_path, *BASE, *(f"a/{number}.txt" for number in range(500))))
    assert "500 files of kinds that are no images" in told(dataset) and "497 more" in told(dataset)
    assert len(told(dataset)) < 300


def test_an_empty_folder_is_no_class(tmp_path: Path) -> None:
    files(tmp_path, *BASE, "d/.hidden")
    (tmp_path / "c").mkdir()
    assert "2 folders without any image: no class (c, d)" in told(read(tmp_path))


def test_a_class_that_the_test_part_lacks_is_told(tmp_path: Path) -> None:
    dataset = read(files(tmp_path, "train/a/1.png", "train/b/1.png", "test/a/1.png"))
    assert "the test part has no image of b" in told(dataset)


def test_links_in_circles_and_twice_are_followed_once(tmp_path: Path) -> None:
    files(tmp_path / "im", *BASE)
    files(tmp_path / "store", "x.png", "y.png")
    (tmp_path / "im" / "a" / "up").symlink_to(tmp_path / "im")
    (tmp_path / "im" / "a" / "self").symlink_to(tmp_path / "im" / "a")
    (tmp_path / "im" / "b" / "above").symlink_to(tmp_path)
    (tmp_path / "store" / "own").symlink_to(tmp_path / "store")
    (tmp_path / "im" / "c").symlink_to(tmp_path / "store")
    (tmp_path / "im" / "d").symlink_to(tmp_path / "store")
    dataset = read(tmp_path / "im")
    assert len(dataset.y) == 6 and len(set(dataset.y)) == 3
    assert "5 links to folders that are read already" in told(dataset)


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    files(tmp_path, *BASE)
    (tmp_path / "a" / "3.png").symlink_to(tmp_path / "gone.png")
    task = {"dataset": f"{tmp_path}/", "metrics": [{"name": "accuracy", "direction": "maximize"}]}
    with pytest.raises(UserError, match=r"a/3\.png \(a link to a file that does not exist"):
        load_task(task)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    files(tmp_path, *BASE)
    os.mkfifo(tmp_path / "a" / "3.png")
    assert "neither files nor folders: left out (a/3.png)" in told(read(tmp_path))


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    files(tmp_path, *BASE)
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"must be readable, but .*Permission denied"):
        walk(tmp_path)


def test_a_class_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    classes(tmp_path, grey())
    (tmp_path / "b").rename(tmp_path / os.fsdecode(b"b\xff"))
    with pytest.raises(UserError, match=r"must be text in UTF-8, but .* there is b\\udcff") as caught:
        read(tmp_path)
    str(caught.value).encode()


def test_a_file_whose_name_is_no_text_is_read_or_named(tmp_path: Path) -> None:
    classes(tmp_path, grey())
    odd = tmp_path / "b" / os.fsdecode(b"\xff\n.png")
    (tmp_path / "b" / "1.png").rename(odd)
    assert len(read(tmp_path).y) == 4
    odd.write_bytes(b"no image")
    with pytest.raises(UserError, match=r"b/\\udcff\\n\.png \(no image of a known format") as caught:
        read(tmp_path)
    str(caught.value).encode()


def test_every_part_has_a_known_name() -> None:
    assert set(reading_classes.PARTS.values()) == {"train", "validation", "test"}
