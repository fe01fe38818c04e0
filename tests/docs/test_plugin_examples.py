"""What the README says is so: its blocks run, its commands and options exist, its tables are current."""

from __future__ import annotations

import random
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import torch
import typer
from readme_tables import current

from automl import plugins
from automl.checking import run_checks
from automl.checking.episodes import images
from automl.checking.kinds import file_checks
from automl.config import load_study
from automl.contracts import Metric, PluginSpec, TrialState
from automl.data import load_task
from automl.learners.backbones import Backbone
from automl.metrics import DIRECTIONS
from automl.spaces import load_space
from automl.strategies.searcher import Searcher
from automl.training.recipe import NetworkOptions

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
STUDIES = [block for language, block in BLOCKS if language == "yaml"]
FILES = {
    block.partition("\n")[0].removeprefix("# "): block for language, block in BLOCKS if language == "python"
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The README's Python blocks as the files they say they are."""
    for name, block in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.partition("\n")[2].lstrip("\n"))
    monkeypatch.setenv("AUTOML_PLUGINS", str(tmp_path / "my_plugins"))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_there_are_blocks_to_test() -> None:
    assert len(STUDIES) == 3
    assert {"my_space.py", "my_code.py", "my_plugins/strategies/nearby.py"} <= set(FILES)


@pytest.mark.parametrize("block", STUDIES)
def test_studies_are_valid(block: str, files: Path) -> None:
    (files / "study.yaml").write_text(block)
    study = load_study(files / "study.yaml")
    assert "random" in study.arms


def test_recipes_name_options_of_the_evaluator() -> None:
    table = TEXT.partition("| option of `network` |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\|([^|]*)\|", table, re.MULTILINE))))
    assert len(named) > 10
    assert named <= set(NetworkOptions.model_fields)


def test_the_objective_runs(files: Path) -> None:
    reported: list[tuple[int, float]] = []

    class Context:
        def report(self, step: int, value: float) -> None:
            reported.append((step, value))

    space, objective = (plugins.load_attribute(name) for name in ("my_space:PLUGIN", "my_code:objective"))
    value = objective(space.sample(random.Random(0)), Context())
    assert [step for step, _ in reported] == [1, 2, 3, 4, 5]
    assert reported[-1][1] == value


def test_the_space_builds_networks(files: Path) -> None:
    space = plugins.load("spaces", "perceptron")
    network = space.network(space.default_config(), (1, 8, 8), 10, channels=4, cells=1)
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_the_strategy_searches_and_its_options_are_checked(files: Path) -> None:
    space = plugins.load("spaces", "perceptron")
    metric = Metric("accuracy", DIRECTIONS["accuracy"])
    configs = []
    for _ in range(2):
        searcher = Searcher.build(
            space, PluginSpec("nearby", {"change": 0.2}), PluginSpec("none"), [metric], 3
        )
        for number in range(20):
            configs.append(config := searcher.ask(number))
            assert config is not None
            searcher.tell(number, TrialState.COMPLETE, [float(config["width"])])  # type: ignore[arg-type]
    assert configs[:20] == configs[20:]
    assert configs[19] is not None
    assert configs[0] is not None
    assert configs[19]["width"] > configs[0]["width"]  # type: ignore[operator]


def test_the_weight_sharing_method_moves_alpha_alone(files: Path) -> None:
    torch.manual_seed(0)
    method = plugins.load("supernets", "sharp")
    space = plugins.load("spaces", "nasbench201")
    supernet = space.supernet((1, 8, 8), 10, channels=4, cells=1)
    search = method(method.Options(sharpness=1.0), supernet, space=space, seed=0)
    batch = (torch.randn(8, 1, 8, 8), torch.arange(8))
    alpha = search.alpha.detach().clone()
    weights = {name: weight.detach().clone() for name, weight in search.weights.items()}
    loss, logits = search.alpha_step(batch, batch)
    assert torch.isfinite(loss)
    assert logits.shape == (8, 10)
    assert not torch.equal(search.alpha, alpha)
    assert all(torch.equal(weights[name], weight) for name, weight in search.weights.items())
    space.check(search.derive())


def test_the_learner_learns_and_is_an_arm(files: Path) -> None:
    learner = plugins.load("learners", "neighbours")
    made = learner(learner.Options(outer_rate=0.01), Backbone("conv4", (1, 8, 8), 4), ways=3, seed=0)
    losses = [made.meta_step(images(3)) for _ in range(6)]
    assert losses[-1] < losses[0]
    task = "task: {dataset: glyphs, metric: accuracy, episodes: {ways: 5, shots: 1}}"
    arms = "arms: {mine: {space: neighbours, strategy: tpe}}"
    study = "name: mine\nspace: protonet\nevaluator: metalearn\nbudget: {trials: 2}"
    (files / "study.yaml").write_text("\n".join([study, task, arms]))
    assert {"mine", "nearest-centroid"} <= set(load_study(files / "study.yaml").arms)


@pytest.mark.parametrize("kind", ["learners/neighbours", "datasets/rings"])
def test_plug_ins_keep_the_contract_of_their_kind(files: Path, kind: str) -> None:
    with file_checks(files / f"my_plugins/{kind}.py") as (_, checks):
        assert not [report for report in run_checks(checks) if report.problem]


def test_the_dataset_loads(files: Path) -> None:
    task = load_task({"dataset": "rings", "metrics": [{"name": "accuracy", "direction": "maximize"}]})
    assert (task.kind, task.shape, task.classes) == ("table", (2,), 2)


def test_the_table_can_be_searched(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    exec(compile((files / "my_table.py").read_text(), "my_table.py", "exec"), {})
    (files / "study.yaml").write_text(
        "name: mine\ntask: {metric: accuracy}\nbudget: {device_seconds: 90}\n"
        "evaluator: {lookup: {file: my_table.npz, value: accuracy, cost: seconds}}\n"
    )
    study = load_study(files / "study.yaml")
    assert study.space is not None
    assert load_space(study.space.model_dump()).size() == 6


def commands() -> list[str]:
    """Every `automl …` line of the README: shell blocks, and code in running text and tables."""
    shell = "\n".join(block for language, block in BLOCKS if language == "bash")
    found = [line for line in shell.splitlines() if line.startswith("automl ")]
    return found + re.findall(r"`(automl [a-z][^`]*)`", TEXT)


@pytest.mark.parametrize("line", commands())
def test_commands_and_their_options_exist(line: str) -> None:
    from automl.cli import app

    command: Any = typer.main.get_command(app)
    words = shlex.split(line, comments=True)[1:]
    while words and isinstance(command, click.Group | typer.core.TyperGroup):
        assert words[0] in command.commands, line
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known, line


def test_every_command_is_in_the_readme() -> None:
    from automl.cli import app

    group: Any = typer.main.get_command(app)
    told = " ".join(commands())
    assert not [name for name in group.commands if f"automl {name}" not in told]


def test_files_it_links_to_exist() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]
    assert not [name for name in re.findall(r"`(mlflow/\w+\.sh)", TEXT) if not (ROOT / name).exists()]
    targets = (ROOT / "Makefile").read_text()
    made = re.findall(r"^make (\w+)|`make (\w+)", TEXT, re.MULTILINE)
    assert not [pair for pair in made if f"\n{''.join(pair)}:" not in targets]


def test_tables_of_plugins_are_current() -> None:
    assert current(TEXT) == TEXT, "run: make readme"
