"""The keys `memory` and `twin`: shorthands, twins, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.config import load_study, resolve
from automl.contracts import UserError

BASE = """
name: x
task: {metric: loss, direction: minimize}
space: mlp
evaluator: {function: {call: "math:sqrt"}}
budget: {trials: 5}
"""


def load(tmp_path: Path, text: str) -> dict[str, object]:
    file = tmp_path / "x.yaml"
    file.write_text(BASE + text)
    study = load_study(file)
    again = type(study).from_json(study.to_json())
    assert again == study
    found = resolve(study).arms
    return {name: arm.memory and (arm.memory.source, arm.memory.top) for name, arm in found.items()}


@pytest.mark.parametrize(
    ("memory", "written"),
    [
        ("last", ("last", 5)),
        ("all", ("all", 5)),
        ("nas-3", (["nas-3"], 5)),
        ("[last]", (["last"], 5)),
        ("{top: 2}", ("last", 2)),
        ("{from: nas, top: 1}", (["nas"], 1)),
        ("false", None),
        ("[]", None),
    ],
)
def test_shorthands(tmp_path: Path, memory: str, written: object) -> None:
    arms = load(
        tmp_path, f"arms: {{tpe: {{strategy: tpe, memory: {memory}}}, grid: {{strategy: quasi_random}}}}"
    )
    assert arms == {"random": None, "tpe": written, "grid": None}


def test_a_study_gives_its_memory_to_arms_that_remember_and_twins_have_none(tmp_path: Path) -> None:
    arms = load(
        tmp_path,
        "memory: last\narms: {tpe: {strategy: tpe, twin: true}, ls: {strategy: local_search, memory: false}, "
        "qmc: {strategy: quasi_random}}",
    )
    kept = ("last", 5)
    expected = {"random": None, "tpe": kept, "tpe-without-memory": None, "ls": None, "qmc": None}
    assert arms == expected


def test_without_memory_a_study_has_the_digest_it_had(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    digests = []
    for text in ("", "memory: last", "memory: {from: last}", "memory: all"):
        file.write_text(f"{BASE}{text}\narms: {{tpe: {{strategy: tpe}}}}")
        digests.append(load_study(file).digest())
    assert len(set(digests)) == 3
    assert digests[1] == digests[2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("memory: 3", "must be last, all, .* but got 3"),
        ("memory: true", "but got True"),
        ("memory: {from: 3}", "memory.from: must be last, all or"),
        ("memory: {from: [a, 3]}", "memory.from: must be last, all or"),
        ("memory: {frm: last}", "did you mean 'from'"),
        ("memory: {source: last}", "must be a known key, but got 'source'"),
        ("memory: {top: 0}", "memory.top: must be greater"),
        ("memory: {top: 2.5}", "memory.top: must be an integer"),
        ("arms: {random: {strategy: random, memory: last}}", "random must remember nothing"),
        ("arms: {a: {strategy: quasi_random, memory: last}}", "quasi_random must remember nothing"),
        ("arms: {a: {strategy: quasi_random, twin: true}}", "quasi_random must remember nothing"),
        ("arms: {a: {reference: resnet, memory: last}}", "memory needs a strategy"),
        ("arms: {a: {strategy: tpe, twin: true}}", "a twin is the same arm without memory"),
        ("arms: {a: {strategy: tpe, memory: false, twin: true}}", "a twin is the same arm without memory"),
        ("arms: {a: {strategy: tpe, memory: last, twin: 1}}", "twin: must be true or false"),
        (
            "arms: {a: {strategy: tpe, memory: last, twin: true}, a-without-memory: {strategy: tpe}}",
            "it adds the arm a-without-memory, but there is one already",
        ),
        ("memory: last\narms: {a: {strategy: quasi_random}}", "memory: must be of use to an arm"),
        ("memory: last", "memory: must be of use to an arm"),
        ("schedule: {cron: '0 2 * * *', when: never}", "schedule.when: must be 'always' or 'changed'"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    arms = "" if "arms:" in text or text == "memory: last" else "\narms: {tpe: {strategy: tpe}}"
    with pytest.raises(UserError, match=message):
        load(tmp_path, text + arms)
