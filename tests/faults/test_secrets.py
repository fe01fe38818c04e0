"""Secrets in the code and the environment of a trial are found nowhere that a campaign or a daemon writes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest
from in_process import automl

from automl.cli.masked_output import masked_output
from automl.ledger import resolve_store
from automl.progress import LiveProgress, LogProgress
from automl.schedule import tick
from automl.storage import open_ledger

CODE = """
import logging, os, subprocess, sys
from automl.space import Float, Space

SPACE = Space({"x": Float(0.0, 1.0)})
TEXTS = {texts}
VARIABLES = {variables}

def fails(config, context):
    number = int(context.workdir.name)
    text = TEXTS[number] + " and " + os.environ[VARIABLES[number % len(VARIABLES)]]
    print(text, flush=True)
    sys.stderr.write(text + "\\n")
    logging.getLogger("service").warning("%s", text)
    subprocess.run(["echo", text], check=True)
    context.report(1, config["x"])
    if number == 0:
        return config["x"]
    try:
        raise ConnectionRefusedError(text)
    except ConnectionRefusedError as error:
        raise ValueError("cannot: " + text) from error
"""
STUDY = """
name: telling
task: {metric: loss, direction: minimize}
space: "telling_code:SPACE"
evaluator: {function: {call: "telling_code:fails"}}
budget: {trials: 9}
seeds: 1
arms: {random: {strategy: random}}
executor: %s
retry: {transient: 1, backoff: 0}
final: {seeds: 0}
"""
FORMS: Final = (
    "password=CANARY; host=db",
    "api_key: CANARY",
    "AWS_SECRET_ACCESS_KEY=CANARY",
    "Authorization: Bearer CANARY",
    "no answer from postgresql://me:CANARY@db:5432/x",
    "redis://:p/@?:&#CANARY@cache:6379/0 refused",
    "{'user': 'me', 'token': 'CANARY'}",
    '{"client_secret": "CANARY", "model": "small"}',
    "db:\n  host: db\n  password: CANARY\n  port: 1",
    "https://example.org/x?signature=CANARY&y=1",
    "-----BEGIN RSA PRIVATE KEY-----\nCANARY\nCANARY\n-----END RSA PRIVATE KEY-----",
    "AccountName=me;AccountKey=CANARY==;EndpointSuffix=x",
)
KEYS: Final = ("AKIA{:Q>16}", "ghp_{:a>36}", "glpat-{:a>20}", "sk-{:a>30}", "hf_{:a>30}", "AIza{:a>35}")
VARIABLES: Final = (
    "DB_PASSWORD AWS_SECRET_ACCESS_KEY SERVICE_API_KEY GITHUB_TOKEN GIT_CREDENTIALS APP_SIGNING_KEY "
    "HOOK_AUTH MAIL_PASSPHRASE"
)


def planted(folder: Path, executor: str, patch: pytest.MonkeyPatch) -> list[str]:
    """A study whose trials tell eight canaries of each form; the canaries."""
    canaries, texts = [], []
    for number in range(8):
        secrets = [f"Kanarie{place}q{number}x7" for place in range(len(FORMS))]
        keys = [form.format(f"{place}Q{number}") for place, form in enumerate(KEYS)]
        lines = [form.replace("CANARY", secret) for form, secret in zip(FORMS, secrets, strict=True)]
        texts.append("\n".join([*lines, *(f"got {key} from the file" for key in keys)]))
        canaries += [*secrets, *keys]
    names = VARIABLES.split()
    for number, name in enumerate(names):
        canaries.append(f"Umgebung{number}zz9")
        patch.setenv(name, canaries[-1])
    code = CODE.replace("{texts}", repr([*texts, texts[0]])).replace("{variables}", repr(names))
    (folder / "telling_code.py").write_text(code)
    (folder / "telling.yaml").write_text(STUDY % executor)
    return canaries


def search(folder: Path, canaries: list[str]) -> list[tuple[str, str]]:
    """Where which canaries are, in all bytes of all files."""
    found = []
    for path in folder.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        found += [(str(path), canary) for canary in canaries if canary.encode() in data]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "executor", ["local", "{local: {isolate: true}}", pytest.param("ray", marks=pytest.mark.ray)]
)
def test_nothing_that_is_written_tells_a_secret(
    executor: str, workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    canaries = planted(workspace, executor, monkeypatch)
    assert len(canaries) == 8 * (len(FORMS) + len(KEYS) + 1) == len(set(canaries))
    store = workspace / "store"
    monkeypatch.setenv("AUTOML_STORE", str(store))
    assert automl(monkeypatch, "check", "telling.yaml") == 0
    assert automl(monkeypatch, "schedule", "add", "telling.yaml", "--cron", "* * * * *") == 0
    with open_ledger(resolve_store()) as ledger:
        (firing,) = tick(resolve_store(), now=ledger.schedules()[0].created_at + 61)
        assert firing.state == "done"
        assert not search(store, canaries), "the write-ahead log included"
    (log,) = (store / "logs").iterdir()
    if executor != "ray":  # what workers of Ray print is not shown
        assert log.read_text().count("password=***; host=db") >= 9, "what trials print is there"
    shown = ""
    for words in (
        ["report", "telling", "--json"],
        ["report", "telling", "--html", "report.html"],
        ["audit", "telling", "--json"],
        ["export", "telling", "-o", "best.yaml"],
        ["doctor", "--json"],
    ):
        automl(monkeypatch, *words)
        out, err = capsys.readouterr()
        shown += out + err
    assert shown.count("***") > len(VARIABLES.split()), "the failures are told"
    outside = [(path, canary) for path, canary in search(workspace, canaries) if "telling_code" not in path]
    assert not outside
    assert [canary for canary in canaries if canary in shown] == []
    assert (workspace / "best.yaml").exists() and (workspace / "report.html").exists()


def test_progress_lines_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    for progress in (LogProgress(), LiveProgress()):
        progress.message("retried: no answer from postgresql://me:hunter2@db/x, password=hunter2")
    err = capsys.readouterr().err
    assert "hunter2" not in err and err.count("***") == 4


def test_output_is_masked_and_passed_on_whole(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Also that of other processes, long lines, lines without an end, and what is no text."""
    with masked_output(True):
        os.write(1, b"password=hunter2\n")
        subprocess.run(["sh", "-c", "echo token: hunter2; printf 'api_key=hunter2' >&2"], check=True)
        os.write(1, b"\n" + b"x" * 3_000_000 + b"\n\xff\n")
        sleeper = subprocess.Popen(["sleep", "60"])  # holds the pipe
    sleeper.kill()
    sleeper.wait()
    os.write(1, b"after: password=hunter2\n")
    out = capfd.readouterr().out
    assert out.startswith("password=***\ntoken: ***\napi_key=***\nxxx")
    assert out.endswith("x\n\\xff\nafter: password=hunter2\n") and out.count("x") >= 3_000_000


def test_output_that_cannot_be_written_holds_nothing_up(capfd: pytest.CaptureFixture[str]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    before = os.dup(1)
    os.dup2(full, 1)
    try:
        with masked_output(True):
            os.write(2, b"x" * 3_000_000)
    finally:
        os.dup2(before, 1)
        os.close(before)
        os.close(full)
