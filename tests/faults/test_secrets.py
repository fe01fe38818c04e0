"""Secrets in the code and the environment of a trial are found nowhere that a campaign writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from in_process import automl

CODE = """
import logging, os
from automl.space import Choice, Float, Space

SPACE = Space({"x": Float(0.0, 1.0), "dsn": Choice(("postgresql://me:CHOICE@db/x", "none"))})
FORMS = [
    "no answer from postgresql://me:CANARY0@db:5432/x",
    "password=CANARY1; host=db",
    "{'user': 'me', 'token': 'CANARY2'}",
    "Authorization: Bearer CANARY3",
    "api_key: CANARY4",
    "AWS_SECRET_ACCESS_KEY=CANARY5",
    "https://example.org/x?signature=CANARY6&y=1",
    "the service said: " + os.environ["SOME_SERVICE_TOKEN"],
]

def fails(config, context):
    context.report(1, config["x"])
    number, odd = divmod(int(context.workdir.name), 2)
    if odd and number < len(FORMS):
        try:
            raise ConnectionRefusedError(FORMS[number])
        except ConnectionRefusedError as error:
            raise ValueError(f"cannot: {error}") from error
    return config["x"]
"""
STUDY = """
name: telling
task: {metric: loss, direction: minimize}
space: "telling_code:SPACE"
evaluator: {function: {call: "telling_code:fails"}}
budget: {trials: 18}
seeds: 1
arms: {random: {strategy: random}}
executor: {local: {isolate: %s}}
retry: {transient: 0}
final: {seeds: 0}
"""


@pytest.mark.parametrize("isolate", ["false", "true"])
def test_nothing_that_is_written_tells_a_secret(
    isolate: str, workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    canaries = [f"Kanarie{number}q7" for number in range(8)]
    code = CODE
    for number, canary in enumerate(canaries):
        code = code.replace(f"CANARY{number}", canary)
    (workspace / "telling_code.py").write_text(code)
    (workspace / "telling.yaml").write_text(STUDY % isolate)
    store = workspace / "store"
    monkeypatch.setenv("AUTOML_STORE", str(store))
    monkeypatch.setenv("SOME_SERVICE_TOKEN", canaries[7])
    shown = ""
    for words in (
        ["run", "telling.yaml"],
        ["report", "telling", "--json"],
        ["report", "telling", "--html", "report.html"],
        ["audit", "telling", "--json"],
        ["export", "telling", "-o", "best.yaml"],
    ):
        assert automl(monkeypatch, *words) == 0
        out, err = capsys.readouterr()
        shown += out + err
    assert shown.count("***") > len(canaries), "the failures are told"
    for path in (*store.rglob("*"), workspace / "report.html", workspace / "best.yaml"):
        data = path.read_bytes() if path.is_file() else b""
        for canary in canaries:
            assert canary.encode() not in data, path
    assert not any(canary in shown for canary in canaries)
    assert b"me:CHOICE@" not in (store / "mlflow.db").read_bytes()
