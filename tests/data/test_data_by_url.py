"""Data by URL: files of AUTOML_DATA and of a study come to this node once."""

from __future__ import annotations

import gzip
import multiprocessing
from pathlib import Path

import pytest
from s3_server import Bucket

from automl.benchmarks.files import find_file
from automl.config import load_study
from automl.contracts import UserError
from automl.data import load_task
from automl.data.local import find_files

TABLE = "size,rooms,price\n" + "".join(f"{n},{n % 4},{2 * n}\n" for n in range(40))


@pytest.fixture(autouse=True)
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOML_CACHE", str(tmp_path / "node"))
    return tmp_path / "node"


def test_a_table_of_a_bucket_is_the_same_data_as_the_file(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "houses.csv").write_text(TABLE)
    bucket.put("data/houses.csv", TABLE.encode())
    url = f"s3://{bucket.name}/data/houses.csv"
    spec = {"target": "price", "metrics": [{"name": "r2", "direction": "maximize"}]}
    spec["split"] = {"validation": 0.2, "test": 0.2, "seed": 0}
    here = load_task({**spec, "dataset": str(tmp_path / "houses.csv")})
    there = load_task({**spec, "dataset": url})
    assert here.digest == there.digest and there.name == here.name
    bucket.put("data/houses.csv", (TABLE + "41,1,99\n").encode())
    assert load_task({**spec, "dataset": url}).digest != here.digest


def test_a_study_may_name_a_table_by_url(workspace: Path, bucket: Bucket) -> None:
    bucket.put("data/houses.csv", TABLE.encode())
    text = """
name: houses
task: {dataset: "%s", target: price, metric: r2}
space: tabular
evaluator: {pipeline: {folds: 3}}
budget: {trials: 2}
arms: {tpe: {strategy: tpe}}
executor: local
"""
    path = workspace / "houses.yaml"
    path.write_text(text % f"s3://{bucket.name}/data/houses.csv")
    assert load_study(path).task.dataset == f"s3://{bucket.name}/data/houses.csv"
    path.write_text(text % f"s3://me:hunter2hunter2@{bucket.name}/data/houses.csv")
    with pytest.raises(UserError, match=r"task\.dataset must hold no password or key"):
        load_study(path)


def test_files_below_a_url_of_automl_data_are_fetched(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, node: Path
) -> None:
    bucket.put("data/fashion/a.gz", gzip.compress(b"a"))
    bucket.put("data/fashion/b.gz", gzip.compress(b"b"))
    bucket.put("data/nas/table.npz", b"table")
    monkeypatch.setenv("AUTOML_DATA", f"{tmp_path}:s3://{bucket.name}/data:s3://{bucket.name}/data/nas")
    found = find_files("fashion", ("other", "fashion"), ("a.gz", "b.gz"))
    assert [gzip.decompress(path.read_bytes()) for path in found] == [b"a", b"b"]
    assert all(path.is_relative_to(node) for path in found)
    assert find_file("table.npz").read_bytes() == b"table"
    with pytest.raises(
        UserError, match=rf"there is no a.gz and c.gz \(searched: .*s3://{bucket.name}/data/fashion"
    ):
        find_files("fashion", ("fashion",), ("a.gz", "c.gz"))


def read(url: str, digest: str) -> None:
    spec = {"dataset": url, "target": "y", "metrics": [{"name": "r2", "direction": "maximize"}]}
    spec["split"] = {"validation": 0.2, "test": 0.2, "seed": 0}
    assert load_task(spec).digest == digest


def test_several_processes_stage_the_same_data_at_once(tmp_path: Path, node: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{n * n % 7},{n}\n" for n in range(50)))
    url = f"file://{tmp_path}/t.csv"
    spec = {
        "dataset": str(tmp_path / "t.csv"),
        "target": "y",
        "split": {"validation": 0.2, "test": 0.2, "seed": 0},
    }
    digest = load_task({**spec, "metrics": [{"name": "r2", "direction": "maximize"}]}).digest
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=read, args=(url, digest)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert len([path for path in (node / "files").iterdir() if path.is_dir()]) == 1
