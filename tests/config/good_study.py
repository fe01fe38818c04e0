"""A study without a mistake, and changes of it."""

import copy
from pathlib import Path
from typing import Any

import yaml

from automl.config import Study, load_study

GOOD: dict[str, Any] = {
    "name": "nas-digits",
    "task": {"dataset": "digits", "metric": "accuracy", "split": {"validation": 0.2, "test": 0.2, "seed": 0}},
    "space": "cells",
    "evaluator": {"network": {"epochs": 4}},
    "budget": {"device_seconds": 120},
    "seeds": 2,
    "arms": {
        "tpe": {"strategy": "tpe", "pruner": {"asha": {"reduction": 4}}},
        "darts": {"evaluator": {"supernet": {"order": 2}}},
        "resnet": {"reference": "resnet"},
    },
    "executor": {"ray": {"trials_at_once": 2}},
    "final": {"seeds": 2},
    "schedule": {"cron": "0 2 * * *", "timezone": "Europe/Paris"},
}


def changed(**changes: Any) -> dict[str, Any]:
    """GOOD with dotted keys (`__` for a dot) set, or removed where the value is `...`."""
    data = copy.deepcopy(GOOD)
    for key, value in changes.items():
        *parents, last = key.split("__")
        owner = data
        for parent in parents:
            owner = owner[parent]
        if value is ...:
            del owner[last]
        else:
            owner[last] = value
    return data


def load(folder: Path, data: Any, *overrides: str) -> Study:
    path = folder / "x.yaml"
    path.write_text(
        data if isinstance(data, str) else yaml.safe_dump(data, sort_keys=False), encoding="utf-8"
    )
    return load_study(path, overrides)
