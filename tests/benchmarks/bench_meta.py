"""Meta-steps: the usual loop over tasks against what the learners choose, interleaved, one thread.

    python tests/benchmarks/bench_meta.py [--device cuda] [--tasks 25] [--image-tasks 4] [--rounds 5]

Milliseconds of one meta-step (the least of the rounds), without sampling. `reference` is
tests/reference_maml.py (for Reptile: torch's Adam, a task at a time); `ratio` is its time over that of what
was chosen. On a CPU the time of this thread, so that other programs do not count.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

import reference_maml

from automl import plugins
from automl.checking.episodes import images, sinusoids
from automl.contracts import Episodes
from automl.executors.process import use_cpus
from automl.learners.backbones import Backbone

NETWORKS = {"mlp": ("mlp", (1,), 40), "conv4": ("conv4", (1, 28, 28), 64)}
Step = Callable[[], object]


def gradient_step(learner: Any, episodes: Episodes, adapted: list[str] | None, second: bool) -> Tensor:
    """One step of MAML, FOMAML or ANIL as it is usually written."""
    options = learner.options
    loss, gradients = reference_maml.meta_gradient(
        learner.parameters,
        episodes,
        rate=options.inner_rate,
        steps=options.inner_steps,
        second=second,
        adapted=adapted,
    )
    learner.outer_step(gradients)
    return loss


def reptile_step(learner: Any, episodes: Episodes) -> None:
    """One step of Reptile with torch's Adam, one task after the other."""
    options, episodes = learner.options, learner.prepare(episodes)
    start = {name: value.detach() for name, value in learner.parameters.items()}
    moves = {name: torch.zeros_like(value) for name, value in start.items()}
    for x, y in zip(episodes.support_x, episodes.support_y, strict=True):
        values = {name: value.clone().requires_grad_() for name, value in start.items()}
        adam = torch.optim.Adam(values.values(), lr=options.inner_rate, betas=(0.0, options.beta2))
        for step in range(options.inner_steps):
            rows = (
                (torch.arange(options.inner_batch) + step * options.inner_batch)
                .remainder(len(y))
                .to(y.device)
            )
            adam.zero_grad()
            torch.autograd.backward(reference_maml.loss(reference_maml.network(values, x[rows]), y[rows]))
            adam.step()
        for name, value in values.items():
            moves[name] += (start[name] - value.detach()) / len(episodes)
    learner.outer_step(moves)


def protonet_step(learner: Any, episodes: Episodes) -> None:
    """One step of ProtoNet as it is usually written; a head that changes nothing gives features."""
    eye = torch.eye(learner.backbone.features, device=learner.device)
    params = learner.parameters | {"head.weight": eye, "head.bias": eye.new_zeros(len(eye))}
    total = eye.new_zeros(())
    tasks = (episodes.support_x, episodes.support_y, episodes.query_x, episodes.query_y)
    for support_x, support_y, query_x, query_y in zip(*tasks, strict=True):
        support, query = (reference_maml.network(params, x) for x in (support_x, query_x))
        prototypes = torch.stack([support[support_y == way].mean(0) for way in range(episodes.ways)])
        distances = (query[:, None] - prototypes).square().sum(-1)
        total = total + reference_maml.loss(-distances, query_y) / len(episodes)
    gradients = torch.autograd.grad(total, list(learner.parameters.values()))
    learner.outer_step(dict(zip(learner.parameters, gradients, strict=True)))


REFERENCES: dict[str, Callable[[Any, Episodes], object]] = {
    "maml": partial(gradient_step, adapted=None, second=True),
    "fomaml": partial(gradient_step, adapted=None, second=False),
    "anil": partial(gradient_step, adapted=["head.weight", "head.bias"], second=True),
    "reptile": reptile_step,
    "protonet": protonet_step,
}


def build(name: str, network: str, device: str, **options: object) -> Any:
    """A learner on one of the two networks."""
    plugin = plugins.load("learners", name)
    backbone = Backbone(*NETWORKS[network], transductive=True)
    ways = 0 if network == "mlp" else 5
    return plugin(plugin.Options(**options), backbone, ways=ways, seed=0).to(device)


def ways_to_run(name: str, network: str, episodes: Episodes, device: str) -> Iterator[tuple[str, Any, Step]]:
    """The reference, the loop, all tasks at once, and what is chosen."""
    learner = build(name, network, device)
    yield "reference", learner, partial(REFERENCES[name], learner, episodes)
    for formulation in ("loop", "batched", "auto"):
        learner = build(name, network, device, formulation=formulation)
        yield formulation, learner, partial(learner.meta_step, episodes)


def measure(ways: list[tuple[str, Any, Step]], rounds: int, device: str) -> dict[str, float]:
    """Milliseconds of each way, interleaved."""
    gpu = device.startswith("cuda")
    synchronise: Step = torch.cuda.synchronize if gpu else lambda: None
    clock = time.perf_counter if gpu else time.thread_time
    best = {name: float("inf") for name, _, _ in ways}
    for turn in range(rounds + 1):  # the first warms up
        for name, _, step in ways:
            synchronise()
            start = clock()
            step()
            synchronise()
            if turn:
                best[name] = min(best[name], (clock() - start) * 1e3)
    return best


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu")
    for name, default in (("tasks", 25), ("image-tasks", 4), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    use_cpus(1)
    on = partial(_move, device=args.device)
    data = {
        "mlp": on(sinusoids(args.tasks, shots=10, queries=10)),
        "conv4": on(images(args.image_tasks, ways=5, shots=1, queries=15, side=28)),
    }
    row = "{:8} {:6} {:>10} {:>9} {:>9} {:>9} {:>6}  {}\n"
    sys.stdout.write(row.format("learner", "on", "reference", "loop", "batched", "chosen", "ratio", "which"))
    for name in REFERENCES:
        for network, episodes in data.items():
            if not episodes.ways and "regression" not in plugins.load("learners", name).kinds:
                continue
            ways = list(ways_to_run(name, network, episodes, args.device))
            times = measure(ways, args.rounds, args.device)
            ratio = f"{times['reference'] / times['auto']:.1f}"
            cells = [f"{times[key]:.1f}" for key in ("reference", "loop", "batched", "auto")]
            sys.stdout.write(row.format(name, network, *cells, ratio, ways[-1][1].formulation))
            sys.stdout.flush()


def _move(episodes: Episodes, device: str) -> Episodes:
    parts = (episodes.support_x, episodes.support_y, episodes.query_x, episodes.query_y)
    support_x, support_y, query_x, query_y = (part.to(device) for part in parts)
    return Episodes(support_x, support_y, query_x, query_y, episodes.ways)


if __name__ == "__main__":
    main()
