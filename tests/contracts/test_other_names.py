"""A plug-in is what it says of itself: each shipped one behaves the same under another name."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toy_benchmark
import yaml

from automl import plugins
from automl.campaign import Wanted, run_campaign
from automl.config import load_study, resolve
from automl.contracts import UserError
from automl.data import load_task
from automl.export import export_config
from automl.export.torch_folder import export_torch
from automl.forecast import forecast
from automl.ledger import Store
from automl.progress import QuietProgress
from automl.report import collect
from automl.spaces import find_space
from automl.storage import open_ledger

PREFIX = "copied_"
VOLATILE = re.compile(
    r"seconds|anytime|cost|time|started|finished|campaign|study|trial$|host|provenance|checksum|signature|source"
    r"|import_path|path|file|sentence|created_at|watching"
)

CELLS = """
task: {{dataset: digits, metric: accuracy, split: {{validation: 0.4, test: 0.4}}}}
space: {p}nasbench201
evaluator: {{{p}network: {{epochs: 2, channels: 2, proxies: [{p}synflow]}}}}
budget: {{trials: 2}}
seeds: 1
final: {{seeds: 1}}
executor: {p}local
arms:
  tpe: {{strategy: {p}tpe, pruner: {{{p}asha: {{reduction: 2}}}}}}
  darts: {{evaluator: {{{p}supernet: {{method: {p}darts, epochs: 1, eigenvalue_every: 1}}}}}}
  screened: {{strategy: {{{p}proxy_screen: {{proxy: {p}naswot, draw: 1, keep: 1}}}}}}
  resnet: {{reference: {p}resnet}}
"""
TABLES = """
task: {{dataset: iris, metric: accuracy}}
space: {p}tabular
evaluator: {{{p}pipeline: {{folds: 2}}}}
budget: {{trials: 2}}
seeds: 1
executor: {p}local
arms: {{evolution: {{strategy: {p}regularized_evolution}}}}
"""
FEW_SHOT = """
task: {{dataset: glyphs, metric: accuracy, episodes: {{ways: 3, shots: 1, queries: 2, count: 4}}}}
space: {p}protonet
evaluator: {{{p}metalearn: {{iterations: 2, report_every: 1, width: 8, validation_episodes: 2}}}}
budget: {{trials: 1}}
seeds: 1
final: {{seeds: 1}}
executor: {p}local
arms: {{mine: {{strategy: {p}random}}}}
"""
FUNCTION = """
task: {{metric: loss, direction: minimize}}
space: "my_code:SPACE"
evaluator: {{{p}function: {{call: "my_code:objective"}}}}
budget: {{trials: 5}}
seeds: 2
final: {{seeds: 2}}
executor: {p}local
arms:
{arms}
"""
LOOKUP = """
task: {{metric: accuracy}}
evaluator: {{{p}lookup: {{file: toy.npz, value: value_1, cost: cost_1, fresh: fresh, test: test}}}}
budget: {{device_seconds: 60}}
seeds: 2
executor: {p}local
arms: {{tpe: {{strategy: {p}tpe}}}}
"""
CODE = """
from automl.space import Choice, Float, Space

SPACE = Space({"x": Float(0.1, 1.0, log=True), "y": Float(-1, 1, step=0.25), "z": Choice(["a", "b"])})


def objective(config, context):
    value = config["x"] + config["y"] ** 2 + (config["z"] == "a") + context.seed % 7 / 100
    for step in range(1, 4):
        context.report(step, value + 1 / step)
    return value
"""
STRATEGIES = [name for name in plugins.names("strategies") if name not in {"proxy_screen", "gp"}]
PRUNERS = plugins.names("pruners")
ARMS = "\n".join(
    [
        *(
            f"  {name.replace('_', '-')}: {{{{strategy: {{p}}{name}}}}}"
            for name in STRATEGIES
            if name != "random"
        ),
        *(f"  pruned-{name}: {{{{strategy: {{p}}random, pruner: {{p}}{name}}}}}" for name in PRUNERS),
    ]
)
STUDIES = {
    "cells": CELLS,
    "tables": TABLES,
    "few-shot": FEW_SHOT,
    "function": FUNCTION.replace("{arms}", ARMS),
    "lookup": LOOKUP,
}
WRONG = {
    "a search as the study's evaluator": (
        "task: {{dataset: digits, metric: accuracy}}\nspace: {p}nasbench201\nevaluator: {p}supernet\n"
        "budget: {{trials: 1}}\narms: {{tpe: {{strategy: {p}tpe}}}}"
    ),
    "few-shot tasks for networks": (
        "task: {{dataset: glyphs, metric: accuracy, episodes: {{ways: 3}}}}\nspace: {p}nasbench201\n"
        "evaluator: {p}network\nbudget: {{trials: 1}}\narms: {{tpe: {{strategy: {p}tpe}}}}"
    ),
    "a space that builds nothing": (
        "task: {{dataset: digits, metric: accuracy}}\nspace: {p}tabular\nevaluator: {p}network\n"
        "budget: {{trials: 1}}\narms: {{s: {{strategy: {p}proxy_screen}}}}"
    ),
    "an alarm without skip connections": (
        "task: {{dataset: digits, metric: accuracy}}\nspace: {p}mlp\nevaluator: {p}network\n"
        "budget: {{trials: 1}}\narms: {{d: {{evaluator: {{{p}supernet: {{alarms: {{skips: 3}}}}}}}}}}"
    ),
    "two metrics": (
        "task: {{dataset: digits, metrics: [accuracy, parameters]}}\nspace: {p}nasbench201\n"
        "evaluator: {p}network\nbudget: {{trials: 1}}\narms: {{c: {{strategy: {p}cmaes, pruner: {p}asha}}}}"
    ),
    "retraining without data": (
        "task: {{metric: loss, direction: minimize}}\nspace: {p}nasbench201\nevaluator: {p}network\n"
        "budget: {{trials: 1}}\nfinal: {{seeds: 2}}\narms: {{c: {{strategy: {p}tpe}}}}"
    ),
    "a table without fresh values": (
        "task: {{metric: accuracy}}\n"
        "evaluator: {{{p}lookup: {{file: toy.npz, value: value_1, cost: cost_1}}}}\n"
        "budget: {{device_seconds: 9}}\nfinal: {{seeds: 2}}\narms: {{c: {{strategy: {p}tpe}}}}"
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory with every shipped plug-in under another name among the user's own."""
    folder = tmp_path_factory.mktemp("names")
    for kind in plugins.PACKAGES:
        (folder / "plugins" / kind).mkdir(parents=True)
        for name, path in plugins.files(kind).items():
            shutil.copy(path, folder / "plugins" / kind / f"{PREFIX}{name}.py")
    (folder / "my_code.py").write_text(CODE)
    toy_benchmark.write(folder / "toy.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(plugins.FOLDERS, str(folder / "plugins"))
        patch.chdir(folder)
        yield folder
    sys.modules.pop("my_code", None)  # other tests have a module of this name


def written(folder: Path, text: str, prefix: str) -> Path:
    path = folder / f"{prefix or 'shipped'}.yaml"
    path.write_text("name: same\n" + text.format(p=prefix))
    return path


@pytest.mark.parametrize("kind", plugins.PACKAGES)
def test_every_plugin_is_found_under_its_other_name(kind: str, folder: Path) -> None:
    assert {f"{PREFIX}{name}" for name in plugins.files(kind) if not name.startswith(PREFIX)} <= set(
        plugins.names(kind)
    )


@pytest.mark.parametrize("name", STUDIES)
def test_check_and_forecast(name: str, folder: Path) -> None:
    shipped, copied = (load_study(written(folder, STUDIES[name], prefix)) for prefix in ("", PREFIX))
    assert unnamed(copied.to_json()) == unnamed(shipped.to_json())
    assert forecast(resolve(copied)) == forecast(resolve(shipped))


@pytest.mark.parametrize("name", WRONG)
def test_mistakes(name: str, folder: Path) -> None:
    texts = []
    for prefix in ("", PREFIX):
        with pytest.raises(UserError) as error:
            load_study(written(folder, WRONG[name], prefix))
        texts.append(str(error.value).replace(f"{prefix or 'shipped'}.yaml", "study.yaml"))
    without_lists = [re.sub(r"(known|write evaluator): [^\n;]*", r"\1", text) for text in texts]
    assert without_lists[1].replace(PREFIX, "") == without_lists[0]


def unnamed(value: Any) -> Any:
    """Plain JSON without the other names."""
    return json.loads(json.dumps(value).replace(PREFIX, ""))


def stable(value: Any) -> Any:
    """Plain JSON without what differs between two runs of the same."""
    if isinstance(value, dict):
        return {key: stable(item) for key, item in value.items() if not VOLATILE.search(key)}
    if isinstance(value, list):
        return [stable(item) for item in value]
    if isinstance(value, str):
        return re.sub(r"[\d.]+(e-?\d+)? s\b", "… s", value)
    return round(value, 9) if isinstance(value, float) else value


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_run_report_and_export(name: str, folder: Path, store: Store, tmp_path: Path) -> None:
    os.chdir(folder)
    reports, exports, modules = [], [], []
    for prefix in ("", PREFIX):
        study = load_study(written(folder, STUDIES[name], prefix))
        wanted = Wanted(fresh=True, same_seeds=True)
        campaign = run_campaign(study, store=store, wanted=wanted, progress=QuietProgress())
        with open_ledger(store) as ledger:
            report = replace(collect(ledger, campaign), last=None)  # the second has one before it
            reports.append(stable(unnamed(report.to_json())))
            export_config(ledger, campaign, tmp_path / f"{prefix}best.yaml", store=store)
            exports.append(stable(unnamed(yaml.safe_load((tmp_path / f"{prefix}best.yaml").read_text()))))
            try:
                export_torch(ledger, campaign, tmp_path / f"{prefix}best")
                text = (tmp_path / f"{prefix}best" / "model.py").read_text()
                modules.append(re.sub(r"# --- from .*", "", text.replace(PREFIX, "")))
            except UserError as error:
                modules.append(str(error).replace(PREFIX, ""))
    assert reports[1] == reports[0]
    assert exports[1] == exports[0]
    assert modules[1] == modules[0]


@pytest.mark.parametrize("name", ["digits", "iris", "glyphs"])
def test_a_dataset_hands_out_the_same_data(name: str, folder: Path) -> None:
    metrics = [{"name": "accuracy", "direction": "maximize"}]
    episodes = {"ways": 3} if name == "glyphs" else None
    tasks = [
        load_task({"dataset": prefix + name, "metrics": metrics, "episodes": episodes})
        for prefix in ("", PREFIX)
    ]
    assert (tasks[0].shape, tasks[0].classes, len(tasks[0].train)) == (
        tasks[1].shape,
        tasks[1].classes,
        len(tasks[1].train),
    )


@pytest.mark.parametrize("name", plugins.names("spaces"))
def test_a_space_is_the_same_space(name: str, folder: Path) -> None:
    shipped, copied = find_space(name), find_space(PREFIX + name)
    assert copied.to_json() == shipped.to_json()
    assert copied.digest(copied.default_config()) == shipped.digest(shipped.default_config())
