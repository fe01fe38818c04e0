"""Two ranks on two GPUs, over NCCL: the gradients of one, and a whole trial."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, multiprocessing

from automl import plugins
from automl.contracts import Job, PluginSpec, TrialState
from automl.executors.isolated import Isolated
from automl.ranks.group import within
from automl.ranks.norms import synchronise
from automl.ranks.processes import Processes, find_store, open_store

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,
    pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs"),
]


def gradients(device: str, order: int) -> list[Tensor]:
    """Of the architecture, in float64."""
    torch.manual_seed(0)
    space, plugin = plugins.load("spaces", "nasbench201"), plugins.load("supernets", "darts")
    supernet = space.supernet((1, 8, 8), 3, channels=4, cells=1).double().to(device)
    synchronise(supernet)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 14, 1, 8, 8, generator=generator, dtype=torch.float64).to(device)
    y = torch.randint(3, (2, 14), generator=generator).to(device)
    method = plugin(plugin.Options(order=order), supernet, space=space, seed=0)
    method.supernet.train()
    train, validation = ((x[half], y[half]) for half in range(2))
    found = method.second_order(train, validation) if order == 2 else method.first_order(validation)
    return [value.cpu() for value in found[0]]


def rank(number: int, port: int, order: int, results: list[list[Tensor]]) -> None:
    group = Processes(find_store(port), number, 2, cuda=True)
    with within(group):
        results[number] = gradients(f"cuda:{number}", order)


@pytest.mark.parametrize("order", [1, 2])
def test_two_gpus_have_the_gradient_of_one(order: int) -> None:
    store, context = open_store(), multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        results = manager.list([None, None])
        ranks = [context.Process(target=rank, args=(n, store.port, order, results)) for n in range(2)]
        for one in ranks:
            one.start()
        for one in ranks:
            one.join()
        first, second = results
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    for one, other in zip(first, gradients("cuda:0", order), strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-10)


@pytest.fixture
def job(tmp_path: Path) -> Callable[[int], Job]:
    """A trial of `network` that holds so many GPUs, each with a rank."""
    network = PluginSpec("network", {"epochs": 2, "channels": 4, "precision": "float32"})
    split = {"validation": 0.2, "test": 0.2, "seed": 0}
    metric = {"name": "accuracy", "direction": "maximize"}

    def made(gpus: int) -> Job:
        return Job(
            trial=f"on-{gpus}",
            token="token",
            attempt=1,
            space={"name": "nasbench201"},
            task={"dataset": "digits", "metrics": [metric], "split": split},
            metrics=[metric],
            evaluator=network,
            protocol=network,
            config=plugins.load("spaces", "nasbench201").default_config(),
            seed=3,
            workdir=str(tmp_path / str(gpus)),
            devices=float(gpus),
            cpus=2.0,
            gpus=float(gpus),
            remaining=None,
            deadline=600.0,
            ranks=gpus,
        )

    return made


def test_a_trial_on_two_gpus_learns_as_on_one(job: Callable[[int], Job]) -> None:
    from automl.checking.jobs import QueueSource

    losses = []
    for gpus in (1, 2):
        source, worker = QueueSource([job(gpus)]), Isolated()
        given = source.next_job()
        assert given is not None
        worker.run(given, source)
        worker.close()
        outcome = source.outcomes[given.trial]
        assert outcome.state is TrialState.COMPLETE, outcome.traceback
        losses.append([report.metrics["train_loss"] for report in source.reports[given.trial]])
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-3)
