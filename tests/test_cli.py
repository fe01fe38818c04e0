import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from in_process import automl
from patience import PATIENCE
from toy_plugins import write_toy_plugins

from automl.campaign import Addition, Wanted
from automl.cli.commands import app
from automl.contracts import RunError, UserError
from automl.ledger import Store
from automl.storage import open_ledger

STUDY = """name: mine
task: {metric: loss, direction: minimize}
space: flat
evaluator: {function: {call: "code:objective"}}
budget: {trials: 3}
seeds: 2
"""
NAMES = {
    "fit",
    "init",
    "check",
    "run",
    "watch",
    "submit",
    "report",
    "audit",
    "export",
    "verify",
    "predict",
    "explain",
    "train",
    "ui",
    "list",
    "schema",
    "check-plugin",
    "doctor",
    "compare",
    "leaderboard",
    "history",
    "diff",
    "stop",
    "pause",
    "resume",
    "rename",
    "delete",
    "gc",
    "promote",
    "models",
    "rollback",
    "archive",
    "queue",
}
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Call]:
    """Runs the program in a workspace with a study file; gives exit code, standard output and error."""
    write_toy_plugins(workspace.parent / "plugins")
    monkeypatch.setenv("AUTOML_PLUGINS", str(workspace.parent / "plugins"))
    monkeypatch.setenv("AUTOML_DEBUG", "")
    (workspace / "mine.yaml").write_text(STUDY)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = automl(monkeypatch, *arguments)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    yield call


@pytest.fixture
def campaign(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException | None], None]:
    """Replaces what `automl run` runs by something that ends with an error."""

    def replace(error: BaseException | None) -> None:
        def run_campaign(*_: Any, **__: Any) -> str:
            assert error is not None
            raise error

        stub = SimpleNamespace(run_campaign=run_campaign, Addition=Addition, Wanted=Wanted)
        monkeypatch.setitem(sys.modules, "automl.campaign", stub)

    return replace


def test_check_says_what_a_study_costs_and_creates_nothing(cli: Call) -> None:
    before = sorted(Path().rglob("*"))
    code, out, err = cli("check", "mine.yaml", "--set", "seeds=4")
    assert (code, err) == (0, "")
    assert "mine.yaml is valid" in out and "at most 12 trials" in out
    code, out, err = cli("check", "mine.yaml", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["trials"] == 6
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_wrong_study_shows_all_mistakes(cli: Call, command: str) -> None:
    code, out, err = cli(command, "mine.yaml", "--set", "budget.trials=0", "--set", "space=flatt", "--json")
    assert (code, out) == (2, "")
    assert [line.split(": ")[0] for line in err.splitlines()] == ["--set budget.trials", "--set space"]
    assert not Path(".automl").exists()


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError("no node has a GPU"), 2, "no node has a GPU"),
        (RunError("the server is away; all is safe"), 1, "the server is away; all is safe"),
        (
            KeyboardInterrupt(),
            130,
            "interrupted; finished trials are safe; continue with: automl run mine.yaml",
        ),
    ],
)
def test_endings(cli: Call, campaign: Any, error: BaseException, code: int, message: str) -> None:
    campaign(error)
    got, out, err = cli("run", "mine.yaml", "--fresh", "--progress", "quiet")
    assert (got, out) == (code, "")
    assert err.strip() == message.replace("mine.yaml", "mine.yaml --progress quiet")


def test_an_unexpected_error_keeps_its_traceback_in_a_file(cli: Call, campaign: Any) -> None:
    campaign(ZeroDivisionError("one / zero\nsecond line"))
    code, out, err = cli("run", "mine.yaml", "--progress", "quiet")
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    found = re.search(r"unexpected ZeroDivisionError: one / zero; .*traceback: (\S+)", err)
    assert found is not None
    file = Path(found[1])
    assert "in run_campaign" in file.read_text()
    file.unlink()
    code, _, err = cli("--debug", "run", "mine.yaml", "--progress", "quiet")
    assert code == 1 and "Traceback" in err and "in run_campaign" in err


def test_run_prints_the_forecast_before_anything_runs(cli: Call, campaign: Any) -> None:
    campaign(RunError("stop here"))
    _, out, err = cli("run", "mine.yaml")
    assert out == ""
    assert err.splitlines()[0] == "mine: random × seeds [0, 1]"
    assert err.splitlines()[-1] == "stop here"


@pytest.mark.parametrize("arguments", [("report", "mine"), ("audit", "mine"), ("list", "campaigns"), ("ui",)])
def test_reading_creates_no_store(cli: Call, arguments: tuple[str, ...]) -> None:
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert "a store must hold a campaign to be read, but there is none in" in err
    assert not Path(".automl").exists()


@pytest.fixture
def finished(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store with two campaigns of the study `mine`."""
    monkeypatch.setenv("AUTOML_STORE", str(store.folder))
    spec = {
        "name": "mine",
        "task": {"dataset": None, "metrics": [{"name": "loss", "direction": "minimize"}], "split": {}},
        "space": {"name": "flat", "fix": {}, "narrow": {}},
        "evaluator": {"name": "function", "options": {"call": "code:objective"}},
        "budget": {"device_seconds": None, "trials": 3, "wall_seconds": None},
        "seeds": [0],
        "arms": {"random": {"strategy": {"name": "random", "options": {}}}},
        "executor": {"name": "local", "options": {}},
        "final": {"seeds": 0},
        "record": "trials",
    }
    with open_ledger(store) as ledger:
        for _ in range(2):
            ledger.create_campaign("mine", spec, "digest", {})


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize(("name", "id_"), [("mine", "mine-2"), ("mine-1", "mine-1"), ("mine.yaml", "mine-2")])
def test_a_campaign_by_study_id_and_file(cli: Call, name: str, id_: str) -> None:
    code, out, _ = cli("report", name, "--json")
    assert code == 0
    assert json.loads(out)["campaign"] == id_


@pytest.mark.usefixtures("finished")
def test_unknown_names_get_the_nearest_one(cli: Call) -> None:
    code, out, err = cli("report", "mien")
    assert (code, out) == (2, "")
    assert "but got 'mien'; did you mean 'mine'? known: mine, mine-" in err
    code, _, err = cli("report", "missing.yaml")
    assert code == 2 and "missing.yaml: the file must be readable" in err


@pytest.mark.usefixtures("finished")
def test_lists(cli: Call) -> None:
    code, out, _ = cli("list", "campaigns", "--json")
    assert (code, set(json.loads(out))) == (0, {"mine-1", "mine-2"})
    code, out, _ = cli("list", "spaces")
    assert code == 0 and "flat" in out and "nasbench201  " in out
    code, out, _ = cli("list", "studies", "--json")
    assert "quickstart" in json.loads(out)
    code, _, err = cli("list", "space")
    assert code == 2 and "did you mean 'spaces'?" in err


@pytest.mark.usefixtures("finished")
def test_schedules(cli: Call) -> None:
    code, out, err = cli(
        "schedule", "add", "mine.yaml", "--cron", "*/5 * * * *", "--timezone", "Europe/Paris"
    )
    assert (code, err) == (0, "")
    assert "mine: */5 * * * * in Europe/Paris; next: " in out
    assert cli("schedule", "pause", "mine.yaml")[0] == 0
    code, out, _ = cli("schedule", "list", "--json")
    (row,) = json.loads(out)["schedules"]
    assert (row["study"], row["paused"], row["file"]) == ("mine", True, str(Path("mine.yaml").resolve()))
    assert cli("schedule", "resume", "mine")[0] == 0
    assert cli("schedule", "remove", "mine")[0] == 0
    code, _, err = cli("schedule", "remove", "mine")
    assert code == 2 and "mine" in err
    code, _, err = cli("schedule", "add", "mine.yaml", "--cron", "61 * * * *")
    assert code == 2 and "must be five fields" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--nonsense",),
        ("chekc",),
        ("check",),
        ("train", "best.yaml", "--epochs", "0"),
        ("run", "missing.yaml"),
    ],
)
def test_wrong_command_lines(cli: Call, arguments: tuple[str, ...]) -> None:
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert err and "Traceback" not in err


def test_every_command_has_help_with_an_example_or_no_arguments(cli: Call) -> None:
    commands = [info for info in app.registered_commands if info.callback is not None]
    assert {info.name or info.callback.__name__ for info in commands if info.callback} == NAMES
    for info in commands:
        doc = info.callback.__doc__ if info.callback else ""
        assert "Example: automl " in (doc or "")
    code, out, _ = cli("--help")
    assert code == 0
    for name in (*NAMES, "schedule", "notify", "db"):
        assert name in out


def test_version_help_and_check_import_nothing_heavy(workspace: Path) -> None:
    write_toy_plugins(workspace / "plugins")
    (workspace / "mine.yaml").write_text(STUDY)
    environ = {**os.environ, "AUTOML_PLUGINS": str(workspace / "plugins")}
    heavy = "{'torch', 'ray', 'mlflow', 'optuna', 'pandas', 'sqlalchemy', 'plotly'}"
    for arguments in (["--version"], ["--help"], ["check", "mine.yaml"]):
        code = (
            f"import sys; sys.argv = ['automl', *{arguments}]\nfrom automl.cli import main\n"
            f"try: main()\nexcept SystemExit as end: assert not end.code\n"
            f"assert not {heavy} & set(sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=workspace,
            env=environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr


def test_shell_completion_is_there(workspace: Path) -> None:
    environ = {
        **os.environ,
        "_AUTOML_COMPLETE": "complete_bash",
        "COMP_WORDS": "automl rep",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['automl']; from automl.cli import main; main()"],
        env=environ,
        cwd=workspace,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stdout.split() == ["report"]
