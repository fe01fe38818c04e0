from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from automl.contracts import UserError
from automl.files import Cache, working_folder
from automl.files.node import cache_size


def entry(size: int):  # noqa: ANN201
    return lambda path: path.write_bytes(b"x" * size)


def test_what_was_used_last_stays(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 250)
    for number, key in enumerate("ab"):
        with cache.held(key, entry(100)):
            pass
        os.utime(tmp_path / key, (number, number))
    with cache.held("a", entry(0)) as path:  # is there, and is used now
        assert path.stat().st_size == 100
    with cache.held("c", entry(100)):
        pass
    assert {path.name for path in tmp_path.iterdir() if not path.suffix} == {"a", "c"}


def test_what_somebody_holds_stays_and_that_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = Cache(tmp_path, 100)
    with cache.held("a", entry(100)) as path, cache.held("b", entry(100)):
        assert path.exists()
        assert "more than AUTOML_CACHE_SIZE allows" in caplog.text
    with cache.held("c", entry(10)):
        assert not (tmp_path / "a").exists()


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 100)

    def fails(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("away")

    with pytest.raises(OSError, match="away"), cache.held("a", fails):
        raise AssertionError
    assert [path.name for path in tmp_path.iterdir()] == ["a.lock"]
    (tmp_path / "a.1234.part").write_bytes(b"of one that was killed")
    with cache.held("a", entry(3)) as path:
        assert path.read_bytes() == b"xxx"
    assert not list(tmp_path.glob("*.part"))


def fetch(folder: Path, number: int) -> None:
    def make(path: Path) -> None:
        with (folder / "made").open("a") as file:
            file.write(f"{number}\n")
        path.write_bytes(b"x" * 1000)

    for _ in range(20):
        with Cache(folder / "cache", 10_000).held("a", make) as path:
            assert path.stat().st_size == 1000


def test_several_processes_fetch_a_file_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=fetch, args=(tmp_path, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert len((tmp_path / "made").read_text().splitlines()) == 1


@pytest.mark.parametrize(("named", "size"), [("1GB", 10**9), ("1.5 kb", 1500), ("7", 7), ("2T", 2 * 10**12)])
def test_its_size_is_said_in_words(named: str, size: int) -> None:
    assert cache_size({"AUTOML_CACHE_SIZE": named}) == size


def test_another_size_is_refused() -> None:
    with pytest.raises(UserError, match="must be a size such as 500MB"):
        cache_size({"AUTOML_CACHE_SIZE": "much"})


def work(folder: str) -> None:
    with working_folder("/store/work/a-1/tpe-0/3") as path:
        (path / "x").write_text("x")
        Path(folder, "began").touch()
        os.kill(os.getpid(), 9)


def test_working_folders_go_also_those_of_killed_processes(tmp_path: Path, node: Path) -> None:
    with working_folder("/store/work/a-1/tpe-0/3") as path:
        assert path.parts[-3:] == ("a-1", "tpe-0", "3")
        process = multiprocessing.get_context("fork").Process(target=work, args=(str(tmp_path),))
        process.start()
        process.join()
        assert (tmp_path / "began").exists()
        assert len(list((node / "work").glob("*/a-1"))) == 2
        with working_folder("/store/work/a-1/tpe-0/4"):
            assert path.is_dir()
            assert len(list((node / "work").glob("*/a-1"))) == 2
    assert [one.name for one in (node / "work").iterdir()] == ["lock"]
