"""The search phase of the evaluator `supernet`: its plan, its epochs, its checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from automl.contracts import Config, Context, RunError, derive_seed
from automl.evaluators import training
from automl.evaluators.network import NetworkOptions, seconds_per_epoch
from automl.evaluators.training import Images
from automl.supernets.base import Batch, SearchOptions, Step, WeightSharing

EPOCHS = 50  # without a budget
SLACK = 0.05  # part of the budget that stays unused
BURST = 5.0  # seconds that a busy machine may steal, at most the part BURST_SLACK of the budget
BURST_SLACK = 0.08
MARGIN = 1.1  # the training may take this times its estimate
TIMING = 0.05  # part of the search that may go into timing derived networks
RECENT = 5  # epochs that show a machine becoming slower
BATCHES = 8  # per timing of a derived network


class Plan:
    """How many search epochs fit beside the training of the derived network.

    Times in wall seconds. `limit` is the most epochs, None for as many as fit; `deadline` is
    that of the whole trial. The cost of a training is kept in search epochs, so that both estimates follow
    a machine that becomes slower or faster.
    """

    def __init__(
        self, context: Context, protocol: NetworkOptions, *, limit: int | None, deadline: float
    ) -> None:
        self.context, self.protocol, self.limit = context, protocol, limit
        self.end = time.monotonic() + deadline
        self.bounded = math.isfinite(context.remaining)
        self.slack = SLACK * self.left() + min(BURST, BURST_SLACK * self.left())
        self.durations: list[float] = []
        self.probed = False
        self.timed: dict[str, list[float]] = {}  # by digest: seconds of training / seconds of a search epoch
        self.timing = 0.0

    def left(self) -> float:
        """What is left of the budget and of the deadline."""
        return min(self.context.remaining / self.context.devices, self.end - time.monotonic())

    def observe(self, duration: float, *, probe: bool = False) -> None:
        """Take the duration of an epoch. The first real one replaces what was probed before it."""
        if self.probed:
            self.durations.clear()
            self.timed.clear()
        self.probed = probe
        self.durations.append(duration)

    @property
    def duration(self) -> float:
        """What the next epochs are expected to take: a lull of the machine is not counted on."""
        return max(fmean(self.durations), fmean(self.durations[-RECENT:]))

    def epochs(self, done: int, genotype: Config) -> int:
        """The number of epochs to do in all, never below `done`.

        Raises `RunError` before the first one when not even it fits.
        """
        limit = self.limit or (math.inf if self.bounded else EPOCHS)
        duration = self.duration
        training = self.training_seconds(genotype, anew=False)
        fits = (self.left() - self.slack - MARGIN * training) / duration
        if fits < 1:
            training = self.training_seconds(genotype, anew=True)
            fits = (self.left() - self.slack - MARGIN * training) / duration
        if not done and fits < 1:
            fits = (self.left() - training) / duration
            if fits < 1:
                raise RunError(
                    f"the budget must hold a search epoch ({duration:.1f} s) and training the derived "
                    f"network ({training:.1f} s), but {self.left():.1f} s are left; raise the budget or "
                    "lower the epochs of the evaluator network"
                )
        return int(max(done, min(limit, done + int(fits))))

    def training_seconds(self, genotype: Config, *, anew: bool) -> float:
        """How long training `genotype` takes: the mean of its timings, else the longest known.

        It is timed once more when that is cheap, and when `anew`.
        """
        key = self.context.space.digest(genotype)
        cheap = not self.timed or self.timing < TIMING * sum(self.durations)
        if anew or cheap:
            start = time.monotonic()
            epochs = self.protocol.adjusted(genotype).epochs
            seconds = epochs * seconds_per_epoch(genotype, self.context, self.protocol, batches=BATCHES)
            self.timed.setdefault(key, []).append(seconds / self.duration)
            self.timing += time.monotonic() - start
        means = {name: fmean(ratios) for name, ratios in self.timed.items()}
        return self.duration * means.get(key, max(means.values()))


class Search:
    """One search: a method that `build` makes, two halves of the training data, and what was seen."""

    def __init__(self, build: Callable[[], WeightSharing], plan: Plan, batch_size: int) -> None:
        self.context, self.plan, self.batch_size = plan.context, plan, batch_size
        task = self.context.task
        self.train, self.validation = halves(training.to_device(task.train, self.context.device))
        self.mode = training.augmentation(plan.protocol.augment, task.shape)
        self.build = build
        self.method = build()
        self.history: list[dict[str, Any]] = []
        self.seconds = 0.0

    def run(self, saved: tuple[int, dict[str, Any]] | None) -> dict[str, Any]:
        """Search to the end of the plan, from the checkpoint `saved` on: what was found, as plain data."""
        done, planned = self.resume(saved) if saved else (0, 0)
        if not done or done < planned:
            self.plan.observe(self.probe(), probe=True)
            planned = self.plan.epochs(done, self.method.derive())
        start = time.monotonic()
        while done < planned:
            self.epoch(done, planned)
            done += 1
            duration, start = time.monotonic() - start, time.monotonic()
            self.seconds += duration
            self.plan.observe(duration)
            planned = self.plan.epochs(done, self.method.derive())
            self.context.checkpoint.save(done, self.state(planned))
        last = self.history[-1]
        return {
            "genotype": self.method.derive(),
            "epochs": done,
            "seconds": self.seconds,
            "entropy": last["entropy"],
            "skips": last["skips"],
            "history": self.history,
        }

    def probe(self) -> float:
        """Wall seconds of one epoch, from timing two steps of a method that is then thrown away."""
        device = torch.device(self.context.device)
        with training.seeded(self.context.seed, self.context.device):
            method, pairs = self.build(), self.pairs()
            self.one_step(method, pairs[0], 0.0)
            start = training.clock(device)
            self.one_step(method, pairs[-1], 0.0)
            return (training.clock(device) - start) * len(pairs)

    def pairs(self) -> list[tuple[Tensor, Tensor]]:
        """The batches of one epoch: indices into both halves."""
        device = self.context.device
        train = training.batches(len(self.train.y), self.batch_size, device)
        validation = training.batches(len(self.validation.y), self.batch_size, device)
        return list(zip(train, validation, strict=False))

    def one_step(self, method: WeightSharing, pair: tuple[Tensor, Tensor], progress: float) -> Step:
        """One step on the batches with these indices."""
        train, validation = (
            self.batch(half, part) for half, part in zip((self.train, self.validation), pair, strict=True)
        )
        return method.step(train, validation, progress)

    def batch(self, half: Images, part: Tensor) -> Batch:
        """Augmented images and labels."""
        return training.augment(half.x[part], self.mode), half.y[part]

    def epoch(self, done: int, planned: int) -> None:
        """All steps of one epoch. Raises `RunError` when the supernet diverges."""
        pairs = self.pairs()
        steps = [
            self.one_step(self.method, pair, (done + number / len(pairs)) / planned)
            for number, pair in enumerate(pairs)
        ]
        names = ("train_loss", "validation_loss", "validation_accuracy")
        seen = {name: float(torch.stack([getattr(step, name) for step in steps]).mean()) for name in names}
        if not all(map(math.isfinite, seen.values())):
            raise RunError(
                f"the supernet's losses must stay finite, but epoch {done + 1} gave {seen}; "
                f"lower learning_rate (now {self.method.options.learning_rate:g})"
            )
        self.history.append({"epoch": done + 1, **seen, **describe(self.method)})

    def state(self, planned: int) -> dict[str, Any]:
        """Everything that continues this search in another process."""
        return {
            "method": self.method.state_dict(),
            "rng": training.rng_state(self.context.device),
            "planned": planned,
            "seconds": self.seconds,
            "history": self.history,
        }

    def resume(self, saved: tuple[int, dict[str, Any]]) -> tuple[int, int]:
        """Take up a checkpoint: the number of epochs done and planned."""
        done, state = saved
        self.method.load_state_dict(state["method"])
        training.set_rng_state(state["rng"], self.context.device)
        self.seconds, self.history = state["seconds"], state["history"]
        return done, state["planned"]


def build_method(
    method: type[WeightSharing], options: SearchOptions, protocol: NetworkOptions, context: Context
) -> WeightSharing:
    """The method on a fresh supernet with the protocol's channels and cells."""
    space, task = context.space, context.task
    part = {"partial": getattr(options, method.channel_part)} if method.channel_part else {}
    supernet = space.supernet(
        task.shape, task.classes, channels=protocol.channels, cells=protocol.cells, **part
    )
    training.place(supernet, context.device)
    return method(options, supernet, space=space, seed=derive_seed(context.seed, "alpha"))


def describe(method: WeightSharing) -> dict[str, Any]:
    """Strengths of every edge, their mean entropy in nats, and the number of derived skip connections."""
    strengths = method.strengths().detach().double()
    entropy = torch.special.entr(strengths).sum(1).mean()
    return {
        "entropy": float(entropy),
        "skips": list(method.derive().values()).count("skip_connect"),
        "strengths": strengths.tolist(),
    }


def halves(data: Images) -> tuple[Images, Images]:
    """Two disjoint halves of `data` with equal parts of each class, drawn with torch's generator."""
    order = torch.randperm(len(data.y)).to(data.y.device)
    order = order[torch.argsort(data.y[order], stable=True)]
    first, second = order[::2], order[1::2]
    return Images(data.x[first], data.y[first]), Images(data.x[second], data.y[second])
