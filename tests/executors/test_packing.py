"""What travels to the nodes of a cluster, and where a worker finds it."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from automl.checking import jobs
from automl.contracts import Luggage, PluginSpec, UserError
from automl.executors.tune import arrival, packing
from automl.plugins import FOLDERS

FILES = {
    "mine.yaml": "name: mine",
    "my_code.py": "def objective(config, context): ...",
    "parts/more.py": "",
    "data/houses.csv": "a,b",
    "large/raw.bin": "0" * 1000,
    ".gitignore": "large/\n*.log\n/data\n",
    "run.log": "",
    ".env": "PASSWORD=secret-word",
    ".automl/ledger.db": "",
    "store/ledger.db": "",
    "venv/pyvenv.cfg": "",
    "venv/lib.py": "",
    "__pycache__/my_code.pyc": "",
    "my_plugins/spaces/own.py": "PLUGIN = 1",
}
TRAVEL = {"mine.yaml", "my_code.py", "parts/more.py", "my_plugins/spaces/own.py"}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "json"  # the name of a library's module
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A process that has not looked yet whether something has arrived."""
    monkeypatch.setenv(FOLDERS, "")
    before = Path.cwd()
    arrival.arrive.cache_clear()
    yield monkeypatch
    arrival.arrive.cache_clear()
    os.chdir(before)


def packed(archive: Path, luggage: Luggage, working: Path = Path("/")) -> set[str]:
    """The names of the user's files in an archive, below the first folder of what is shipped."""
    packing.pack(luggage, archive, working)
    names = zipfile.ZipFile(archive).namelist()
    return {name.split("/", 3)[3] for name in names if name.startswith("automl-shipped/0/")}


def test_code_travels_and_secrets_stores_and_ignored_files_stay(study: Path, tmp_path: Path) -> None:
    archive = tmp_path / "one.zip"
    assert packed(archive, Luggage(study)) == TRAVEL
    data = study / "data" / "houses.csv"
    assert packed(archive, Luggage(study, files=(data, Path("/elsewhere.csv")))) == {
        *TRAVEL,
        "data/houses.csv",
    }, "data that the study names travel although they are ignored"
    names = zipfile.ZipFile(archive).namelist()
    assert {name.split("/")[0] for name in names} == {"automl", "automl-shipped", packing.MANIFEST}
    assert {"automl/searchspaces/nasbench201.py", "automl/executors/tune/actor.py"} <= set(names)
    (study.parent / ".git").mkdir()
    (study.parent / ".gitignore").write_text("json/parts/\n")
    assert packed(archive, Luggage(study)) == TRAVEL - {"parts/more.py"}, "the repository's rules hold"


def test_the_same_files_make_the_same_archive(study: Path, tmp_path: Path) -> None:
    packed(tmp_path / "one.zip", Luggage(study))
    os.utime(study / "my_code.py", (0, 0))
    packed(tmp_path / "two.zip", Luggage(study))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    (study / "my_code.py").write_text("changed")
    packed(tmp_path / "two.zip", Luggage(study))
    assert (tmp_path / "one.zip").read_bytes() != (tmp_path / "two.zip").read_bytes()


def test_too_much_is_refused_with_the_largest(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (study / "weights.bin").write_bytes(b"0" * (3 << 20))
    monkeypatch.setattr(packing, "LIMIT", 3 << 20)
    with pytest.raises(UserError, match=r"at most 3\.0 MiB.*the largest: \S+/weights\.bin \(3\.0 MiB\), "):
        packed(tmp_path / "one.zip", Luggage(study))
    monkeypatch.setattr(packing, "MOST_FILES", 10)
    with pytest.raises(UserError, match="at most 10 files"):
        packed(tmp_path / "one.zip", Luggage(study))
    monkeypatch.setenv("HOME", str(study))
    with pytest.raises(UserError, match="into a folder of their own"):
        packed(tmp_path / "one.zip", Luggage(study))


def test_a_worker_finds_it(study: Path, tmp_path: Path, worker: pytest.MonkeyPatch) -> None:
    plugins = tmp_path / "team_plugins"
    (plugins / "strategies").mkdir(parents=True)
    data = study / "data" / "houses.csv"
    luggage = Luggage(study, files=(data,), plugins=(study / "my_plugins", plugins))
    packed(tmp_path / "one.zip", luggage, study / "parts")
    root = tmp_path / "node"
    zipfile.ZipFile(tmp_path / "one.zip").extractall(root)
    worker.setattr(sys, "path", [str(root), *sys.path])
    sent = jobs.job(lambda config, context: 0.0, str(tmp_path))
    options = {"file": str(study / "table.npz"), "other": "/data/x", "n": [1, {"deep": str(study)}]}
    sent = sent.from_json(
        {
            **sent.to_json(),
            "import_path": [str(study), "/else"],
            "task": {"dataset": str(data)},
            "evaluator": {"name": "function", "options": options},
        }
    )
    there = arrival.job(sent)
    own = root / "automl-shipped" / "0" / "json"
    assert there.import_path == [str(own), "/else"] and (own / "my_code.py").is_file()
    assert there.task == {"dataset": str(own / "data" / "houses.csv")}
    wanted = {"file": str(own / "table.npz"), "other": "/data/x", "n": [1, {"deep": str(own)}]}
    assert there.evaluator == PluginSpec("function", wanted)
    assert Path.cwd() == (own / "parts").resolve(), "as where the driver was started"
    team = root / "automl-shipped" / "2" / "team_plugins"
    assert os.environ[FOLDERS] == os.pathsep.join([str(own / "my_plugins"), str(team)])


def test_where_nothing_has_arrived_a_job_stays_as_it_is(tmp_path: Path, worker: pytest.MonkeyPatch) -> None:
    sent = jobs.job(lambda config, context: 0.0, str(tmp_path))
    assert arrival.job(sent) is sent and os.environ[FOLDERS] == ""
