from pathlib import Path
from typing import Any

import pytest
from good_study import GOOD, changed, load

from automl.config import Study
from automl.contracts import Direction, Metric, PluginSpec, UserError

pytestmark = pytest.mark.usefixtures("toy_plugins")


def mistakes(folder: Path, data: Any, *overrides: str) -> list[str]:
    with pytest.raises(UserError) as refusal:
        load(folder, data, *overrides)
    return [line.removeprefix(f"{folder}/x.yaml:") for line in str(refusal.value).splitlines()]


def test_shorthands_are_written_out(tmp_path: Path) -> None:
    study = load(tmp_path, GOOD)
    assert study.task.metrics == [Metric("accuracy", Direction.MAXIMIZE)]
    assert study.evaluator == PluginSpec("network", {"epochs": 4})
    assert study.seeds == [0, 1]
    assert list(study.arms) == ["random", "tpe", "darts", "resnet"]
    assert study.arms["random"].strategy == PluginSpec("random")
    assert study.arms["tpe"].pruner == PluginSpec("asha", {"reduction": 4})
    assert study.arms["darts"].pruner == PluginSpec("none")
    assert study.arms["darts"].evaluator == PluginSpec("supernet", {"order": 2})
    assert study.arms["darts"].strategy is None
    assert study.space is not None and study.space.model_dump() == {"name": "cells", "fix": {}, "narrow": {}}
    assert study.source == str(tmp_path)


def test_the_least_study_and_its_defaults(tmp_path: Path) -> None:
    least = {
        "name": "least",
        "task": {"metric": "loss", "direction": "minimize"},
        "space": "flat",
        "evaluator": {"function": {"call": "code:objective"}},
        "budget": {"trials": 5},
    }
    study = load(tmp_path, least)
    assert study.task.metrics == [Metric("loss", Direction.MINIMIZE)]
    assert (study.seeds, study.final.seeds, study.executor.name) == ([0, 1, 2], 0, "local")
    assert list(study.arms) == ["random"]
    assert study.schedule is None


def test_null_counts_as_not_written(tmp_path: Path) -> None:
    data = changed(schedule=None, budget__trials=None, space={"name": "cells", "fix": None}, seeds=None)
    assert load(tmp_path, data).seeds == [0, 1, 2]


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ({"metrics": ["accuracy", "parameters"]}, [("accuracy", "maximize"), ("parameters", "minimize")]),
        ({"metrics": {"loss": "minimize", "size": "maximize"}}, [("loss", "minimize"), ("size", "maximize")]),
        ({"metrics": {"accuracy": None}}, [("accuracy", "maximize")]),
        ({"metric": "rmse", "direction": "minimize"}, [("rmse", "minimize")]),
    ],
)
def test_metrics(tmp_path: Path, task: Any, expected: Any) -> None:
    data = changed(task=task, evaluator={"function": {"call": "a:b"}}, final__seeds=0, space="flat")
    data["arms"] = {"tpe": {"strategy": "tpe"}}
    assert [(m.name, m.direction.value) for m in load(tmp_path, data).task.metrics] == expected


def test_only_references_need_neither_random_nor_space(tmp_path: Path) -> None:
    study = load(tmp_path, changed(arms={"resnet": {"reference": "resnet"}}, space=...))
    assert list(study.arms) == ["resnet"]


def test_all_mistakes_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """name: ../x
task:
  dataset: digitz
  metric: acuracy
  split: {validation: 0.6, test: 0.5}
  wrong: 1
space: {name: cells, fix: {edge_0: conv}, narrow: {width: [1, 9]}}
evaluator: {network: {epochs: 0, augment: yes, epoch: 3}}
budget: {device_seconds: -1, trials: 1.5}
seeds: [0, 0, -1]
arms:
  tpe: {strategy: tpee, pruner: {asha: {reduction: two}}}
  Big_Arm: {}
executor: {ray: {gpu: 1}}
finals: {seeds: 1}
schedule: {cron: "0 2 31 2 * *", timezone: Europe/Pariss}
"""
    found = [line.split(": ", 2) for line in mistakes(tmp_path, text)]
    assert [(line, key) for line, key, *_ in found] == [
        ("1", "name"),
        ("3", "task.dataset"),
        ("4", "task.metric"),
        ("5", "task.split"),
        ("6", "task.wrong"),
        ("7", "space.fix"),
        ("8", "evaluator.network.epochs"),
        ("8", "evaluator.network.augment"),
        ("8", "evaluator.network.epoch"),
        ("9", "budget.device_seconds"),
        ("9", "budget.trials"),
        ("10", "seeds[2]"),
        ("12", "arms.tpe.strategy"),
        ("12", "arms.tpe.pruner.asha.reduction"),
        ("13", "arms.Big_Arm"),
        ("14", "executor.ray.gpu"),
        ("15", "finals"),
        ("16", "schedule.cron"),
        ("16", "schedule.timezone"),
    ]


RULES: list[tuple[dict[str, Any], str]] = [
    ({"budget": {}}, "budget: at least one limit must be given, but got none; write device_seconds: 120"),
    ({"budget": ...}, "budget: must be given, but is missing"),
    ({"seeds": 0}, "seeds: must be 1 to 1000 seeds, but got 0"),
    ({"seeds": {"until": "midnight"}}, "seeds: until must be decided, but got 'midnight'"),
    ({"seeds": {"at_least": 3}}, "seeds: until must be decided, but got None; write {until: decided"),
    (
        {"seeds": {"until": "decided", "at_most": 300}},
        "seeds.at_most: must be 2 to 200 seeds, but got 300; write how many, such as 2",
    ),
    (
        {"seeds": {"until": "decided", "at_least": 9, "at_most": 8}},
        "seeds.at_least: must be 2 to 8 seeds, but got 9",
    ),
    ({"seeds": {"until": "decided", "least": 3}}, "seeds.least: must be a key of seeds, but got 'least'"),
    ({"seeds": {"exactly": 0}}, "seeds.exactly: must be 1 to 1000 seeds, but got 0"),
    ({"seeds": {"exactly": 3, "at_most": 5}}, "seeds.at_most: must be a key of seeds, but got 'at_most'"),
    ({"equivalent": 0}, "equivalent: must be greater than 0, but got 0"),
    ({"looks": {"first": 3}}, "looks: must be a known key, but got 'looks'"),
    ({"seeds": []}, "seeds: must have at least 1 item"),
    ({"seeds": [1, 1]}, "seeds: seeds must differ, but got [1] more than once"),
    ({"seeds": True}, "seeds: must be a list, but got True; write integers, or how many"),
    ({"seeds": "3"}, "seeds: must be a list, but got '3'"),
    ({"name": "a/b"}, "name: must be 1 to 63 lower-case letters, digits and hyphens"),
    ({"name": "x" * 64}, "name: must be 1 to 63"),
    ({"name": 7}, "name: must be text, but got 7; write one such as nas-digits"),
    ({"name": ...}, "1: name: must be given"),
    ({"source": "/etc"}, "source: must be a known key, but got 'source'; known: name, task"),
    ({"task__split": {"validation": 0.5, "test": 0.5}}, "task.split: validation + test < 1 must hold"),
    (
        {"task__test": "wine", "task__split": {}},
        "task.test: must be the file of a table, but got 'wine'; write one such as",
    ),
    (
        {"task__test": "absent.csv", "task__split": {}},
        "task.test: the file must exist, but 'absent.csv' is not in",
    ),
    ({"task__split": {"validation": 0.0}}, "task.split.validation: must be greater than 0, but got 0"),
    ({"task__metric": ...}, "task: metric must be given"),
    ({"task__metric": "loss"}, "task.metric: the direction of 'loss' must be known, but is not"),
    ({"task__metric": 3}, "task.metric: must be the name of a metric, but got 3"),
    (
        {"task__direction": "minimize"},
        "task.metric: direction of accuracy must be maximize, but got 'minimize'",
    ),
    ({"task__metrics": ["f1"]}, "task.metrics: either metric (and direction) or metrics must be given"),
    (
        {"task": {"dataset": "digits", "metrics": {"speed": "maximize"}}},
        "task.metrics.speed: must be a metric that network measures, but got 'speed'; known: accuracy",
    ),
    (
        {"task": {"dataset": "digits", "metrics": ["f1", "f1"]}, "arms": {}},
        "task.metrics: metrics must differ",
    ),
    (
        {"task": {"dataset": "digits", "metrics": {"f": "up"}}},
        "task.metrics.f: must be 'maximize' or 'minimize'",
    ),
    (
        {"task": {"dataset": "digits", "metrics": ["f1", "parameters"]}},
        "arms.tpe.pruner: pruning needs a single metric, but got 2",
    ),
    (
        {"task__dataset": "data/table.csv"},
        "task.dataset: the file must exist, but 'data/table.csv' is not in",
    ),
    ({"task__dataset": "no_module_of_mine:make"}, "task.dataset: no_module_of_mine:make must be importable"),
    ({"task__dataset": ...}, "task: the evaluator network needs a dataset"),
    (
        {"space": "cell"},
        "space: search space must be one of those there are, but got 'cell'; did you mean 'cells'?",
    ),
    ({"space": 3}, "space: must be a name or {name, fix, narrow}, but got 3"),
    ({"space": ...}, "1: space: must be given"),
    ({"space": {"name": "cells", "narrow": {"width": [9, 8]}}}, "space.narrow: "),
    (
        {"space": {"name": "cells", "fixed": {}}},
        "space.fixed: must be a known key, but got 'fixed'; did you mean 'fix'",
    ),
    ({"evaluator": ...}, "evaluator: must be given"),
    ({"evaluator": 5}, "evaluator: must be a name or {name: {option: value}}, but got 5"),
    ({"evaluator": {"network": {}, "pipeline": {}}}, "evaluator: must be a name or {name: {option: value}}"),
    ({"evaluator": {"network": 3}}, "evaluator.network: the options of network must be a mapping, but got 3"),
    (
        {"evaluator": {"network": {"epochs": "8"}}},
        "evaluator.network.epochs: must be an integer, but got '8'",
    ),
    (
        {"evaluator": {"network": {"augment": "on"}}},
        "evaluator.network.augment: must be true or false, but got 'on'",
    ),
    ({"evaluator": "supernet"}, "evaluator: supernet belongs to an arm"),
    ({"evaluator": "networks"}, "evaluator: evaluator must be one of those there are, but got 'networks'"),
    ({"space": "flat"}, "arms.tpe: the evaluator network needs a space that builds a network"),
    ({"space": "unsearchable"}, "arms.tpe.strategy: this strategy must be able to search the space"),
    ({"space": "flat"}, "arms.darts: the evaluator supernet needs a space that builds a supernet"),
    ({"arms__darts__strategy": "tpe"}, "arms.darts: its evaluator searches by itself"),
    ({"arms__resnet__strategy": "tpe"}, "arms.resnet: a reference must stand alone, but got strategy too"),
    ({"arms__resnet__reference": "resnett"}, "arms.resnet.reference: search space must be one of"),
    (
        {"arms": {"empty": None}},
        "arms.empty: an arm must have a strategy, a one-shot evaluator, or a reference",
    ),
    ({"arms": {"a": {"strategy": ["tpe"]}}}, "arms.a.strategy: must be a name or"),
    ({"arms": ["tpe"]}, "arms: must be a mapping, but got ['tpe']"),
    ({"arms": {"a": "tpe"}}, "arms.a: must be a mapping, but got 'tpe'"),
    ({"arms": {"random": {"strategy": "tpe"}}}, "arms.random: the arm random is the baseline"),
    (
        {"arms": {"random": {"strategy": "random", "pruner": "asha"}}},
        "arms.random: the arm random is the baseline",
    ),
    ({"final": 3}, "final: must be a mapping, but got 3"),
    ({"final": {"seeds": -1}}, "final.seeds: must be greater than or equal to 0, but got -1"),
    ({"schedule__cron": "61 2 * * *"}, "schedule.cron: must be five fields"),
    ({"schedule__cron": "0 0 31 2 *"}, "schedule.cron: must be five fields"),
    ({"schedule__timezone": "../etc"}, "schedule.timezone: must be a time zone"),
    ({"record": "runs"}, "record: must be 'trials' or 'searches', but got 'runs'; write trials or searches"),
]


@pytest.mark.parametrize(("changes", "message"), RULES, ids=[message[:40] for _, message in RULES])
def test_rules(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    found = mistakes(tmp_path, changed(**changes))
    assert any(message in line for line in found), found
    assert all("\n" not in line and line.count(": ") >= 2 for line in found)


@pytest.mark.slow
def test_one_mistake_gives_one_line(tmp_path: Path) -> None:
    for changes, message in RULES:
        if changes not in ({"space": "flat"}, {"space": "unsearchable"}) and "task__dataset" not in changes:
            found = mistakes(tmp_path, changed(**changes))
            assert len(found) == 1, (message, found)


@pytest.mark.parametrize("text", ["", "just text", "- a\n- b\n", "3"])
def test_a_study_is_a_mapping(tmp_path: Path, text: str) -> None:
    assert "must be a mapping of keys" in mistakes(tmp_path, text)[0]


def test_files_are_found_beside_the_study_and_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(there)
    data = changed(task__dataset="table.csv")
    (there / "table.csv").write_text("a\n1\n")
    assert load(here, data).task.dataset == str(there / "table.csv")
    elsewhere = load(here, data)
    (here / "table.csv").write_text("a\n1\n")
    assert load(here, data).task.dataset == str(here / "table.csv")
    assert load(here, data).digest() == elsewhere.digest()


def test_code_beside_the_study_is_importable(tmp_path: Path) -> None:
    code = "from automl.space import Float, Space\nPLUGIN = Space({'x': Float(0, 1)})\n"
    (tmp_path / "space_beside_the_study.py").write_text(code)
    function = {"function": {"call": "code:objective"}}
    name = "space_beside_the_study:PLUGIN"
    study = load(
        tmp_path, changed(evaluator=function, space=name, arms={}, task__dataset=..., final__seeds=0)
    )
    assert study.space is not None and study.space.name == name


def test_overrides(tmp_path: Path) -> None:
    study = load(tmp_path, GOOD, "budget.device_seconds=30", "seeds=[5]", "executor=local", "schedule=null")
    assert study.budget.device_seconds == 30
    assert (study.seeds, study.executor, study.schedule) == ([5], PluginSpec("local"), None)


def test_mistakes_of_overrides_name_them(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refusal:
        load(tmp_path, GOOD, "budget.trials=0", "bugdet.trials=1", "evaluator.network.epochs=-1")
    lines = str(refusal.value).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["--set budget.trials", "budget.trials"],
        ["--set bugdet.trials", "bugdet"],
        ["--set evaluator.network.epochs", "evaluator.network.epochs"],
    ]


def test_the_digest_covers_what_changes_results(tmp_path: Path) -> None:
    base = load(tmp_path, GOOD).digest()
    same = (
        changed(schedule=...),
        changed(record="searches"),
        changed(executor={"ray": {"trials_at_once": 2, "address": "auto"}}),
        changed(seeds=[0, 1]),
    )
    for data in same:
        assert load(tmp_path, data).digest() == base
    different = (
        changed(seeds=3),
        changed(budget={"device_seconds": 121}),
        changed(final={"seeds": 3}),
        changed(task__metric="f1"),
        changed(arms__tpe__pruner={"asha": {"reduction": 3}}),
        changed(executor="local"),
        changed(space={"name": "cells", "fix": {"edge_0": "skip"}}),
    )
    assert len({load(tmp_path, data).digest() for data in different} | {base}) == len(different) + 1


@pytest.mark.parametrize(
    ("seeds", "first", "last", "until"),
    [
        (4, 4, None, False),
        ([7, 5], 2, None, False),
        (None, 3, None, False),
        ({"exactly": 4}, 4, 4, False),
        ({"until": "decided"}, 3, 20, True),
        ({"until": "decided", "at_least": 5, "at_most": 9}, 5, 9, True),
        ({"until": "decided", "at_most": 2}, 2, 2, True),
    ],
)
def test_seeds_say_when_verdicts_are_taken(
    tmp_path: Path, seeds: object, first: int, last: int | None, until: bool
) -> None:
    study = load(tmp_path, changed(seeds=seeds))
    assert study.looks is not None and len(study.seeds) == first
    assert (study.looks.first, study.looks.last, study.looks.until_decided) == (first, last, until)
    assert study.most_seeds == (last if until else first)
    assert Study.from_json(study.to_json()) == study


def test_the_plan_of_verdicts_is_no_part_of_a_campaigns_identity(tmp_path: Path) -> None:
    few, until = load(tmp_path, changed(seeds=3)), load(tmp_path, changed(seeds={"until": "decided"}))
    assert few.digest() == until.digest() and few.identity() == until.identity()
    margin = load(tmp_path, changed(seeds=3, equivalent=0.01))
    assert margin.identity() != few.identity()
