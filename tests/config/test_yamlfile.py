import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from automl.config import yamlfile
from automl.config.document import Document
from automl.contracts import UserError


def parse(text: str) -> Document:
    return yamlfile.parse(text, "x.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e3", 1000.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("-2e-4", -2e-4),
        ("12", 12),
        ("-12", -12),
        ("007", "007"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("no", "no"),
        ("On", "On"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("12:30:45", "12:30:45"),
        ("2026-01-01", "2026-01-01"),
        ("'12'", "12"),
        ("'true'", "true"),
        ('"null"', "null"),
        ("none", "none"),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    document = parse(f"a: {text}")
    assert document.data == {"a": value}
    assert type(document.data["a"]) is type(value)
    assert not document.mistakes


def test_lines_of_keys_and_items() -> None:
    document = parse("a:\n  b: 1\n  c:\n  - x\n  - {d: 2}\n'e': [3]\n")
    assert document.data == {"a": {"b": 1, "c": ["x", {"d": 2}]}, "e": [3]}
    assert document.lines[("a", "c", 1, "d")] == 5
    assert document.lines[("a", "b")] == 2
    assert document.place(("e", 0, "unknown")) == (6, "x.yaml:6")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1", "x.yaml:1: must not use anchors or aliases"),
        ("a: *x", "x.yaml:1: must not use anchors or aliases"),
        ("a: 1\nb: !!python/name:os.system", "x.yaml:2: must not use tags"),
        ("a: 1\n---\nb: 2", "x.yaml:2: must be one document"),
        ("a:\n\t- b", "x.yaml:2: indentation must be spaces, but got a tab"),
        ("a: [1, 2", "x.yaml:1: must be valid YAML"),
        ("a: b: c", "x.yaml:1: must be valid YAML"),
        ("a: \0", "must be YAML text"),
        ("? [1, 2]\n: 3", "a key must be plain text"),
        ("[" * 3000, "must have at most 50 levels"),
        ("[" * 3000 + "]" * 3000, "must have at most 50 levels"),
        ("a: [" + "1, " * 30_000 + "]", "must have at most 20000 values"),
    ],
)
def test_refuses_at_once(text: str, message: str) -> None:
    started = time.process_time()
    with pytest.raises(UserError) as refusal:
        parse(text)
    assert message in str(refusal.value)
    assert time.process_time() - started < 3


def test_refuses_an_alias_bomb() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]\n" for n in range(1, 10))
    with pytest.raises(UserError, match="anchors"):
        parse(bomb)


def test_collects_duplicate_keys_and_impossible_numbers() -> None:
    document = parse("a: 1\nb: {c: 1, c: 2}\na: 3\nd: 1e999\ne: .inf\nf: 9223372036854775808\ng: [.nan]\n")
    lines = str(document.error(document.mistakes)).splitlines()
    assert lines[0] == (
        "x.yaml:2: b.c: a key must be written once, but got it in line 2 and in line 2; remove one"
    )
    assert "in line 1 and in line 3" in lines[1]
    assert [line.split(": ")[1] for line in lines[2:]] == ["d", "e", "f", "g"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xef\xbb\xbfa: 1", "byte order mark"),
        ("a: 1".encode("utf-16"), "byte order mark"),
        (b"a: 1\nb: \xff", "x.yaml:2: must be UTF-8 text, but got byte 0xff"),
        (b"a" * 1_000_001, "at most 1 MB"),
    ],
)
def test_refuses_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        yamlfile.read(path)


def test_refuses_a_huge_file_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    started = time.process_time()
    with pytest.raises(UserError, match="1 MB"):
        yamlfile.read(path)
    assert time.process_time() - started < 3


@pytest.mark.parametrize("name", ["missing.yaml", ".", "a\0b", "x" * 600])
def test_refuses_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="the file must be readable"):
        yamlfile.read(tmp_path / name)


def test_overrides_set_keys_and_know_their_place() -> None:
    document = parse("evaluator: network\nbudget: {trials: 3}\nseeds: [0]\n")
    for text in ("evaluator.network.epochs=2", "budget.trials=1e1", "final.seeds=0", "budget={trials: 5}"):
        yamlfile.override(document, text)
    assert document.data["evaluator"] == {"network": {"epochs": 2}}
    assert document.data["budget"] == {"trials": 5}
    assert document.data["final"] == {"seeds": 0}
    assert document.place(("budget", "trials"))[1] == "--set budget"
    assert document.place(("final", "seeds"))[1] == "--set final.seeds"
    assert "--set" not in document.place(("absent",))[1], "no override is to blame for what nobody wrote"
    assert document.place(("evaluator",)) == (1, "x.yaml:1")
    assert not document.mistakes


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("budget", "--set budget: budget: must read key.path=value"),
        ("a..b=1", "must read key.path=value"),
        ("budget.trials=[1", "--set budget.trials: budget.trials: must be valid YAML"),
        ("seeds.0=1", "seeds must be a mapping, but got [0]; set seeds as a whole"),
        ("budget.trials=.inf", "a number must be finite"),
        ("a=\udcff", "must be YAML text"),
    ],
)
def test_wrong_overrides_are_noted(assignment: str, message: str) -> None:
    document = parse("seeds: [0]\nbudget: {trials: 3}\n")
    yamlfile.override(document, assignment)
    assert message in str(document.error(document.mistakes))


_scalars = (
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.text("abé '\"#:-", max_size=8)
)
_trees = st.recursive(
    _scalars | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc: ", max_size=4), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(_trees, st.sampled_from([True, False, None]))
def test_reads_back_what_pyyaml_writes(data: object, flow: bool | None) -> None:
    assert parse(_dump(data, flow)).data == data


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def _dump(data: object, flow: bool | None) -> str:
    return str(yaml.dump(data, Dumper=_NoAliases, default_flow_style=flow, allow_unicode=True))


@given(st.text() | st.text("{}[]:-,&*!|>'\"# \n\tab1?%@`~."))
def test_any_text_is_a_document_or_an_error(text: str) -> None:
    try:
        parse(text)
    except UserError as error:
        assert str(error).startswith("x.yaml")
