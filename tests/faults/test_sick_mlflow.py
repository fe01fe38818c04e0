"""A tracking server that is overloaded, broken, slow or no MLflow at all: no campaign suffers from it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sick_server
from in_process import automl
from patience import PATIENCE
from sick_server import Sickness, TrackingServer, status

from automl.recorder import audit, recorder
from automl.recorder.environment import SETTINGS

pytestmark = pytest.mark.faults

CODE = """
import os, pathlib, time
from automl.space import Float, Space
SPACE = Space({"x": Float(-1.0, 1.0)})
def objective(config, context):
    with pathlib.Path(os.environ["TRIALS"]).open("a") as file:
        file.write("x")
    time.sleep(0.3)
    return config["x"]
"""
STUDY = """
name: sick
task: {metric: loss, direction: minimize}
space: "sick_code:SPACE"
evaluator: {function: {call: "sick_code:objective"}}
budget: {trials: 4}
seeds: 1
arms: {random: {strategy: random}}
final: {seeds: 1}
"""
TRIALS = 5
TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
SICK: dict[str, Sickness] = {
    "429": status(429, "Too many requests"),
    "429 and to wait": status(429, "Too many requests", Retry_After="3600"),
    "500": status(500, '{"error_code": "INTERNAL_ERROR", "message": "no more disk"}'),
    "503 and to wait": status(503, "", Retry_After="Wed, 21 Oct 2099 07:28:00 GMT"),
    "401": status(401, "who are you?"),
    "404": status(404, "<html><body><h1>Not found</h1></body></html>"),
    "a login page": status(200, "<html><script>go()</script>Log in</html>" * 999, Content_Type="text/html"),
    "truncated JSON": status(200, '{"experiment": {"experiment_id": "1", "na'),
    "wrong types": status(200, '{"experiment": [1, 2], "runs": "none", "run": 7}'),
    "an array": status(200, "[]"),
    "empty JSON": status(200, "{}"),
    "null": status(200, "null"),
    "nothing": status(200, ""),
    "no text": status(200, "\0\1\2"),
    "redirects": sick_server.redirecting,
    "drops": sick_server.dropped,
    "resets": sick_server.reset,
    "never answers": sick_server.silent,
    "drips": sick_server.dripping,
    "another protocol": sick_server.no_http,
}  # fmt: skip

UNANSWERED = ("never answers", "drips")
WHILE = ("429 and to wait", "503 and to wait", "404", "a login page", "wrong types", "empty JSON", "resets")
AT_THE_END = ("429", "500", "truncated JSON", "empty JSON", "drops", "never answers", "drips")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    with TrackingServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def trials(server: TrackingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file in which each trial leaves a mark, beside a study and a new store on the server."""
    (tmp_path / "sick_code.py").write_text(CODE)
    # experiments of a server are shared by its tests: each has a study of its own
    (tmp_path / "sick.yaml").write_text(STUDY.replace("name: sick", f"name: {name_of(tmp_path)}"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    for key, value in {**SETTINGS, TIMEOUT: str(int(PATIENCE))}.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("TRIALS", str(tmp_path / "trials"))
    for name, value in (("ERRORS", 0.5), ("LONGEST", 3.0), ("BEGINNING", 0.5), ("LAST_LOOK", 0.5)):
        monkeypatch.setattr(recorder, name, value)
    monkeypatch.setattr(recorder.Recorder.drain, "__defaults__", (0.5, 3.0))
    monkeypatch.setattr(audit, "SILENCE", 2)
    server.proxy.sickness = None
    yield tmp_path / "trials"
    server.proxy.sickness = None


def name_of(folder: Path) -> str:
    return f"s{abs(hash(folder)) % 10**8}"


def check_told(err: str) -> None:
    for line in ("Traceback", "unexpected ", "<html", "<script", "[SQL"):
        assert line not in err


def check_exact(folder: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The healthy server has every trial exactly once after a repair."""
    name = name_of(folder)
    patch.setenv(TIMEOUT, str(int(PATIENCE)))
    capsys.readouterr()
    assert automl(patch, "audit", name, "--repair", "--json") == 0
    assert automl(patch, "audit", name, "--json") == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["trials"], found["runs"]) == (TRIALS, TRIALS)
    assert automl(patch, "report", name, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["failures"] == []


@pytest.mark.parametrize("name", SICK)
def test_sick_from_the_beginning(
    name: str,
    server: TrackingServer,
    trials: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The campaign ends with its report and exit code 0, what is not recorded is told, a repair writes it."""
    server.proxy.sickness = SICK[name]
    if name in UNANSWERED:
        monkeypatch.setenv(TIMEOUT, "1")
    began = time.monotonic()
    assert automl(monkeypatch, "run", "sick.yaml", "--json", "--progress", "quiet") == 0
    took = time.monotonic() - began
    assert len(trials.read_text()) == TRIALS
    captured = capsys.readouterr()
    assert json.loads(captured.out)["status"] == "finished"
    told = captured.err + caplog.text
    assert "everything is safe in the ledger" in told and "--repair" in told and server.url in told
    check_told(told)
    assert automl(monkeypatch, "audit", name_of(trials.parent)) == 1
    check_told(capsys.readouterr().err)
    server.proxy.sickness = None
    check_exact(trials.parent, monkeypatch, capsys)
    assert took < PATIENCE, "the bounds above are seconds"


@pytest.mark.parametrize("name", WHILE)
def test_sick_while_trials_run(
    name: str,
    server: TrackingServer,
    trials: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What it missed it gets when it is well again, without a repair."""
    monkeypatch.setattr(recorder.Recorder.drain, "__defaults__", (PATIENCE, PATIENCE))
    monkeypatch.setattr(recorder, "LONGEST_PAUSE", 0.2)

    def for_a_while(handler: sick_server.Handler) -> None:
        begun = len(trials.read_text()) if trials.exists() else 0
        monkeypatch.setenv(TIMEOUT, "1" if begun in (2, 3) and name in UNANSWERED else str(int(PATIENCE)))
        (SICK[name] if 2 <= begun < TRIALS else sick_server.Handler.pass_on)(handler)

    server.proxy.sickness = for_a_while
    assert automl(monkeypatch, "run", "sick.yaml", "--json", "--progress", "quiet") == 0
    assert len(trials.read_text()) == TRIALS
    check_told(capsys.readouterr().err)
    assert automl(monkeypatch, "audit", name_of(trials.parent)) == 0


@pytest.mark.parametrize("name", AT_THE_END)
def test_sick_at_the_end(
    name: str,
    server: TrackingServer,
    trials: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def from_the_last_trial_on(handler: sick_server.Handler) -> None:
        begun = len(trials.read_text()) if trials.exists() else 0
        if begun == TRIALS and name in UNANSWERED:
            monkeypatch.setenv(TIMEOUT, "1")
        (SICK[name] if begun == TRIALS else sick_server.Handler.pass_on)(handler)

    server.proxy.sickness = from_the_last_trial_on
    assert automl(monkeypatch, "run", "sick.yaml", "--progress", "quiet") == 0
    told = capsys.readouterr().err + caplog.text
    assert "everything is safe in the ledger" in told and "--repair" in told
    check_told(told)
    server.proxy.sickness = None
    check_exact(trials.parent, monkeypatch, capsys)


def test_a_request_that_drips_for_ever(
    server: TrackingServer,
    trials: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It holds up recording, also when the server is well again, but the campaign for `LONGEST` at most."""

    def for_a_while(handler: sick_server.Handler) -> None:
        (sick_server.dripping if not trials.exists() else sick_server.Handler.pass_on)(handler)

    server.proxy.sickness = for_a_while
    assert automl(monkeypatch, "run", "sick.yaml", "--progress", "quiet") == 0
    assert "not within 3 s; everything is safe in the ledger" in capsys.readouterr().err + caplog.text
    server.proxy.sickness = None
    check_exact(trials.parent, monkeypatch, capsys)


def test_running_again_records_the_rest(
    server: TrackingServer,
    trials: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Instead of a repair the same command may be run again: no trial is repeated."""
    server.proxy.sickness = SICK["503 and to wait"]
    assert automl(monkeypatch, "run", "sick.yaml", "--progress", "quiet") == 0
    server.proxy.sickness = None
    monkeypatch.setattr(recorder.Recorder.drain, "__defaults__", (PATIENCE, PATIENCE))
    assert automl(monkeypatch, "run", "sick.yaml", "--progress", "quiet") == 0
    assert len(trials.read_text()) == TRIALS
    assert automl(monkeypatch, "audit", name_of(trials.parent)) == 0
