"""`automl check-plugin`: the checks of a contract on one file, ours or a user's."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from automl.checking import Check, run_checks
from automl.checking.kinds import file_checks
from automl.cli.commands import app
from automl.contracts import UserError

SPACE = '"""Two numbers in a box, to be searched."""\n\nfrom automl.space import Float, Space\n\n'


def written(folder: Path, text: str, name: str = "box.py") -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / name
    path.write_text(text)
    return path


def test_each_check_is_run_and_its_end_reported() -> None:
    def fail() -> None:
        raise AssertionError("must be 1, but is 2; write 1")

    def break_down() -> None:
        raise ValueError("broken")

    reports = run_checks([Check("holds", lambda: None), Check("fails", fail), Check("breaks", break_down)])
    assert [report.problem for report in reports] == [
        "",
        "must be 1, but is 2; write 1",
        "ValueError: broken",
    ]
    assert "break_down" in reports[2].trace


@pytest.mark.parametrize("folder", ["spaces", "anywhere"])
def test_a_file_is_checked_by_its_folder_or_by_what_it_defines(folder: str, tmp_path: Path) -> None:
    path = written(tmp_path / folder, SPACE + 'PLUGIN = Space({"x": Float(0, 1), "y": Float(0, 1)})\n')
    before = os.environ.get("AUTOML_PLUGINS")
    with file_checks(path) as (kind, checks):
        assert kind == "spaces"
        assert not [report for report in run_checks(checks) if report.problem]
    assert os.environ.get("AUTOML_PLUGINS", "") == (before or "")


def test_what_does_not_hold_is_said_with_the_rule(tmp_path: Path) -> None:
    path = written(tmp_path / "spaces", '"""Short."""\n\nPLUGIN = {"x": (0, 1)}\n')
    result = CliRunner().invoke(app, ["check-plugin", str(path)])
    assert result.exit_code == 1
    assert "FAILS  the first line of its docstring says what it is" in result.output
    assert "must be an automl.space.Space, but is {'x': (0, 1)}" in result.output
    assert "1 of 3 checks of spaces hold" in result.output


def test_json_has_every_check(tmp_path: Path) -> None:
    path = written(tmp_path / "spaces", SPACE + 'PLUGIN = Space({"x": Float(0, 1)})\n')
    result = CliRunner().invoke(app, ["check-plugin", str(path), "--json"])
    data = json.loads(result.stdout)
    assert (result.exit_code, data["kind"]) == (0, "spaces")
    assert all(set(check) == {"name", "problem", "trace"} for check in data["checks"])


def test_a_file_that_cannot_be_checked_is_refused(tmp_path: Path) -> None:
    plain = written(tmp_path, '"""A number, which is no plug-in."""\n\nPLUGIN = 3\n', "number.py")
    for path, kind, text in [
        (tmp_path / "nothing.py", None, "there is none at"),
        (plain, "spices", "did you mean 'spaces'"),
        (plain, None, "add --kind with one of"),
        (
            written(tmp_path, "import nothing_of_that_name\nPLUGIN = 1\n", "wrong.py"),
            None,
            "must be importable",
        ),
    ]:
        with pytest.raises(UserError, match=text), file_checks(path, kind):
            pass
