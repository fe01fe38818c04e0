"""Reading datasets: every kind of file, and a clear refusal of every unusable one."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.contracts import UserError
from automl.data import Dataset, load_task, sources
from automl.data.datasets import cifar10, fashion_mnist
from automl.data.sealed import open_test


def spec(dataset: object, metric: str = "accuracy", **extra: Any) -> dict[str, Any]:
    return {"dataset": str(dataset), "metrics": [{"name": metric, "direction": "maximize"}], **extra}


def frame(rows: int = 60) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "size": np.arange(rows) / 7,
            "colour": ["red", "blue", None] * (rows // 3),
            "weight": np.arange(rows) * 1.5 + 0.25,
            "kind": ["cat", "dog"] * (rows // 2),
        }
    )


@pytest.mark.parametrize(
    ("name", "sep"), [("a.csv", ","), ("a.csv.gz", ","), ("a.tsv", "\t"), ("a.tsv.gz", "\t")]
)
def test_tables(tmp_path: Path, name: str, sep: str) -> None:
    frame().to_csv(tmp_path / name, sep=sep, index=False)
    task = load_task(spec(tmp_path / name, target="kind"))
    assert (task.kind, task.shape, task.classes, task.name) == ("table", (3,), 2, name)
    assert task.train.x["colour"].isna().any()
    other = load_task(spec(name, "r2", target="weight"), [str(tmp_path)])
    assert other.classes == 0 and other.train.y.dtype == np.float64
    assert list(other.train.x.columns) == ["size", "colour", "kind"]


@pytest.mark.parametrize(
    ("values", "metric", "classes"),
    [
        ([1, 2, 3], "accuracy", 3),
        ([1, 2, 3], "rmse", 0),
        ([1, 2, 3], "mine", 3),
        ([0.5, 1.5, 2.5], "mine", 0),
        ([True, False, True], "mine", 2),
        (["b", "a", "c"], "mine", 3),
        ([1.0, 2.0, 3.0], "accuracy", 3),
    ],
)
def test_the_metric_decides_what_a_target_is(
    tmp_path: Path, values: list[Any], metric: str, classes: int
) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((30, 2)), y=np.array(values * 10))
    assert load_task(spec(tmp_path / "a.npz", metric)).classes == classes


def test_a_users_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_data.py").write_text(
        "import numpy as np\n"
        "from automl.data import Dataset\n"
        "def images():\n    return Dataset(np.ones((20, 1, 3, 3)), np.arange(20) % 2, 'image')\n"
        "def wrong():\n    return [1]\n"
        "number = 3\n"
        "def sized(n):\n    raise RuntimeError('called')\n"
        "class Made:\n    def __init__(self):\n        raise RuntimeError('called')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    task = load_task(spec("my_data:images"))
    assert task.shape == (1, 3, 3) and not task.train.x.any()
    with pytest.raises(UserError, match="'my_data:wrong' returned list; wrap it"):
        load_task(spec("my_data:wrong"))
    with pytest.raises(
        UserError, match="must be a function without arguments, but 'my_data:number' is a int"
    ):
        load_task(spec("my_data:number"))
    with pytest.raises(
        UserError, match=r"'my_data:sized' has the arguments \(n\): missing a required argument"
    ):
        load_task(spec("my_data:sized"))
    with pytest.raises(UserError, match="'my_data:Made' is a class; define it with def"):
        load_task(spec("my_data:Made"))


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


REFUSED = {
    "missing file": (lambda d: d / "no.csv", {}, "must exist, but there is none at"),
    "unknown name": (lambda _: "digitz", {}, "did you mean 'digits'"),
    "unknown kind": (lambda d: write(d / "a.xls", "x"), {}, "must end in .csv"),
    "target of images": (lambda _: "digits", {"target": "y"}, "remove task.target"),
    "missing targets": (lambda d: write(d / "a.csv", "a,y\n" + "1,0\n" * 9 + "2,\n"), {}, "1 of 10 rows"),
    "one class": (
        lambda d: write(d / "a.csv", "a,y\n" + "1,0\n2,0\n" * 9),
        {},
        "at least two classes, but 'a.csv' has 1",
    ),
    "rare class": (
        lambda d: write(d / "a.csv", "a,y\n" + "1,a\n" * 9 + "2,b\n"),
        {},
        r"3 parts and 'b' \(1 row\)",
    ),
    "infinite cell": (lambda d: write(d / "a.csv", "a,y\n" + "inf,0\n1,1\n" * 9), {}, "infinite ones in a;"),
    "infinite target": (
        lambda d: write(d / "a.csv", "a,y\n" + "1,inf\n2,3.5\n" * 9),
        {},
        "targets must be finite",
    ),
    "not whole": (
        lambda d: write(d / "a.csv", "a,y\n" + "1,0.5\n2,1.5\n" * 9),
        {},
        "not whole, such as 0.5; use",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unusable_data_is_refused(tmp_path: Path, case: str) -> None:
    make, extra, message = REFUSED[case]
    with pytest.raises(UserError, match=message):
        load_task(spec(make(tmp_path), **extra))


@pytest.mark.parametrize(
    ("dataset", "metric", "kind"), [("iris", "rmse", "classification"), ("diabetes", "f1", "regression")]
)
def test_metrics_must_suit_the_task(dataset: object, metric: str, kind: str) -> None:
    with pytest.raises(UserError, match=f"{metric} does not suit {kind}; use one of"):
        load_task(spec(dataset, metric))


def test_declared_classes_must_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    import automl.data.datasets.iris as module

    wrong = Dataset(pd.DataFrame({"a": range(9)}), np.arange(9) % 3, "table", 2)
    made = lambda: wrong  # noqa: E731
    monkeypatch.setattr(module, "PLUGIN", made)
    with pytest.raises(UserError, match=r"labels must lie in 0 … 1, but 'iris' has 0 … 2"):
        load_task(spec("iris"))


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def write_fashion(folder: Path, rows: int = 40) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, count in zip(fashion_mnist.NAMES, (rows, rows, 20, 20), strict=True):
        array = np.arange(count) % 10 if "labels" in name else rng.integers(0, 256, (count, 28, 28))
        (folder / name).write_bytes(idx(array))


def test_fashion_mnist_from_the_official_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fashion(tmp_path / "b" / "fashion_mnist")
    monkeypatch.setenv("AUTOML_DATA", f"{tmp_path}/a{os.pathsep}{tmp_path}/b")
    task = load_task(spec("fashion_mnist"))
    assert (task.shape, task.classes, len(task.train), len(task.validation)) == ((1, 28, 28), 10, 30, 10)
    assert len(open_test(spec("fashion_mnist"), opening=1)) == 20
    (tmp_path / "b" / "fashion_mnist" / fashion_mnist.NAMES[0]).write_bytes(idx(np.zeros((3, 3)))[:-9])
    with pytest.raises(UserError, match="whole gzip file"):
        fashion_mnist.fashion_mnist()
    (tmp_path / "b" / "fashion_mnist" / fashion_mnist.NAMES[0]).write_bytes(
        gzip.compress(b"\0\0\x08\x01\0\0")
    )
    with pytest.raises(UserError, match="whole IDX file"):
        fashion_mnist.fashion_mnist()


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10"])
def test_absent_local_data_names_what_is_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("AUTOML_DATA", raising=False)
    with pytest.raises(UserError, match="AUTOML_DATA is not set"):
        load_task(spec(name))
    monkeypatch.setenv("AUTOML_DATA", str(tmp_path))
    with pytest.raises(UserError, match=rf"searched: {tmp_path}/{name}"):
        load_task(spec(name))


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def write_cifar(folder: Path, name: str, rows: int = 20) -> None:
    rng = np.random.default_rng(0)
    with tarfile.open(folder / name, "w:gz") as archive:
        for batch in [*cifar10.TRAIN, "test_batch"]:
            x, y = rng.integers(0, 256, (rows, 3072)).astype(np.uint8), np.arange(rows) % 10
            if name == cifar10.PYTHON:
                data = pickle.dumps({b"data": x, b"labels": y.tolist(), b"batch_label": b"one"}, protocol=2)
                add(archive, f"cifar-10-batches-py/{batch}", data)
            else:
                data = np.column_stack([y.astype(np.uint8), x]).tobytes()
                add(archive, f"cifar-10-batches-bin/{batch}.bin", data)


def test_cifar_from_both_official_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = []
    for name in (cifar10.BINARY, cifar10.PYTHON):
        write_cifar(tmp_path, name)
        monkeypatch.setenv("AUTOML_DATA", str(tmp_path))
        tasks.append(load_task(spec("cifar10")))
        (tmp_path / name).unlink()
        monkeypatch.setenv("AUTOML_DATA", f"{tmp_path}{os.pathsep}")
    assert tasks[0].digest == tasks[1].digest
    assert (tasks[0].shape, len(tasks[0].train), len(tasks[0].validation)) == ((3, 32, 32), 80, 20)


def test_cifar_from_a_part_of_it_when_there_is_no_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    x, x_test = (rng.integers(0, 256, (rows, 32, 32, 3)).astype(np.uint8) for rows in (40, 20))
    (tmp_path / "cifar10").mkdir()
    np.savez(
        tmp_path / "cifar10" / cifar10.PART,
        x_train=x, y_train=np.arange(40) % 10, x_test=x_test, y_test=np.arange(20) % 10,
    )  # fmt: skip
    monkeypatch.setenv("AUTOML_DATA", str(tmp_path))
    found = cifar10.cifar10()
    assert np.array_equal(found.x, x.transpose(0, 3, 1, 2)) and found.y.tolist() == [*range(10)] * 4
    assert np.array_equal(found.test.x, x_test.transpose(0, 3, 1, 2)) and len(found.test.y) == 20
    write_cifar(tmp_path / "cifar10", cifar10.BINARY)
    assert len(cifar10.cifar10().y) == 100, "the whole set comes first"


@pytest.mark.parametrize("name", [cifar10.BINARY, cifar10.PYTHON])
def test_a_truncated_or_incomplete_cifar_archive_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_cifar(tmp_path, name)
    monkeypatch.setenv("AUTOML_DATA", str(tmp_path))
    path = tmp_path / name
    data = path.read_bytes()
    for part in (data[: len(data) // 2], b"no archive"):
        path.write_bytes(part)
        with pytest.raises(UserError, match="official archive, whole"):
            cifar10.cifar10()
    with tarfile.open(path, "w:gz") as archive:
        add(archive, "cifar-10-batches-bin/data_batch_1.bin", b"\0" * cifar10.ROW)
    with pytest.raises(UserError, match="official archive, whole"):
        cifar10.cifar10()


def test_a_harmful_pickle_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "canary"),))

    with tarfile.open(tmp_path / cifar10.PYTHON, "w:gz") as archive:
        for batch in [*cifar10.TRAIN, "test_batch"]:
            add(archive, f"cifar-10-batches-py/{batch}", pickle.dumps({b"data": Harm(), b"labels": []}))
    monkeypatch.setenv("AUTOML_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"official archive, whole, but .*mkdir is not allowed"):
        load_task(spec("cifar10"))
    assert not (tmp_path / "canary").exists()


def test_what_is_kept_is_read_once_until_its_file_or_how_it_is_read_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, count = tmp_path / "rows.csv", [0]
    file.write_text("\n".join(["a,b,target", *(f"{n % 9},{n % 7},{n % 2}" for n in range(40))]))
    monkeypatch.setattr(sources, "_read", lambda *given, read=sources._read: count.append(1) or read(*given))

    def reads(**more: Any) -> int:
        before = len(count)
        load_task({"dataset": str(file), "target": "target", "metrics": [{"name": "accuracy"}], **more})
        return len(count) - before

    with sources.kept():
        open_test({"dataset": str(file), "target": "target", "metrics": [{"name": "accuracy"}]}, opening=1)
        assert (reads(), reads(split={"validation": 0.2, "test": 0.2, "seed": 0})) == (0, 0)
        assert (reads(columns={"drop": ["b"]}), reads(split={"seed": 5})) == (1, 1)
        file.write_text("\n".join(["a,b,target", *(f"{n % 9},{n % 5},{n % 2}" for n in range(40))]))
        assert reads(split={"seed": 5}) == 1
        sources.forget()
        assert reads(split={"seed": 6}) == reads(split={"seed": 7}) == 1, "trials are about to run here"
    assert sources._Kept.dataset is None
