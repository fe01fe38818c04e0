"""Processes that one which has loaded everything forks: they begin at once, and end as others do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import PATIENCE
from queue_source import HERE, QueueSource, attended, job

from automl.contracts import Needs, Outcome, TrialState
from automl.executors.isolated import Isolated, Spawned
from automl.executors.local import Local
from automl.executors.nursery import Forked, Nursery

NEEDS = Needs(import_path=[HERE], evaluators=[], spaces=[])
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone"),
]


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    made = Nursery(NEEDS)
    yield made
    made.close()


def born(nursery: Nursery) -> tuple[Forked, int]:
    """A process, and its number once it runs."""
    made = nursery.fork()
    assert made is not None
    end = time.monotonic() + PATIENCE
    while (process := nursery.process(made._number)) is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    return made, process


def runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone(process: int) -> bool:
    end = time.monotonic() + PATIENCE
    while runs(process) and time.monotonic() < end:
        time.sleep(0.01)
    return not runs(process)


def outcome(nursery: Nursery, name: str, folder: Path, **more: float) -> Outcome:
    worker = Isolated(nursery)
    source = QueueSource([job(name, folder, **more)])
    attended(worker, source)
    worker.close()
    return source.outcomes[name]


def test_a_process_begins_at_once_and_has_what_was_loaded(nursery: Nursery, tmp_path: Path) -> None:
    born(nursery)[0].kill()
    assert nursery.ready is not None
    start = time.monotonic()
    assert outcome(nursery, "good", tmp_path).state is TrialState.COMPLETE
    assert time.monotonic() - start < 5.0


def test_each_is_a_process_and_group_of_its_own(nursery: Nursery, tmp_path: Path) -> None:
    found = {outcome(nursery, "which_process", tmp_path / str(one)).values[0] for one in range(2)}  # type: ignore[index]
    assert len(found) == 2 and os.getpid() not in found
    one, process = born(nursery)
    assert os.getpgid(process) == process
    one.kill()


def test_one_that_is_killed_is_gone_and_the_others_stay(nursery: Nursery) -> None:
    one, first = born(nursery)
    other, second = born(nursery)
    one.kill()
    assert one.wait() == -signal.SIGKILL and gone(first)
    assert runs(second) and nursery.lives
    other.kill()


def test_one_that_dies_by_itself_says_how(nursery: Nursery) -> None:
    one, process = born(nursery)
    os.kill(process, signal.SIGSEGV)
    assert one.wait() == -signal.SIGSEGV and one.stdout.read() == b""
    one.kill()
    other, process = born(nursery)
    other.stdin.close()
    assert other.wait() == 0 and gone(process), "without a driver it ends"
    other.kill()


def test_one_that_is_not_born_yet_ends_when_it_is_closed() -> None:
    nursery = Nursery(NEEDS)
    try:
        one = nursery.fork()
        assert one is not None
        one.kill()
        number, end = one._number, time.monotonic() + PATIENCE
        while nursery.process(number) is None and time.monotonic() < end:
            time.sleep(0.01)
        process = nursery.process(number)
        assert process is not None and gone(process)
    finally:
        nursery.close()


def test_all_end_with_the_nursery_and_processes_are_started_without_it(tmp_path: Path) -> None:
    nursery = Nursery(NEEDS)
    one, process = born(nursery)
    os.kill(nursery._process.pid, signal.SIGKILL)
    assert one.wait() == -signal.SIGKILL
    one.kill()
    assert gone(process) and not nursery.lives and nursery.fork() is None
    worker = Isolated(nursery)
    worker.prepare(NEEDS)
    assert isinstance(worker._process, Spawned)
    worker.close()
    assert outcome(nursery, "good", tmp_path).state is TrialState.COMPLETE
    nursery.close()


def test_all_end_with_the_driver(tmp_path: Path) -> None:
    code = f"""
import time
from automl.contracts import Needs
from automl.executors.nursery import Nursery
nursery = Nursery(Needs(import_path=[{HERE!r}], evaluators=[], spaces=[]))
one = nursery.fork()
while (process := nursery.process(1)) is None: time.sleep(0.01)
print(nursery._process.pid, process, flush=True)
time.sleep(100)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        own, forked = map(int, driver.stdout.readline().split())
        assert runs(own) and runs(forked)
        driver.kill()
    assert gone(own) and gone(forked)


def test_what_code_prints_when_it_is_loaded_is_no_output_of_the_driver(tmp_path: Path) -> None:
    (tmp_path / "talks.py").write_text(
        "print('loaded', end='')\nfrom automl.space import Space\nSPACE = Space({})\n"
    )
    code = f"""
import time
from automl.contracts import Needs
from automl.executors.nursery import Nursery
spaces = [{{"name": "talks:SPACE"}}]
nursery = Nursery(Needs(import_path=[{str(tmp_path)!r}], evaluators=[], spaces=spaces))
for number in (1, 2):
    one = nursery.fork()
    while nursery.process(number) is None: time.sleep(0.01)
    one.stdin.close()
    one.wait()
    one.kill()
nursery.close()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "" and done.stderr.count("loaded") == 1


def test_a_trial_that_is_killed_is_replaced_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.executors.places.may_fork", lambda *_: True)
    executor = Local(Local.Options(spare=True))
    executor.check()
    assert executor.isolate and executor.restart is None
    try:
        executor.examine(NEEDS, print)
        source = QueueSource([job("good", tmp_path), job("sleeps_in_c", tmp_path, deadline=0.5)])
        executor.run(source)
        assert source.outcomes["sleeps_in_c"].late
        assert executor.restart is not None and executor.restart < 2.0
        (worker,) = executor._places._workers
        last = QueueSource([job("swallows", tmp_path)])
        executor.run(last)
        assert last.outcomes["swallows"].state is TrialState.COMPLETE
        assert isinstance(worker._process, Forked)
    finally:
        executor.close()


def test_libraries_with_threads_or_devices_of_their_own_are_not_forked() -> None:
    code = """
from automl.contracts import Needs, PluginSpec
from automl.executors.nursery import may_fork
specs = [PluginSpec(name, {}) for name in ("pipeline", "network")]
needs = [Needs(import_path=[], evaluators=[spec], spaces=[]) for spec in specs]
print(may_fork(needs[0], 0), may_fork(needs[0], 1), may_fork(needs[1], 0))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "False"]


def test_code_that_imports_torch_by_itself_gets_a_process_that_has_not(tmp_path: Path) -> None:
    (tmp_path / "imports_torch.py").write_text(
        "import torch\nfrom automl.space import Space\nSPACE = Space({})\n"
    )
    spaces = [{"name": "imports_torch:SPACE"}]
    nursery = Nursery(Needs(import_path=[HERE, str(tmp_path)], evaluators=[], spaces=spaces))
    try:
        made, process = born(nursery)
        end = time.monotonic() + PATIENCE
        while "automl.executors.child" not in (words := Path(f"/proc/{process}/cmdline").read_text()):
            assert time.monotonic() < end, words
            time.sleep(0.01)
        made.kill()
        assert outcome(nursery, "good", tmp_path).state is TrialState.COMPLETE
    finally:
        nursery.close()
