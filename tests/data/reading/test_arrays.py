"""Arrays of .npz files: names, layouts, targets and parts, understood or refused before anything runs."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.contracts import ReadSpec, TaskSpec, UserError
from automl.data import Dataset, load_task
from automl.data.dataset import check_dataset
from automl.data.reading import memory
from automl.data.reading import read as read_any
from automl.data.reading.arrays import read_arrays
from automl.data.sealed import open_test

RNG = np.random.default_rng(0)
LABELS = np.arange(12) % 3


def images(*shape: int, count: int = 12) -> np.ndarray:
    return RNG.integers(0, 256, (count, *shape)).astype(np.uint8)


def save(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "a.npz", **arrays)
    return folder / "a.npz"


def read(folder: Path, layout: Any = None, **arrays: Any) -> Dataset:
    return check_dataset(read_arrays(save(folder, **arrays), ReadSpec(layout=layout)), "a.npz")


def told(dataset: Dataset) -> str:
    return "\n".join(dataset.notes)


def spec(path: Path, metric: str = "accuracy") -> dict[str, Any]:
    return {"dataset": str(path), "metrics": [{"name": metric, "direction": "maximize"}]}


@pytest.mark.parametrize(
    ("shape", "channels", "why"),
    [
        ((16, 16, 12), 12, "two equal sizes"),
        ((16, 16, 2), 2, "two equal sizes"),
        ((8, 8, 1), 1, "two equal sizes"),
        ((5, 5, 4), 4, "two equal sizes"),
        ((3, 6, 6), 3, "two equal sizes"),
        ((12, 6, 6), 12, "two equal sizes"),
        ((3, 4, 4), 3, "two equal sizes"),
        ((1, 8, 8), 1, "two equal sizes"),
        ((3, 6, 7), 3, "1 to 4 channels"),
        ((6, 7, 3), 3, "1 to 4 channels"),
        ((2, 6, 7), 2, "1 to 4 channels"),
        ((6, 7, 2), 2, "1 to 4 channels"),
    ],
)
def test_channels_are_found_by_a_rule_and_told(
    tmp_path: Path, shape: tuple[int, ...], channels: int, why: str
) -> None:
    x = images(*shape)
    dataset = read(tmp_path, x=x, y=LABELS)
    last = shape[2] == channels and shape[0] != channels
    assert np.array_equal(dataset.x, x.transpose(0, 3, 1, 2) if last else x)
    assert dataset.x.shape[1] == channels and dataset.x.flags.c_contiguous
    assert why in told(dataset) and f"x of shape {x.shape} is read as images" in told(dataset)


@pytest.mark.parametrize(
    "shape", [(8, 8, 8), (3, 3, 3), (16, 12, 16), (3, 9, 3), (5, 6, 7), (1, 9, 3), (9, 5, 9)]
)
@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_ambiguous_channels_must_be_set(tmp_path: Path, shape: tuple[int, ...], layout: str) -> None:
    x = images(*shape)
    with pytest.raises(UserError, match=r"x of .*a\.npz of shape .* first or last; set task\.read\.layout"):
        read(tmp_path, x=x, y=LABELS)
    dataset = read(tmp_path, layout, x=x, y=LABELS)
    assert np.array_equal(dataset.x, x.transpose(0, 3, 1, 2) if layout == "channels_last" else x)
    assert "as task.read.layout says" in told(dataset)


def test_a_layout_that_is_set_holds_for_all_parts(tmp_path: Path) -> None:
    x, x_test = images(3, 3, 9), images(3, 3, 9, count=4)
    dataset = read(tmp_path, "channels_first", x=x, y=LABELS, x_test=x_test, y_test=LABELS[:4])
    assert dataset.x.shape == (12, 3, 3, 9) and np.array_equal(dataset.test.x, x_test)


@pytest.mark.parametrize("shape", [(5,), (6, 7)])
def test_a_layout_needs_channels(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"task\.read\.layout must fit .* remove it"):
        read(tmp_path, "channels_last", x=images(*shape), y=LABELS)


def test_three_dimensions_are_grey_images(tmp_path: Path) -> None:
    dataset = read(tmp_path, x=images(6, 7), y=LABELS)
    assert dataset.x.shape == (12, 1, 6, 7) and "6 × 7 pixels (height × width) with 1 channel," in told(
        dataset
    )


def test_two_dimensions_are_a_table(tmp_path: Path) -> None:
    dataset = read(tmp_path, x=images(5), y=LABELS)
    assert dataset.kind == "table" and list(dataset.x) == ["x0", "x1", "x2", "x3", "x4"]
    assert dataset.notes == ()
    assert "reshape it to (n, 3, 8, 8)" in told(read(tmp_path, x=images(192), y=LABELS))
    assert "reshape it to (n, 28, 28)" in told(read(tmp_path, x=images(784), y=LABELS))


@pytest.mark.parametrize(
    "names",
    [
        "x y x_test y_test",
        "x_train y_train x_test y_test",
        "X Y X_test Y_test",
        "X y Xtest ytest",
        "images labels images_test labels_test",
        "train_images train_labels test_images test_labels",
        "data targets data_test targets_test",
        "data labels test_data test_labels",
        "features target features_test target_test",
        "trainX trainY testX testY",
        "image label testing_image testing_label",
    ],
)
def test_common_names_are_understood(tmp_path: Path, names: str) -> None:
    arrays = [images(1, 5, 5), LABELS, images(1, 5, 5, count=3), LABELS[:3]]
    dataset = read(tmp_path, **dict(zip(names.split(), arrays, strict=True)))
    assert np.array_equal(dataset.x, arrays[0]) and np.array_equal(dataset.test.x, arrays[2])
    assert dataset.y.tolist() == LABELS.tolist() and dataset.test.y.tolist() == [0, 1, 2]
    assert ("arrays are taken by their names" in told(dataset)) == (names != "x y x_test y_test")


@pytest.mark.parametrize("part", ["val", "valid", "validation"])
def test_a_validation_part_is_joined_with_training(tmp_path: Path, part: str) -> None:
    arrays = {f"x_{part}": images(1, 5, 5, count=4), f"y_{part}": LABELS[:4]}
    dataset = read(tmp_path, x_train=images(1, 5, 5), y_train=LABELS, **arrays)
    assert len(dataset.x) == len(dataset.y) == 16 and dataset.test is None
    assert f"the 4 rows of x_{part} are joined with the 12 of x_train" in told(dataset)


def test_the_usual_names_come_first_and_the_rest_is_told(tmp_path: Path) -> None:
    x = images(1, 5, 5)
    other = np.array([{}], dtype=object)
    dataset = read(tmp_path, x=x, y=LABELS, images=images(2, 2), labels=other, class_names=other, ids=LABELS)
    assert np.array_equal(dataset.x, x)
    assert "4 other arrays of the file: left out (images, labels, class_names and 1 more)" in told(dataset)


@pytest.mark.parametrize(
    ("alone", "note"),
    [
        ("x_test", "x_test is left out, since there is no y_test; the test part is drawn from x"),
        ("y_test", "y_test is left out, since there is no x_test; the test part is drawn from x"),
        ("test_images", "test_images is left out, since there is no y_test"),
        ("y_val", "y_val is left out, since there is no x_validation"),
    ],
)
def test_half_a_part_is_told(tmp_path: Path, alone: str, note: str) -> None:
    array = LABELS if alone[0] == "y" else images(1, 5, 5)
    dataset = read(tmp_path, x=images(1, 5, 5), y=LABELS, **{alone: array})
    assert note in told(dataset) and dataset.test is None and len(dataset.x) == 12


@pytest.mark.parametrize(
    ("y", "expected", "note"),
    [
        (LABELS[:, None], LABELS, r"y of a\.npz of shape \(12, 1\) is read as one target a row"),
        (LABELS[:, None, None] / 7, LABELS / 7, "is read as one target a row"),
        (np.eye(3)[LABELS], LABELS, r"is one-hot: read as the classes 0 … 2"),
        (np.eye(3, dtype=bool)[LABELS], LABELS, "is one-hot"),
        (np.eye(5, dtype=np.uint8)[LABELS], LABELS, "classes 0 … 4"),
        (np.array([b"a", b"b", "ü".encode()])[LABELS], np.array(["a", "b", "ü"])[LABELS], "holds bytes"),
        (
            np.array([b"a", b"b", b"c"])[LABELS][:, None],
            np.array(["a", "b", "c"])[LABELS],
            "one target a row",
        ),
        (LABELS.astype(">i4"), LABELS, ""),
        (LABELS > 0, LABELS > 0, ""),
        (np.array(["a", "b", "c"])[LABELS], np.array(["a", "b", "c"])[LABELS], ""),
    ],
)
def test_targets_of_every_form(tmp_path: Path, y: np.ndarray, expected: np.ndarray, note: str) -> None:
    path = save(tmp_path, x=images(1, 5, 5), y=y)
    dataset = read_arrays(path, ReadSpec())
    assert dataset.y.tolist() == expected.tolist()
    assert re.search(note, told(dataset))
    if y.dtype.kind != "f" or y.ndim == 2:
        load_task(spec(path))


def test_one_hot_targets_are_classes_whatever_the_metric(tmp_path: Path) -> None:
    path = save(tmp_path, x=images(1, 5, 5), y=np.eye(3)[LABELS])
    assert load_task(spec(path)).classes == 3
    with pytest.raises(UserError, match="rmse does not suit classification"):
        load_task(spec(path, "rmse"))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (RNG.random((12, 2)), "not one-hot: several numbers or classes a row"),
        (np.ones((12, 3)), "not one-hot"),
        (np.zeros((12, 3), int), "not one-hot"),
        (np.zeros((12, 2, 2)), "not one-hot"),
        (np.array(3), "single value"),
        (LABELS.astype("datetime64[D]"), r"y of a\.npz holds datetime64\[D\]"),
        (LABELS.astype("timedelta64[s]"), "holds timedelta64"),
        (LABELS * 1j, "holds complex128"),
        (np.zeros(12, [("a", int)]), "must be numbers or text"),
        (np.array([b"\xff"] * 12), "must be UTF-8"),
        (np.array([None] * 12), "Python objects .a pickle"),
        (LABELS[:7], r"12 rows and targets of shape \(7,\); correct the data"),
        (np.where(LABELS == 1, np.nan, 1.0), "rows of 'a.npz' have none"),
        (np.where(LABELS == 1, np.inf, 1.0), "must be finite"),
    ],
)
def test_unusable_targets_are_refused(tmp_path: Path, y: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_task(spec(save(tmp_path, x=images(1, 5, 5), y=y)))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (images(5, 5) * 1j, "must be a numeric array .* complex128"),
        (images(5) * 1j, "must be a numeric array .* complex128"),
        (images(5).astype("datetime64[D]"), "must be a numeric array .* datetime64"),
        (np.full((12, 5, 5), "a"), "must be a numeric array"),
        (np.full((12, 5, 5), None), "Python objects"),
        (np.zeros(12), "has shape"),
        (np.zeros((12, 1, 2, 3, 4)), "has shape"),
        (np.zeros((0, 5, 5)), "0 rows and targets"),
        (np.zeros((12, 0, 5)), "must have pixels"),
        (np.zeros((12, 0)), "table must be a DataFrame with columns"),
        (np.full((12, 5, 5), np.nan), "pixels must be finite"),
        (np.full((12, 5, 5), np.inf, np.float16), "pixels must be finite"),
        (np.full((12, 5), np.inf), "infinite ones in x0"),
        (np.moveaxis(images(5, 6, 3), 0, -1), r"put the rows first: np\.moveaxis\(x, -1, 0\)"),
    ],
)
def test_unusable_inputs_are_refused(tmp_path: Path, x: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_task(spec(save(tmp_path, x=x, y=LABELS)))


def test_no_rows_are_refused(tmp_path: Path) -> None:
    for shape in ((0, 2), (0, 5, 5)):
        with pytest.raises(UserError, match="has none; check the file"):
            load_task(spec(save(tmp_path, x=np.zeros(shape), y=np.zeros(0))))


@pytest.mark.parametrize("dtype", [bool, np.int8, ">u2", np.float16, ">f8", np.longdouble, np.uint64])
def test_numbers_of_every_kind_are_read(tmp_path: Path, dtype: Any) -> None:
    task = load_task(spec(save(tmp_path, x=(images(6, 6) % 2).astype(dtype), y=LABELS)))
    assert task.train.x.dtype == np.float32 and abs(task.train.x.mean()) < 1e-4
    table = load_task(spec(save(tmp_path, x=(images(6) % 2).astype(dtype), y=LABELS)))
    assert table.train.x.shape[1] == 6


def test_numbers_of_more_than_64_bits_are_told(tmp_path: Path) -> None:
    dataset = read(tmp_path, x=images(6).astype(np.longdouble), y=(LABELS / 7).astype(np.longdouble))
    assert "x, y: longer than 64 bits, read as float64" in told(dataset)
    assert dataset.y.dtype == np.float64


def test_a_table_of_text_is_read(tmp_path: Path) -> None:
    for text in (np.full((12, 2), "a"), np.full((12, 2), b"a")):
        assert set(read(tmp_path, x=text, y=LABELS).x["x1"]) == {"a"}


PARTS = {
    "channels": (images(1, 8, 8), images(3, 8, 8), r"\(12, 1, 8, 8\) and \(12, 3, 8, 8\)"),
    "size": (images(8, 8), images(9, 8), r"have \(12, 8, 8\) and"),
    "dimensions": (images(8, 8), images(8, 8, 1), r"have \(12, 8, 8\) and"),
    "layout": (images(3, 8, 8), images(8, 8, 3), r"have \(12, 3, 8, 8\) and"),
    "columns": (images(5), images(6), r"have \(12, 5\) and"),
    "text": (images(5), np.full((12, 5), "a"), "hold uint8 and <U1"),
    "numbers": (images(8, 8), images(8, 8) / 255, "uint8 from .* and float64 from 0"),
}


@pytest.mark.parametrize("case", PARTS)
@pytest.mark.parametrize("part", ["test", "val"])
def test_parts_of_other_shapes_are_refused(tmp_path: Path, case: str, part: str) -> None:
    x, other, message = PARTS[case]
    with pytest.raises(UserError, match=rf"x and x_{part} of .*a\.npz .*{message}"):
        read(tmp_path, x=x, y=LABELS, **{f"x_{part}": other, f"y_{part}": LABELS})


@pytest.mark.parametrize(
    ("y", "y_test", "message"),
    [
        (LABELS, LABELS + 1, "those of 'a.npz' lack 3 "),
        (np.array(["a", "b", "c"])[LABELS], np.array(["a", "b", "owl"])[LABELS], "lack owl"),
        (LABELS, np.array(["0", "1", "2"])[LABELS], "numbers and text"),
        (np.eye(3)[LABELS], LABELS, "one-hot of 3 and numbers"),
        (np.eye(3)[LABELS], np.eye(4)[LABELS], "one-hot of 3 and one-hot of 4"),
    ],
)
def test_test_parts_of_other_classes_are_refused(
    tmp_path: Path, y: np.ndarray, y_test: np.ndarray, message: str
) -> None:
    x = images(5, 5)
    with pytest.raises(UserError, match=message):
        load_task(spec(save(tmp_path, x=x, y=y, x_test=x, y_test=y_test)))


def test_a_test_part_may_lack_classes_and_have_other_numbers(tmp_path: Path) -> None:
    x = images(5, 5)
    path = save(tmp_path, x=x, y=LABELS, x_test=x[:2], y_test=LABELS[:2])
    assert len(open_test(spec(path), opening=1)) == 2
    path = save(tmp_path, x=images(5), y=LABELS / 7, x_test=images(5), y_test=LABELS / 3)
    assert len(open_test(spec(path, "r2"), opening=1)) == 12


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode() + b" " * (118 - len(header) - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


def plain(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 9), }",
            "should hold float64 of shape",
        ),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (-12, 9), }", "should hold float64 of shape"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (12, 9), }", "should hold float64 of shape"),
        ("{'descr': '<q9', 'fortran_order': False, 'shape': (12, 9), }", "reading it failed"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (12, 9), }", "Python objects"),
        ("[[[[[[[", "reading it failed"),
        ("{}", "reading it failed"),
    ],
)
def test_headers_that_lie_are_refused(tmp_path: Path, header: str, message: str) -> None:
    path = zipped(tmp_path / "a.npz", x=npy(header, b"\0" * 64), y=plain(LABELS))
    with pytest.raises(UserError, match=message):
        load_task(spec(path))


def test_arrays_must_fit_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, x=images(30, 30), y=LABELS, more=np.zeros(10**4))
    monkeypatch.setattr(memory, "machine_bytes", lambda: 12 * 900 + 12 * 8)
    assert len(read_arrays(path, ReadSpec()).x) == 12
    monkeypatch.setattr(memory, "machine_bytes", lambda: 12 * 900)
    with pytest.raises(UserError, match=r"the arrays x, y of .*a\.npz take"):
        read_arrays(path, ReadSpec())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (plain(LABELS), r"is one \.npy array; save it with np\.savez"),
        (b"", "reading it failed"),
        (b"PK\x03\x04", "reading it failed"),
        (b"\x89HDF\r\n\x1a\n", "reading it failed"),
    ],
)
def test_other_files_called_npz_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UserError, match=message):
        load_task(spec(tmp_path / "a.npz"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"x": 1}, "must hold the arrays x and y, but .* holds x; save it"),
        ({"y": 1}, "must hold the arrays x and y"),
        ({}, "holds none"),
        ({"arr_0": 1, "arr_1": 1}, "holds arr_0, arr_1; save it"),
        ({"images": 1, "data": 1, "y": 1}, "images, data could all be x; name one of them x"),
        ({"x": 1, "x_train": 1, "labels": 1, "targets": 1}, "could all be y"),
        ({"x_test": 1, "y_test": 1}, "must hold the arrays x and y"),
        ({"x_train": 1, "y_test": 1}, "must hold the arrays x and y"),
    ],
)
def test_arrays_that_cannot_be_told_apart_are_refused(
    tmp_path: Path, names: dict[str, int], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, **dict.fromkeys(names, LABELS))


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("a.npy", "save inputs and targets together, by np.savez"),
        ("a.zip", "unpack it"),
        ("a.JPG", "name the folder that holds"),
        ("a.mat", "convert it"),
    ],
)
def test_other_kinds_of_files_are_refused_with_advice(tmp_path: Path, name: str, advice: str) -> None:
    (tmp_path / name).write_bytes(plain(LABELS))
    with pytest.raises(UserError, match=advice):
        load_task(spec(tmp_path / name))


def test_the_ending_may_be_in_capitals(tmp_path: Path) -> None:
    path = save(tmp_path, x=images(5, 5), y=LABELS).rename(tmp_path / "A.NPZ")
    assert read_any(path, TaskSpec.from_json(spec(path))).x.shape == (12, 1, 5, 5)


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.asfortranarray(images(5, 5)), y=LABELS)
    assert load_task(spec(tmp_path / "a.npz")).shape == (1, 5, 5)
