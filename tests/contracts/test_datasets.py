"""Every dataset plug-in, found by discovery: what it hands out, and what it keeps sealed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl import plugins
from automl.checking import Check, run_checks
from automl.checking.datasets import checks
from automl.contracts import Split, UserError
from automl.data import Dataset

NAMES = plugins.names("datasets")
CASES = [
    pytest.param(check, id=f"{name}: {check.name}")
    for name in NAMES
    for check in checks(plugins.load("datasets", name))
]


def test_all_are_found() -> None:
    assert {"digits", "iris", "wine", "breast_cancer", "diabetes", "fashion_mnist", "cifar10"} <= set(NAMES)


@pytest.mark.parametrize("check", CASES)
def test_every_dataset_keeps_the_contract(check: Check) -> None:
    try:
        check.run()
    except UserError as error:
        if "AUTOML_DATA" not in str(error):
            raise
        pytest.skip(str(error))


def table(classes: int | None, labels: int = 2, seed: int | None = 0) -> Dataset:
    """30 rows of two numbers."""
    x = np.random.default_rng(seed).normal(size=(30, 2))
    return Dataset(pd.DataFrame(x, columns=["a", "b"]), np.arange(30) % labels, "table", classes)


def plain() -> Dataset:
    """Its metrics decide what its targets are."""
    return table(None)


def images() -> Dataset:
    """With an official test part."""
    x, y = np.random.default_rng(0).integers(0, 255, (40, 1, 4, 4)), np.arange(40) % 2
    return Dataset(x[:30], y[:30], "image", 2, test=Split(x[30:], y[30:]))


def few_shot() -> Dataset:
    """With official parts of classes."""
    x, parts = np.random.default_rng(0).integers(0, 255, (16, 1, 4, 4)), np.array([0, 0, 0, 0, 1, 1, 2, 2])
    return Dataset(x, np.repeat(np.arange(8), 2), "image", 8, parts=parts)


@pytest.mark.parametrize("dataset", [plain, images, few_shot])
def test_datasets_of_every_form_can_keep_it(dataset: object) -> None:
    assert problems(dataset) == {}


def unseeded() -> Dataset:
    """Other rows at each call."""
    return table(2, seed=None)


def gap() -> Dataset:
    """Two labels, three classes."""
    return table(3)


def bare() -> object:
    """No Dataset."""
    return [1, 2]


def choosy(part: str) -> Dataset:
    """Wants to know more."""
    return table(2)


@pytest.mark.parametrize(
    ("dataset", "name", "text"),
    [
        (3, "it is a function", "must be a function, but is 3"),
        (choosy, "it is a function", "must take no arguments, but needs ['part']"),
        (bare, "it returns a Dataset", "must return automl.data.Dataset"),
        (gap, "it returns a Dataset", "y must hold each of 0 … 2"),
        (unseeded, "it returns the same rows", "two calls differ"),
    ],
)
def test_what_breaks_a_rule_is_named(dataset: object, name: str, text: str) -> None:
    broken = problems(dataset)
    assert [text in problem for check, problem in broken.items() if check.startswith(name)] == [True]


def problems(plugin: object) -> dict[str, str]:
    return {report.name: report.problem for report in run_checks(checks(plugin)) if report.problem}
