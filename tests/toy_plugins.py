"""Small plug-ins under the names of the real ones, so that study files are checked without torch or Ray."""

from pathlib import Path

_OPTIONS = """
from pydantic import Field
from automl import contracts
from automl.contracts import UserError
class PluginOptions(contracts.{options}):
    {fields}
class Plugin(contracts.{base}):
    Options = PluginOptions
    {traits}
    def sampler(self, space, metrics, seed, search_seed):
        if "no_sampler" in space.parameters:
            raise UserError("this strategy must be able to search the space, but got a space it cannot")
    def pruner(self, metric): ...
    def evaluate(self, config, context): ...
    def check(self): ...
    def run(self, source): ...
    def close(self): ...
PLUGIN = Plugin
"""
_BASES = {"strategies": "Strategy", "pruners": "Pruner", "evaluators": "Evaluator", "executors": "Executor"}
_FIELDS = {
    "strategies": {"random": "pass", "tpe": "startup: int = Field(10, ge=1)"},
    "pruners": {"none": "pass", "asha": "reduction: int = Field(3, ge=2)"},
    "evaluators": {
        "network": "epochs: int = Field(8, ge=1); augment: bool = False",
        "supernet": "method: str = 'darts'; order: int = 1",
        "pipeline": "folds: int = 5",
        "function": "call: str",
    },
    "executors": {
        "local": "cpus: int = 1",
        "ray": "trials_at_once: int | None = None; cpus: float = 1; address: str | None = None",
    },
}
_TRAITS = {
    "network": "needs_data, builder, one_shot = True, 'network', False",
    "supernet": "needs_data, builder, one_shot = True, 'supernet', True",
    "pipeline": "needs_data, builder, one_shot = True, None, False",
    "function": "reruns_without_data = True",
    "ray": "place_options = frozenset({'address'})",
}
_SPACES = {
    "cells": "Space({'edge_0': Choice(['none', 'skip']), 'width': Int(8, 32)}, network=len, supernet=len)",
    "flat": "Space({'x': Float(0, 1), 'y': Float(-1, 1)})",
    "unsearchable": "Space({'no_sampler': Float(0, 1)}, network=len, supernet=len)",
    "resnet": "Space({'depth': Int(8, 8)}, network=len)",
}


def write_toy_plugins(folder: Path) -> None:
    """Write them below `folder`, for AUTOML_PLUGINS."""
    for kind, plugins in _FIELDS.items():
        (folder / kind).mkdir(parents=True)
        for name, fields in plugins.items():
            (folder / kind / f"{name}.py").write_text(
                _OPTIONS.format(
                    fields=fields,
                    traits=_TRAITS.get(name, ""),
                    base=_BASES[kind],
                    options="EvaluatorOptions" if kind == "evaluators" else "Options",
                )
            )
    (folder / "spaces").mkdir()
    for name, text in _SPACES.items():
        source = f"from automl.space import Choice, Float, Int, Space\nPLUGIN = {text}\n"
        (folder / "spaces" / f"{name}.py").write_text(source)
    (folder / "datasets").mkdir()
    (folder / "datasets" / "digits.py").write_text("PLUGIN = len\n")
