"""The generated tables of the documentation: a new plug-in is in them without a change anywhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from doc_pages import ROOT, pages

import automl
from automl import plugins
from automl.config.keys import KEYS

sys.path.insert(0, str(ROOT / "docs" / "tools"))

import hooks
import tables

STRATEGY = '''"""Lazy: proposes what random search proposes, for tests of tables."""

from optuna.samplers import RandomSampler

from automl.contracts import Options, Strategy


class LazyOptions(Options):
    """`naps`: a number without an effect."""

    naps: int = 3


class Lazy(Strategy):
    """Random search."""

    Options = LazyOptions

    def sampler(self, space, metrics, seed, search_seed):
        return RandomSampler(seed)


PLUGIN = Lazy
'''


@pytest.fixture
def lazy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plug-in that no page knows."""
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "lazy.py").write_text(STRATEGY)
    monkeypatch.setenv("AUTOML_PLUGINS", str(tmp_path))


@pytest.mark.usefixtures("lazy")
def test_a_new_plugin_is_in_all_tables() -> None:
    summary = "Lazy: proposes what random search proposes, for tests of tables."
    assert f"| `lazy` | {summary} |" in tables.table("plugins strategies")
    assert f"| `lazy` | {summary} |" in tables.table("plugins")
    assert f"### `lazy`\n\n{summary}\n\n`naps`: a number" in tables.table("options strategies")
    assert "| `naps` | integer | `3` |" in tables.table("options strategies")


def test_every_mark_of_the_pages_stands_for_a_table() -> None:
    marks = [name for page in pages() for name in hooks.MARK.findall(page.text)]
    assert {f"checks {kind}" for kind in plugins.PACKAGES} <= set(marks)
    assert all(tables.table(name) for name in marks)


def test_every_key_is_in_the_reference() -> None:
    text = tables.table("study-file")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == sum(len(keys) for keys in KEYS.values())
    assert "| `validation` | number > 0, < 1 | `0.2` |" in text
    assert "| `space` | name, or mapping, see `space` |" in text


def test_rules_of_a_suite_are_listed_once() -> None:
    rules = tables.table("checks learners").splitlines()
    assert "- training lowers the loss" in rules
    assert len(set(rules)) == len(rules)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1}, "integer ≥ 1"),
        ({"enum": ["a", "b"]}, "`a`, `b`"),
        ({"enum": list("abcdefghij")}, "a known name"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text or nothing"),
        ({"type": "array", "items": {"type": "number"}}, "list of number"),
        ({"$ref": "#/$defs/strategies"}, "name, or `{name: options}`: strategy"),
        ({"$ref": "#/$defs/Budget"}, "mapping, see `budget`"),
        ({}, "any"),
    ],
)
def test_types_are_said_in_words(schema: dict[str, object], words: str) -> None:
    assert tables._type(schema) == words


def test_the_reference_of_python_has_every_name() -> None:
    text = tables.table("python")
    for name in automl.__all__:
        assert f"## `automl.{name}`" in text
    assert "| `ask()` | The next trial;" in text and "`trials`, `seconds` (device-seconds)" in text
