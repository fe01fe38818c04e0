"""What a study's names stand for: the user's code with all it imports, spaces, and their differences."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.config import load_study, resolve
from automl.identity import changes, identify, user_code
from automl.provenance import DataIdentity

STUDY = """
name: mine
task: {metric: loss, direction: minimize}
space: "identity_space:SPACE"
evaluator: {function: {call: "identity_code:objective"}}
budget: {trials: 3}
"""
FILES = {
    "identity_space.py": "from automl.space import Float, Space\nSPACE = Space({'x': Float(0.0, 1.0)})\n",
    "identity_code.py": "import identity_package.deep\nimport json, numpy\n\n\n"
    "def objective(config):\n    import late\n    return 1\n",
    "identity_package/__init__.py": "from . import side\nfrom .other import thing\n",
    "identity_package/deep.py": "from ..outside import nothing\n",
    "identity_package/side.py": "",
    "identity_package/other.py": "thing = 1\n",
    "late.py": "",
    "unused.py": "",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path


def code(folder: Path) -> dict[str, str]:
    return user_code({"call": "identity_code:objective", "space": "identity_space:SPACE"}, [folder])


def test_code_is_what_the_study_names_and_all_it_imports(folder: Path) -> None:
    assert set(code(folder)) == set(FILES) - {"unused.py"}


@pytest.mark.parametrize("name", ["identity_code.py", "identity_package/other.py", "late.py"])
def test_a_changed_file_changes_its_digest_alone(folder: Path, name: str) -> None:
    before = code(folder)
    with (folder / name).open("a") as file:
        file.write("# another line\n")
    after = code(folder)
    assert [key for key in before if before[key] != after[key]] == [name]


def test_broken_and_absent_code_is_passed_over(folder: Path) -> None:
    (folder / "late.py").write_text("def f(:")
    assert "late.py" in code(folder)
    assert user_code({"call": "absent_module:f", "text": "no reference: here"}, [folder]) == {}


def test_plug_ins_of_the_user_count_and_shipped_ones_go_with_the_version(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "plug" / "strategies").mkdir(parents=True)
    (folder / "plug" / "strategies" / "near.py").write_text('"""Near."""\nPLUGIN = 1\n')
    monkeypatch.setenv("AUTOML_PLUGINS", str(folder / "plug"))
    assert set(user_code({"arms": {"a": {"strategy": {"name": "near"}}, "b": "tpe"}}, [])) == {
        "strategies/near.py"
    }


def test_an_identity_holds_spaces_data_and_version(folder: Path) -> None:
    resolved = resolve(load_study(folder / "study.yaml"))
    found = identify(resolved, DataIdentity("table.csv", "a" * 64))
    assert found.spaces["identity_space:SPACE"]["parameters"]["x"]["high"] == 1.0
    assert found.data["digest"] == "a" * 64 and found.version
    other = {**found.to_json(), "version": "9.9", "data": {"name": "table.csv", "digest": "b" * 64}}
    told = [str(change) for change in changes(found.to_json(), other)]
    assert told == [
        f"data.digest: from {'a' * 12} to {'b' * 12}",
        f"version: from {found.version} to 9.9",
    ]


def test_differences_are_told_item_by_item() -> None:
    before = {"a": {"low": 0.0, "high": 1.0}, "gone": [1], "same": "x"}
    after = {"a": {"low": -5.0, "high": 1.0}, "same": "x", "new": "y" * 100}
    told = [str(change) for change in changes(before, after)]
    assert told == [
        "a.low: from 0.0 to -5.0",
        "gone: from [1] to nothing",
        f"new: from nothing to {'y' * 60}…",
    ]
    assert changes(before, before) == []
