"""What `notify:` may say: no address and no secret is in a study file, and none is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from automl.config import EVENTS, Study, load_study, read_targets
from automl.contracts import UserError

STUDY: dict[str, Any] = {
    "name": "p",
    "task": {"metric": "loss", "direction": "minimize"},
    "space": "resnet",
    "evaluator": {"function": {"call": "os:getcwd"}},
    "budget": {"trials": 1},
    "final": {"seeds": 0},
}
CANARY = "Kanarie77"


def loaded(folder: Path, notify: object) -> Study:
    file = folder / "p.yaml"
    file.write_text(json.dumps({**STUDY, "notify": notify}))
    return load_study(file)


def test_a_target_is_named_by_a_variable_a_program_or_a_file(tmp_path: Path) -> None:
    study = loaded(
        tmp_path,
        [
            {"url": "${CHAT}", "on": ["end"]},
            {"url": "$MAIL"},
            {"url_from": "HOOK", "timeout": 3},
            {"command": ["./tell.sh", "-x"], "format": "json"},
            {"file": "n.jsonl", "on": None},
        ],
    )
    assert [entry.url_from for entry in study.notify] == ["CHAT", "MAIL", "HOOK", None, None]
    assert [entry.label for entry in study.notify][2:] == ["$HOOK", "command ./tell.sh -x", "file n.jsonl"]
    assert study.notify[0].on == ["end"] and study.notify[4].on == list(EVENTS)
    assert Study.from_json(study.to_json()) == study
    assert study.digest() == loaded(tmp_path, None).digest() == loaded(tmp_path, []).digest()


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ({"url": f"json://me:{CANARY}@host"}, "url must be the name of an environment variable"),
        ({"url": f"https://hooks.example.org/{CANARY}"}, "url must be the name of an environment variable"),
        ({"url": f"${{HOME}}/{CANARY}"}, "url must be the name of an environment variable"),
        ({"url": [f"json://{CANARY}"]}, "url must be the name of an environment variable"),
        ({"url_from": f"json://{CANARY}"}, "url_from must be the name of an environment variable"),
        ({"command": ["curl", f"https://me:{CANARY}@host"]}, "command[1] must hold no secret"),
        ({"command": ["tell", f"--token={CANARY}"]}, "command[1] must hold no secret"),
        ({"command": ["tell", "${TOKEN}"]}, "command[1] must be plain text, but names a variable"),
        ({"command": "tell me"}, "command must be [program, argument, …] of texts, but got 'tell me'"),
        ({"command": []}, "command must be [program"),
        ({"command": ["tell", 3]}, "command must be [program"),
        ({"file": f"file:///{CANARY}"}, "file must be the path of a file, but got a value (not shown)"),
        (
            {"file": "n", "url_from": "A"},
            "exactly one of url, url_from, command, file, but has url_from and f",
        ),
        ({"on": ["end"]}, "exactly one of url, url_from, command, file, but has none"),
        ({"file": "n", "on": ["ends"]}, "'ends'"),
        ({"file": "n", "on": []}, "at least 1 item"),
        ({"file": "n", "on": [f"json://{CANARY}"]}, "must be as the reference says"),
        ({"file": "n", "format": "json"}, "format belongs to a command"),
        ({"file": "n", "timeout": 0}, "greater than 0"),
        ({"file": "n", "to": "me"}, "must be a known key, but got 'to'"),
        ({f"https://{CANARY}": 1}, "must be a known key, but got 'an address'"),
        (f"json://{CANARY}", "a target must be a mapping, but got a value (not shown)"),
    ],
)
def test_what_is_wrong_is_told_without_its_secret(tmp_path: Path, target: object, told: str) -> None:
    with pytest.raises(UserError) as caught:
        loaded(tmp_path, [target])
    assert told in str(caught.value) and CANARY not in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}/p.yaml:")


@pytest.mark.parametrize("notify", [f"json://{CANARY}", {"url": f"json://{CANARY}"}, 3, [{"file": "n"}] * 21])
def test_it_is_a_list(tmp_path: Path, notify: object) -> None:
    with pytest.raises(UserError, match="notify: must be a list of at most 20 targets") as caught:
        loaded(tmp_path, notify)
    assert CANARY not in str(caught.value)


def test_a_target_is_there_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"must be there once, but \$A is there again"):
        loaded(tmp_path, [{"url": "${A}", "on": ["end"]}, {"url_from": "A"}])


def test_targets_are_read_from_a_file_that_is_wrong_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("name: p\nbudgets: {}\nnotify: [{url: '${A}'}, {file: n}]\n")
    assert [entry.label for entry in read_targets(file)] == ["$A", "file n"]
    file.write_text("name: p\n")
    assert read_targets(file) == []
    file.write_text("notify: [{url: x}]\n")
    with pytest.raises(UserError, match="url must be"):
        read_targets(file)
