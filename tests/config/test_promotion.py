"""The key `promote` of a study file: shorthands, and conditions that nothing could meet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl.config import Promote, Study, load_study
from automl.contracts import UserError

TEXT = """
name: gated
task: {task}
space: tabular
evaluator: pipeline
budget: {{trials: 2}}
arms: {{tpe: {{strategy: tpe}}}}
{rest}
"""


def study(
    folder: Path, promote: str, rest: str = "", task: str = "{dataset: iris, metric: accuracy}"
) -> Study:
    path = folder / "gated.yaml"
    path.write_text(TEXT.format(task=task, rest=f"promote: {promote}\n{rest}"))
    return load_study(path)


def test_without_the_key_there_is_no_gate(tmp_path: Path) -> None:
    assert study(tmp_path, "").promote is None


def test_the_default_gate_beats_random_and_the_champion(tmp_path: Path) -> None:
    assert study(tmp_path, "{}").promote == Promote(beats=["random", "champion"])


@pytest.mark.parametrize(
    ("written", "parameters"),
    [("5000", 5000), ("500K", 500_000), ("'1.5M'", 1_500_000), ("2 m", 2_000_000), ("1G", 10**9)],
)
def test_sizes_are_numbers_of_parameters(written: str, parameters: int, tmp_path: Path) -> None:
    promote = study(tmp_path, f"{{beats: tpe, size_at_most: {written}}}").promote
    assert promote is not None and (promote.beats, promote.size_at_most) == (["tpe"], parameters)


@pytest.mark.parametrize(
    ("promote", "rest", "message"),
    [
        ("{beats: [gp]}", "", r"promote\.beats\[0\]: must be arms of the study or champion, but got 'gp'"),
        ("{beats: championn}", "", r"promote\.beats: must be arms .* but got 'championn'; did you mean"),
        ("{beats: [tpe, tpe]}", "", "must differ, but got 'tpe' twice"),
        (
            "{size_at_most: 5MB}",
            "",
            "must be a number of parameters, but got '5MB'; write 500000, 500K or 5M",
        ),
        ("{size_at_most: 0}", "", r"promote\.size_at_most: must be greater than or equal to 1, but got 0"),
        ("{seeds_at_least: 0}", "", r"promote\.seeds_at_least: must be greater than or equal to 1"),
        ("{test_at_least: high}", "", r"promote\.test_at_least: must be a number, but got 'high'"),
        ("{test_at_leest: 1}", "", r"promote\.test_at_leest: must be a known key"),
        ("{automatically: often}", "", r"promote\.automatically: must be true or false"),
        ("{test_at_least: 0.9}", "final: {seeds: 0}", r"needs retrainings of the winner, but got 0\.9"),
        ("{fresh_at_least: 0.9}", "final: {seeds: 0}", r"promote\.fresh_at_least: needs retrainings"),
        ("yes", "", r"promote: must be a mapping, but got"),
    ],
)
def test_what_no_campaign_could_meet_is_refused(
    promote: str, rest: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        study(tmp_path, promote, rest)


def test_a_test_value_needs_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "lonely_code.py").write_text(
        "from automl.space import Float, Space\nSPACE = Space({'x': Float(0, 1)})\ndef f(c, t): return 1.0\n"
    )
    path = tmp_path / "gated.yaml"
    path.write_text(
        "name: gated\ntask: {metric: gain, direction: maximize}\nspace: lonely_code:SPACE\n"
        "evaluator: {function: {call: lonely_code:f}}\nbudget: {trials: 2}\nfinal: {seeds: 3}\n"
        "promote: {test_at_least: 0.5}\n"
    )
    with pytest.raises(UserError, match=r"promote\.test_at_least: needs a test set, but got 0\.5 without"):
        load_study(path)


def test_a_gate_makes_no_other_study(tmp_path: Path) -> None:
    first, second = study(tmp_path, "{beats: tpe}"), study(tmp_path, "{automatically: true}")
    assert first.digest() == second.digest() and first.identity() == second.identity()
    assert first.digest() == study(tmp_path, "").digest()
    assert Study.from_json(json.loads(json.dumps(second.to_json()))) == second
