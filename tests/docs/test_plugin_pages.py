"""Each kind of plug-in has a page with every attribute of its contract and an example that works."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from doc_pages import PAGES, ROOT, Page, read_page
from sandbox import Sandbox

from automl import plugins
from automl.contracts import (
    Context,
    Evaluator,
    Executor,
    JobSource,
    LearnerTraits,
    MethodTraits,
    Proxy,
    Pruner,
    Result,
    Strategy,
)
from automl.data import Dataset
from automl.learners.base import Learner
from automl.space import Space
from automl.supernets.base import Supernet, WeightSharing

PLUGINS = {page.name: page for page in map(read_page, PAGES) if page.name.startswith("docs/plugins/")}
KINDS = {
    "spaces": "docs/plugins/space.md",
    "strategies": "docs/plugins/strategy.md",
    "pruners": "docs/plugins/pruner.md",
    "evaluators": "docs/plugins/evaluator.md",
    "executors": "docs/plugins/executor.md",
    "datasets": "docs/plugins/dataset.md",
    "supernets": "docs/plugins/supernet.md",
    "proxies": "docs/plugins/proxy.md",
    "learners": "docs/plugins/learner.md",
}


def public(owner: type) -> set[str]:
    return {name for name in vars(owner) if not name.startswith("_")}


MODULE = set(dir(torch.nn.Module)) | {"training"}  # what a supernet has as a torch module
CONTRACTS: dict[str, set[str]] = {
    "spaces": {*inspect.signature(Space).parameters, *public(Supernet), *Supernet.__annotations__} - MODULE,
    "strategies": public(Strategy),
    "pruners": public(Pruner),
    "evaluators": public(Evaluator) | {field.name for field in fields(Result)},
    "executors": public(Executor) | public(JobSource),
    "datasets": {field.name for field in fields(Dataset)},
    "supernets": public(WeightSharing) | public(MethodTraits),
    "proxies": {field.name for field in fields(Proxy)},
    "learners": public(LearnerTraits) | Learner.__abstractmethods__ | {"example_options"},
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The files of all plug-in pages."""
    everything = Page("docs/plugins", "", tuple(block for page in PLUGINS.values() for block in page.blocks))
    sandbox = Sandbox(everything, tmp_path, monkeypatch, run=False)
    for block in everything.blocks:
        if block.file.endswith(".py"):
            sandbox.python(block)
    yield tmp_path
    sandbox.close()


@pytest.mark.parametrize("kind", plugins.PACKAGES)
def test_every_attribute_of_the_contract_is_explained(kind: str) -> None:
    text = PLUGINS[KINDS[kind]].text
    names = CONTRACTS[kind]
    assert names
    assert sorted(name for name in names if not re.search(rf"`{name}\b", text)) == []


def test_every_attribute_of_the_context_is_explained() -> None:
    pages = [PLUGINS[KINDS["evaluators"]].text, (ROOT / "docs/tutorials/training-code.md").read_text()]
    names = public(Context) | set(Context.__annotations__)
    assert len(names) > 12
    assert sorted(name for name in names if not re.search(rf"`{name}\b", "".join(pages))) == []


@pytest.mark.parametrize("kind", plugins.PACKAGES)
def test_it_has_a_study_and_an_example_that_is_checked(kind: str) -> None:
    page = PLUGINS[KINDS[kind]]
    examples = [block.file for block in page.blocks if block.file.startswith(f"my_plugins/{kind}/")]
    assert examples
    assert f"automl check-plugin {examples[0]}" in page.text
    assert any(block.language == "yaml" for block in page.blocks)
    assert f"<!-- table: checks {kind} -->" in page.text


def test_the_supernet_method_moves_alpha_alone(files: Path) -> None:
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
