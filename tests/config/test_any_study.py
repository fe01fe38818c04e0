"""Whatever a file or an override says gives a study, or an error of the user in whole lines."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from good_study import GOOD, load
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from properties import examples

from automl.config import Study, load_study
from automl.contracts import Direction, Metric, PluginSpec, UserError

pytestmark = pytest.mark.usefixtures("toy_plugins")


_names = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_plugins = st.builds(PluginSpec, st.text(max_size=9), st.dictionaries(st.text(max_size=4), _json, max_size=3))
_arms = st.fixed_dictionaries(
    {"strategy": st.none() | _plugins, "pruner": _plugins, "reference": st.none() | st.text(max_size=5)}
)


@pytest.mark.slow
@given(
    name=_names,
    evaluator=_plugins,
    arms=st.dictionaries(_names, _arms, min_size=1, max_size=3),
    seeds=st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=3),
    seconds=st.none() | st.floats(1e-6, 1e9),
    schedule=st.none() | st.builds(dict, cron=st.text(max_size=9), timezone=st.text(max_size=9)),
)
def test_json_both_ways(
    name: str, evaluator: PluginSpec, arms: Any, seeds: list[int], seconds: float | None, schedule: Any
) -> None:
    study = Study(
        name=name,
        task={"metrics": [Metric("loss", Direction.MINIMIZE)]},  # type: ignore[arg-type]
        evaluator=evaluator,
        budget={"device_seconds": seconds, "trials": 3},  # type: ignore[arg-type]
        seeds=seeds,
        arms=arms,
        schedule=schedule,
    )
    again = Study.from_json(study.to_json())
    assert again == study
    assert again.to_json() == study.to_json()
    assert again.digest() == study.digest()


_KEYS = ["name", "task", "space", "evaluator", "budget", "seeds", "arms", "executor", "final", "schedule"]
_WORDS = st.sampled_from(
    ["network", "supernet", "tpe", "cells", "metric", "metrics", "strategy", "fix", "digits"]
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | _WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_WORDS | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)


@pytest.mark.slow
@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.dictionaries(st.sampled_from(_KEYS), _values, max_size=3),
    text=st.none() | st.text(max_size=30),
)
@example(changes={"evaluator": {"\r": False}}, text=None)
@example(changes={"evaluator": {"\x1e": False}}, text=None)
def test_anything_gives_a_study_or_a_user_error(tmp_path: Path, changes: Any, text: str | None) -> None:
    data = text if text is not None else yaml.safe_dump({**GOOD, **changes}, allow_unicode=True)
    (tmp_path / "x.yaml").write_text(data, encoding="utf-8", newline="")
    before = set(tmp_path.iterdir())
    try:
        assert isinstance(load_study(tmp_path / "x.yaml"), Study)
    except UserError as error:
        assert all(line.startswith(str(tmp_path)) for line in str(error).splitlines())
    assert set(tmp_path.iterdir()) == before


@pytest.mark.slow
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(
        ["task", "arms.tpe", "arms.tpe.pruner.asha", "space", "budget", "evaluator.network"]
    ),
    value=_values,
    key=_WORDS | st.text("abc", min_size=1, max_size=3),
)
def test_any_override_gives_a_study_or_a_user_error(tmp_path: Path, path: str, value: Any, key: str) -> None:
    text = yaml.safe_dump(value, default_flow_style=True)
    try:
        assert isinstance(load(tmp_path, GOOD, f"{path}.{key}={text}"), Study)
    except UserError as error:
        assert str(error)


# every character at which str.splitlines, a terminal or a log starts another line, and a lone surrogate
_BREAKS = [
    "\r",
    "\n",
    "\x0b",
    "\x0c",
    "\x1b[2J",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
    "\ud800",
]


@pytest.mark.parametrize("character", _BREAKS, ids=ascii)
@pytest.mark.parametrize("place", ["evaluator", "executor", "arms", "space", "name", "task", "budget"])
def test_no_character_breaks_the_lines_of_an_error(tmp_path: Path, place: str, character: str) -> None:
    """As a key, as the name of a plug-in, or as a value."""
    for value in ({f"a{character}b": False}, f"a{character}b", {f"a{character}b": {f"c{character}d": 1}}):
        data = json.dumps({**GOOD, place: value})  # JSON is YAML, and can write every character
        (tmp_path / "x.yaml").write_text(data, encoding="utf-8")
        with pytest.raises(UserError) as caught:
            load_study(tmp_path / "x.yaml")
        lines = str(caught.value).splitlines()
        assert lines and all(line.startswith(str(tmp_path)) and line.isprintable() for line in lines)
