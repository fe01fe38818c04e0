"""What a target does: takes a message, refuses it, hangs, is away, or does not exist."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest
from webhook import webhook

from automl.config import Target
from automl.masking import mask_text
from automl.notifying import senders
from automl.notifying.composing import trial_message
from automl.notifying.message import Message, masked, message_id
from automl.notifying.senders import fault, send, without_address

MESSAGE = trial_message("mine")
URL = Target(url_from="HOOK")


@pytest.mark.slow
def test_a_webhook_takes_a_message_through_apprise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with webhook() as hook:
        monkeypatch.setenv("HOOK", f"json://127.0.0.1:{hook.port}/abc")
        assert fault(URL, tmp_path) == "" and hook.received == []
        assert send(URL, MESSAGE, tmp_path, 60) == ""
        hook.statuses = [500]
        assert "500" in send(URL, MESSAGE, tmp_path, 60)
    assert hook.events == ["a test message"] and f"id: {MESSAGE.id}" in hook.received[0]["message"]
    away = send(URL, MESSAGE, tmp_path, 60)
    assert away and "abc" not in away and str(hook.port) not in away


def test_a_slow_webhook_is_left_when_its_time_is_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with webhook() as hook:
        hook.delay = 3.0
        monkeypatch.setenv("HOOK", f"json://127.0.0.1:{hook.port}/abc?rto=60")
        assert send(URL, MESSAGE, tmp_path, 1.0) == "no answer within 1 s"


@pytest.mark.slow
def test_an_address_that_is_none_is_told_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HOOK", raising=False)
    assert "HOOK must hold an address, but is not set; export it" in fault(URL, tmp_path)
    assert send(URL, MESSAGE, tmp_path, 9) == "the environment variable HOOK is not set here"
    monkeypatch.setenv("HOOK", "nonsense://Kanarie77")
    assert "its value (not shown) is none" in fault(URL, tmp_path)
    assert "Kanarie77" not in fault(URL, tmp_path) + send(URL, MESSAGE, tmp_path, 60)


def test_without_apprise_it_is_told_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "apprise.py").write_text("raise ImportError('no')\n")
    child = tmp_path / "child.py"
    child.write_text(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + senders.CHILD.read_text())
    child.write_text(child.read_text().replace("from __future__ import annotations\n", ""))
    monkeypatch.setattr(senders, "CHILD", child)
    monkeypatch.setenv("HOOK", "json://127.0.0.1:1")
    assert "pip install 'automl-orchestrator[notify]'" in fault(URL, tmp_path)
    assert "pip install 'automl-orchestrator[notify]'" in send(URL, MESSAGE, tmp_path, 60)


def test_a_command_gets_text_or_json_on_standard_input_and_no_shell(tmp_path: Path) -> None:
    program = tmp_path / "tell.py"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nopen('got', 'w').write(sys.stdin.read() + '|'.join(sys.argv[1:]))\n"
    )
    words = ["./tell.py", "$HOME; touch x", "a b"]
    assert "must be there and executable" in fault(Target(command=words), tmp_path)
    assert "not executable" in send(Target(command=words), MESSAGE, tmp_path, 9)
    program.chmod(0o700)
    assert fault(Target(command=words), tmp_path) == ""
    assert send(Target(command=words), MESSAGE, tmp_path, 60) == ""
    got = (tmp_path / "got").read_text()
    assert got.startswith("mine: a test message\nthis target") and got.endswith("\n$HOME; touch x|a b")
    assert send(Target(command=["./tell.py"], format="json"), MESSAGE, tmp_path, 60) == ""
    assert Message.from_json(json.loads((tmp_path / "got").read_text())) == MESSAGE


@pytest.mark.parametrize("script", ["sleep 600", "sleep 600 & sleep 600", "trap '' TERM; exec sleep 600"])
def test_a_command_that_hangs_is_killed_with_what_it_started(script: str, tmp_path: Path) -> None:
    target = Target(command=["sh", "-c", script])
    began = time.monotonic()
    assert send(target, MESSAGE, tmp_path, 0.2) == "it was killed: it must end within 0 s"
    assert time.monotonic() - began < 500


def test_a_command_that_fails_is_told_without_secrets(tmp_path: Path) -> None:
    failing = Target(command=["sh", "-c", "echo password=Kanarie77; exit 7"])
    assert send(failing, MESSAGE, tmp_path, 60) == "exit code 7: password=***"
    assert send(Target(command=["sh", "-c", "kill -9 $$"]), MESSAGE, tmp_path, 60) == "signal 9"
    held = Target(command=["sh", "-c", "sleep 600 & exit 0"])  # keeps the streams open
    assert send(held, MESSAGE, tmp_path, 60) == ""


def test_a_file_gets_a_line_each_also_behind_half_a_line(tmp_path: Path) -> None:
    target, file = Target(file="n.jsonl"), tmp_path / "n.jsonl"
    assert fault(target, tmp_path) == ""
    assert send(target, MESSAGE, tmp_path, 9) == ""
    file.write_text(file.read_text() + '{"half')
    assert send(target, MESSAGE, tmp_path, 9) == ""
    first, half, last = file.read_text().splitlines()
    assert json.loads(first) == json.loads(last) == MESSAGE.to_json() and half == '{"half'
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_is_told_and_waited_for_never(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder", "absent/n.jsonl", "/dev/full"):
        target = Target(file=name)
        assert "must be one that can be written" in fault(target, tmp_path), name
        assert send(target, MESSAGE, tmp_path, 9), name


def test_no_part_of_an_address_is_in_a_text() -> None:
    url = "slack://TokenA1/TokenB2/TokenC3/#room?key=Kan%20arie"
    told = without_address(url, f"no {url}: TokenA1, TokenB2 and TokenC3 with Kan arie, Kan%20arie")
    assert not any(part in told for part in ("TokenA1", "TokenB2", "TokenC3", "arie"))


def test_hidden_variables_are_masked_wholly(monkeypatch: pytest.MonkeyPatch) -> None:
    from automl.masking import HIDDEN, hide

    monkeypatch.setenv(HIDDEN, "")
    monkeypatch.setenv("CHAT", "https://hooks.example.org/services/T00K4/B99X1/xKanarie77")
    text = "failed: https://hooks.example.org/services/T00K4/B99X1/xKanarie77 and xKanarie77 and services"
    assert mask_text(text) == text
    hide(["CHAT", "CHAT"])
    assert mask_text(text) == "failed: *** and *** and services"


def test_a_message_is_masked_and_has_one_line_for_each_thing() -> None:
    message = Message(
        id=message_id("a", 1),
        event="end",
        study="s",
        campaign="s-1",
        sentence="token=Kanarie77\nforged line",
        facts={"reason": "postgresql://me:Kanarie77@db/x"},
    )
    assert "Kanarie77" not in json.dumps(masked(message).to_json())
    assert masked(message).text().splitlines()[-1] == f"id: {message_id('a', 1)}"
    assert len(masked(message).text().splitlines()) == 2
    assert Message.from_json(masked(message).to_json()) == masked(message)
