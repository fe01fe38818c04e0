"""The key `constraints` of a study file: shorthands, and bounds that make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.config import Study, load_study
from automl.contracts import Bounds, UserError

TEXT = """
name: bounded
task: {task}
space: {space}
evaluator: {evaluator}
budget: {{trials: 2}}
arms: {arms}
{constraints}
"""
NETWORKS = {
    "task": "{dataset: digits, metric: accuracy}",
    "space": "nasbench201",
    "evaluator": "{network: {epochs: 1}}",
    "arms": "{tpe: {strategy: tpe}, darts: {evaluator: supernet}}",
}


def study(folder: Path, constraints: str, **other: str) -> Study:
    path = folder / "bounded.yaml"
    written = f"constraints: {constraints}" if constraints else ""
    path.write_text(TEXT.format(**{**NETWORKS, **other}, constraints=written))
    return load_study(path)


@pytest.mark.parametrize(
    ("written", "bounds"),
    [
        ("{parameters: 2M}", {"parameters": Bounds(at_most=2e6)}),
        ("{parameters: 2e6}", {"parameters": Bounds(at_most=2e6)}),
        ("{parameters: 500 k}", {"parameters": Bounds(at_most=5e5)}),
        ("{latency: 5ms}", {"latency": Bounds(at_most=0.005)}),
        ("{model_size: 4MiB}", {"model_size": Bounds(at_most=4 << 20)}),
        ("{f1: 0.8}", {"f1": Bounds(at_least=0.8)}),
        ("{accuracy: {at_most: 0.9, at_least: '.5e0'}}", None),
        ("{log_loss: {at_most: 1.5, at_least: 1}}", {"log_loss": Bounds(at_most=1.5, at_least=1)}),
        ("{latency: {at_most: 1.5 min, at_least: null}}", {"latency": Bounds(at_most=90)}),
        ("{}", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_numbers_may_have_units_and_the_direction_says_which_bound(
    written: str, bounds: dict[str, Bounds] | None, tmp_path: Path
) -> None:
    if bounds is None:
        with pytest.raises(UserError, match=r"must be a number, with a unit or without .* got '\.5e0'"):
            study(tmp_path, written)
        return
    assert study(tmp_path, written).constraints == bounds


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{parameters: 5m}", r"constraints\.parameters: must be a number, .* but got '5m'; write 2M"),
        ("{parameters: many}", r"constraints\.parameters: must be a number, .* but got 'many'"),
        ("{parameters: [1]}", r"constraints\.parameters: must be a number, but got \[1\]"),
        ("{parameters: {at_most: true}}", r"parameters\.at_most: must be a number, but got True"),
        ("{parameters: {most: 3}}", r"constraints\.parameters\.most: must be a known key, but got 'most'"),
        ("{latency: 0}", r"constraints\.latency: must leave something, but got at most 0; write a number"),
        ("{parameters: {}}", r"constraints\.parameters: must have a bound, but has none"),
        ("{latency: {at_most: 1, at_least: 2}}", r"must be at most at_most, but got at most 1 and"),
        ("{parameter: {at_most: 3}}", r"must be a metric that network measures, but got 'parameter'; did"),
        ("{rmse: 3}", r"must be a metric that (network|supernet) measures, but got 'rmse'"),
        ("{sparkle: 3}", r"whether 'sparkle' is bounded above or below must be known, but is not"),
        ("{trials_failed: {at_most: 3}}", r"must not be one that is recorded for every trial"),
        ("[parameters]", r"must be a mapping, but got \['parameters'\]; write \{metric: bound\}"),
        ("3", r"constraints: must be a mapping, but got 3"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(written: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as found:
        study(tmp_path, written)
    assert all(line.startswith(f"{tmp_path}/bounded.yaml:8: ") for line in str(found.value).splitlines())


def test_a_metric_of_ones_own_has_the_direction_of_the_task(tmp_path: Path) -> None:
    own = {
        "task": "{metrics: {gain: maximize}}",
        "space": "{parameters: {x: {type: float, low: 0, high: 1}}}",
    }
    own |= {"evaluator": "{function: {call: 'math:hypot'}}", "arms": "{tpe: {strategy: tpe}}"}
    found = study(tmp_path, "{gain: 3, bytes: {at_most: 2}}\nfinal: {seeds: 0}", **own)
    assert found.constraints == {"gain": Bounds(at_least=3), "bytes": Bounds(at_most=2)}


def test_it_is_part_of_what_makes_it_this_study_and_older_ones_keep_their_digest(tmp_path: Path) -> None:
    plain, bounded = study(tmp_path, ""), study(tmp_path, "{parameters: 2M}")
    assert Study.from_json(bounded.to_json()) == bounded
    assert plain.digest() != bounded.digest()
    assert plain.identity() != bounded.identity()
    older = plain.to_json()
    del older["constraints"]
    assert Study.from_json(older).digest() == plain.digest()
