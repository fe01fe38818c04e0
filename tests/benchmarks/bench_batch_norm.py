"""Batch-norm statistics of short trainings: the running ones, ones without their start, estimated again.

    python tests/benchmarks/bench_batch_norm.py [--data digits glyphs tiny] [--cells 12]
        [--epochs 1 2 5 20] [--midway]

Random cells of nasbench201 (4 channels, 1 cell a stage) are trained for so many epochs, and the same weights
are scored on validation data by each kind of statistics: `running` (momentum 0.1 from 0 and 1), `corrected`
(what the start still contributes is divided out), and the mean over so many training images. For each: the
mean accuracy over cells, Kendall's tau of the cells with a training of `--long` epochs from another seed (its
statistics from all training images) and with how few batch norms they have, and what estimating after each
epoch adds to the training's processor time. `--midway`: after so many epochs of one training of the last
number. `tiny`: 33 images of 12×12 with a bright half. One thread.
"""

from __future__ import annotations

import argparse
import copy
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from automl import plugins
from automl.contracts import Config, Split, Task
from automl.data.tasks import load_task
from automl.training import images
from automl.training.fit import Fit
from automl.training.norm_statistics import reestimate
from automl.training.procedure import measure
from automl.training.recipe import NetworkOptions

SPLIT = {"metrics": [{"name": "accuracy"}], "split": {"validation": 0.2, "test": 0.2}}
SIZES = (64, 256, 1024, 4096)
CHANNELS, CELLS = 4, 1


@dataclass(frozen=True)
class Scored:
    """Accuracy and seconds of estimating, by kind of statistics; seconds of training; batch norms."""

    accuracy: dict[str, float]
    seconds: dict[str, float]
    training: float
    norms: int


def tiny() -> Task:
    """Three classes of grey images: the left, upper or lower half is bright."""
    rng = np.random.default_rng(0)
    y = np.arange(48) % 3
    x = 0.3 * rng.random((48, 1, 12, 12), dtype=np.float32)
    halves = (np.s_[..., :6], np.s_[..., :6, :], np.s_[..., 6:, :])
    for image, label in zip(x, y, strict=True):
        image[halves[label]] += 0.6
    x = (x - x[:33].mean()) / x[:33].std()
    digits = load_task({"dataset": "digits", **SPLIT})
    parts = {"train": Split(x[:33], y[:33]), "validation": Split(x[33:], y[33:])}
    return replace(digits, name="tiny", shape=(1, 12, 12), classes=3, **parts)


def task_of(name: str, most: int) -> Task:
    """At most `most` training and validation images of a dataset, evenly spaced."""
    if name == "tiny":
        return tiny()
    task = load_task({"dataset": name, **SPLIT})
    return replace(task, train=_spaced(task.train, most), validation=_spaced(task.validation, most))


def _spaced(part: Split, most: int) -> Split:
    step = -(-len(part) // most)
    return Split(part.x[::step], part.y[::step])


def corrected(model: nn.Module) -> None:
    """Divide out the start of running statistics: with momentum m it still has the part (1 - m)^t."""
    for norm in model.modules():
        if not isinstance(norm, _BatchNorm):
            continue
        start = (1 - norm.momentum) ** int(norm.num_batches_tracked)
        norm.running_mean /= 1 - start
        norm.running_var.sub_(start).div_(1 - start)


def kinds(model: nn.Module, x: torch.Tensor) -> Iterator[tuple[str, nn.Module, float]]:
    """Copies of `model` with each kind of statistics, and the seconds that they took."""
    yield "running", model, 0.0
    without = copy.deepcopy(model)
    corrected(without)
    yield "corrected", without, 0.0
    for size in SIZES:
        if size > SIZES[0] and size // 4 >= len(x):
            continue  # as many as the one before
        estimated = copy.deepcopy(model)
        start = time.thread_time()
        reestimate(estimated, x, size)
        yield str(size), estimated, time.thread_time() - start


def scored(task: Task, config: Config, epochs: int, seed: int, at: Sequence[int]) -> list[Scored]:
    """A training of so many epochs, scored after each of the epochs `at`."""
    batch = min(64, len(task.train) // 2)
    options = NetworkOptions(epochs=epochs, channels=CHANNELS, cells=CELLS, batch_size=batch)
    space = plugins.load("spaces", "nasbench201")
    context: Any = SimpleNamespace(task=task, space=space, device="cpu", seed=seed)
    validation = images.to_device(task.validation, "cpu")
    found, training = [], 0.0
    with images.seeded(seed, "cpu"):
        fit = Fit.start(config, context, options)
        for epoch in range(1, max(at) + 1):
            start = time.thread_time()
            fit.train_epoch(epoch)
            training += time.thread_time() - start
            if epoch in at:
                accuracy, seconds = {}, {}
                for kind, model, spent in kinds(fit.model, fit.data.x):
                    accuracy[kind] = measure(model, validation, ["accuracy"])["accuracy"]
                    seconds[kind] = spent * epoch
                norms = sum(isinstance(part, _BatchNorm) for part in fit.model.modules())
                found.append(Scored(accuracy, seconds, training, norms))
    return found


def report(name: str, epochs: str, found: Sequence[Scored], long: Sequence[float]) -> None:
    for kind in found[0].accuracy:
        values = [cell.accuracy[kind] for cell in found]
        tau = float(kendalltau(values, long).statistic)
        norms = float(kendalltau(values, [-cell.norms for cell in found]).statistic)
        cost = sum(cell.seconds[kind] for cell in found) / sum(cell.training for cell in found)
        text = f"accuracy {np.mean(values):.4f}  tau {tau:6.3f}  few norms {norms:6.3f}  cost {cost:6.1%}"
        sys.stdout.write(f"{name:14} {epochs:>8} epochs  {kind:9}  {text}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", nargs="+", default=["tiny", "digits", "glyphs"])
    parser.add_argument("--cells", type=int, default=12)
    parser.add_argument("--epochs", nargs="+", type=int, default=[1, 2, 5, 20])
    parser.add_argument("--long", type=int, default=40)
    parser.add_argument("--most", type=int, default=2000)
    parser.add_argument("--midway", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    space, rng = plugins.load("spaces", "nasbench201"), random.Random(0)
    cells = [space.sample(rng) for _ in range(options.cells)]
    for name in options.data:
        task = task_of(name, options.most)
        sizes = f"{len(task.train)} training and {len(task.validation)} validation images {task.shape}"
        sys.stdout.write(f"{name}: {sizes}\n")
        end = options.long
        long = [list(scored(task, cell, end, 1, [end])[0].accuracy.values())[-1] for cell in cells]
        sys.stdout.write(f"{name:14} {end:8} epochs  {' '.join(f'{value:.3f}' for value in long)}\n")
        if options.midway:
            last = options.epochs[-1]
            found = [scored(task, cell, last, 0, options.epochs) for cell in cells]
            for number, epoch in enumerate(options.epochs):
                report(name, f"{epoch}/{last}", [cell[number] for cell in found], long)
            continue
        for epochs in options.epochs:
            ended = [scored(task, cell, epochs, 0, [epochs])[0] for cell in cells]
            report(name, str(epochs), ended, long)


if __name__ == "__main__":
    main()
