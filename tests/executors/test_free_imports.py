"""Nobody pays for being the first to import a library."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from queue_source import QueueSource, job

from automl import plugins
from automl.contracts import Evaluator, Job, Outcome, TrialState
from automl.executors import trial, worker
from automl.executors.inline import Inline

SLOW = 100.0  # seconds


class SlowImports:
    """A clock that moves only while something is imported."""

    def __init__(self) -> None:
        self.now, self.imported = 0.0, list[str]()

    def perf_counter(self) -> float:
        return self.now

    def import_module(self, name: str) -> object:
        self.now += SLOW
        self.imported.append(name)
        return importlib.import_module(name) if name != "torch" else None


@pytest.fixture
def imports(monkeypatch: pytest.MonkeyPatch) -> SlowImports:
    slow = SlowImports()
    monkeypatch.setattr(worker, "importlib", slow)
    monkeypatch.setattr(trial, "time", SimpleNamespace(perf_counter=slow.perf_counter))
    return slow


def outcome(given: Job) -> Outcome:
    source = QueueSource([given])
    assert source.next_job() is given
    return Inline().run(given, source)


def test_what_an_evaluator_needs_is_imported_before_the_clock_runs(
    imports: SlowImports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins.load("evaluators", "function"), "libraries", ("colorsys", "imaplib"))
    found = outcome(job("good", tmp_path))
    assert imports.imported == ["colorsys", "imaplib"]
    assert (found.state, found.device_seconds) == (TrialState.COMPLETE, 0.0)


def test_a_look_for_a_checkpoint_imports_nothing(
    imports: SlowImports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    found = outcome(job("looks_for_a_checkpoint", tmp_path))
    assert imports.imported == [] and "torch" not in sys.modules
    assert (found.state, found.device_seconds) == (TrialState.COMPLETE, 0.0)


@pytest.mark.parametrize("name", plugins.names("evaluators"))
def test_every_library_that_is_named_is_there(name: str) -> None:
    evaluator: type[Evaluator] = plugins.load("evaluators", name)
    for library in evaluator.libraries:
        assert importlib.util.find_spec(library) is not None
