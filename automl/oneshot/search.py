"""A supernet search: its epochs, the choice at its end, its checkpoints."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from itertools import chain

import torch
from torch import Tensor

from automl.contracts import Checkpoint, Config, RunError, State, derive_seed
from automl.oneshot.monitor import Monitor, count_skips, epoch_metrics
from automl.oneshot.options import MonitorOptions
from automl.oneshot.plan import EpochPlan
from automl.oneshot.rank import draw
from automl.oneshot.result import EpochMeans, RankedNetwork, SupernetResult
from automl.oneshot.scoring import SCORED, STATISTICS, Scorer, Selecting
from automl.oneshot.within import Within, bounded, needs_of
from automl.ranks.group import agreed, current, decided, require_same
from automl.ranks.sharing import digest
from automl.supernets.base import Batch, Step, WeightSharing
from automl.training import images
from automl.training.images import Images

SAMPLES = 3  # random networks that are timed where the choice may fall on any
KEEPING = 0.1  # part of the search's time for finding a network that keeps constraints, where there are any


class SupernetSearch:
    """One search: a method that `build` makes, two halves of the training data, and a monitor."""

    def __init__(
        self, build: Callable[[], WeightSharing], plan: EpochPlan, batch_size: int, options: MonitorOptions
    ) -> None:
        self.context, self.plan, self.batch_size, self.options = plan.context, plan, batch_size, options
        task = self.context.task
        self.train, self.validation = halves(images.to_device(task.train, self.context.device))
        self.mode = images.augmentation(plan.trainer.options.augment, task.shape)
        self.build = build
        self.method = build()
        self.monitor = Monitor(self.method, self.train, self.validation, options, self.context.seed)
        plan.selection = self.method.selection + (KEEPING if bounded(self.context) else 0.0)
        plan.trainings = 1 + options.rank_check
        rng = random.Random(derive_seed(self.context.seed, "costs"))
        self.samples = [self.context.space.sample(rng) for _ in range(SAMPLES if plan.selection else 0)]

    def run(self, saved: Checkpoint | None) -> SupernetResult:
        """Search to the end of the plan, from the checkpoint `saved` on."""
        done, planned = self.resume(saved) if saved else (0, 0)
        part = 1.0
        if not done:
            self.monitor.observe(0, None)
        if not done or (done < planned and not self.ends()):
            self.plan.observe(self.probe(), probe=True)
            planned = self.plan.epochs(done, self.genotypes())
        start = time.monotonic()
        while done < planned and not self.ends():
            means, part = self.epoch(done, planned)
            done += 1
            record = self.monitor.observe(done, means)
            duration, start = time.monotonic() - start, time.monotonic()
            self.plan.observe(duration, part=part)
            planned = self.plan.epochs(done, self.genotypes())
            supernet = self.method.supernet
            if not self.context.needs_value or self.context.remaining > 0:  # it could end the trial
                self.context.log(done, **epoch_metrics(record, supernet.edges, supernet.operations))
            self.context.checkpoint.save(done, self.state(planned))
        return self.conclude(done, part)

    def conclude(self, done: int, part: float) -> SupernetResult:
        """The result after the method's choice, saved at once; `part` of the last epoch was searched."""
        verdict = self.monitor.verdict()
        start = time.monotonic()
        at_stop: Config | None = decided(verdict.genotype)
        genotype, changed = self.within(at_stop or self.select(), start)
        chosen = time.monotonic() - start
        supernet = self.method.supernet
        result = SupernetResult(
            genotype=genotype,
            epochs=done,
            seconds=self.plan.searched,
            selection_seconds=chosen,
            health_seconds=self.monitor.seconds,
            skips=count_skips(supernet, genotype)[0],
            verdict=verdict,
            selected={name: float(value) for name, value in self.method.selected.items()},
            edges=list(supernet.edges),
            operations=list(supernet.operations),
            history=self.monitor.records,
            rank=self.rank(),
            epoch_seconds=self.plan.epoch_seconds(genotype) if self.plan.timed else None,
            part=part,
            changed=changed,
        )
        self.context.checkpoint.save(done, {"carry": result.carry()})
        return result

    def select(self) -> Config:
        """The configuration that the method chooses, within the time that is planned for it."""
        own = self.method.selection
        seconds = self.choosing() * own / self.plan.selection if own else math.inf
        pairs = chain.from_iterable(iter(self.pairs, None))
        selecting = Selecting(
            self.scorer(),
            lambda: self.one_step(self.method, next(pairs), 1.0),
            space=self.context.space,
            rng=random.Random(derive_seed(self.context.seed, "selection")),
            seconds=seconds,
        )
        return decided(self.method.select(selecting))

    def choosing(self) -> float:
        """Wall seconds that are planned for choosing a network."""
        if not self.plan.durations:  # after an interruption
            self.plan.observe(self.probe(), probe=True)
        return self.plan.selection_seconds(self.genotypes())

    def within(self, genotype: Config, began: float) -> tuple[Config, int]:
        """`genotype`, or one near it that keeps constraints, and how many choices differ.

        `began`: when choosing a network began.
        """
        bounds = bounded(self.context)
        if not bounds:
            return genotype, 0
        scorer, end = self.scorer(), began + self.choosing()
        search = Within(
            self.context.space,
            bounds,
            needs_of(self.context, self.plan.trainer.options),
            lambda config: scorer.accuracy(scorer.path(config)),
            lambda: agreed(end - time.monotonic()),
        )
        return search.nearest(genotype)

    def ends(self) -> bool:
        """Whether an alarm ends the search here; rank 0 decides."""
        return decided(self.monitor.ends())

    def rank(self) -> list[RankedNetwork]:
        """Random networks with their accuracy by the shared weights, to be trained later."""
        count, seed = self.options.rank_check, derive_seed(self.context.seed, "rank")
        if not count:
            return []
        scorer = self.scorer()
        drawn = draw(self.context.space, count, seed)
        return [RankedNetwork(config, scorer.accuracy(scorer.path(config))) for config in drawn]

    def scorer(self) -> Scorer:
        """What scores networks with the shared weights."""
        return Scorer(self.method, self.train, self.validation, images=SCORED, statistics=STATISTICS)

    def genotypes(self) -> list[Config]:
        """The genotypes that may be trained after the search, the most probable first."""
        return [*self.monitor.genotypes(), *self.samples]

    def probe(self) -> float:
        """Wall seconds of one epoch, from timing two steps of a method that is then discarded."""
        device = torch.device(self.context.device)
        with images.seeded(self.context.seed, self.context.device):
            method, pairs = self.build(), self.pairs()
            self.one_step(method, pairs[0], 0.0)
            start = images.clock(device)
            self.one_step(method, pairs[-1], 0.0)
            return agreed((images.clock(device) - start) * len(pairs))

    def pairs(self) -> list[tuple[Tensor, Tensor]]:
        """The batches of one epoch: indices into both halves."""
        device = self.context.device
        train = images.batches(len(self.train.y), self.batch_size, device)
        validation = images.batches(len(self.validation.y), self.batch_size, device)
        return list(zip(train, validation, strict=False))

    def one_step(self, method: WeightSharing, pair: tuple[Tensor, Tensor], progress: float) -> Step:
        """One step on the batches with these indices."""
        train, validation = (
            self.batch(half, part) for half, part in zip((self.train, self.validation), pair, strict=True)
        )
        return method.step(train, validation, progress)

    def batch(self, half: Images, part: Tensor) -> Batch:
        """Augmented images and labels."""
        return images.augment(half.x[part], self.mode), half.y[part]

    def epoch(self, done: int, planned: int) -> tuple[EpochMeans, float]:
        """The steps of one epoch: mean losses and accuracy, and the part of the epoch that was done.

        That is less than 1 where the time for the first value of a search would not suffice otherwise.
        Raises `RunError` when the supernet diverges.
        """
        pairs, steps = self.pairs(), list[Step]()
        for number, pair in enumerate(pairs):
            steps.append(self.one_step(self.method, pair, (done + number / len(pairs)) / planned))
            if self.plan.exhausted():
                break
        means = EpochMeans(
            train_loss=_mean([step.train_loss for step in steps]),
            validation_loss=_mean([step.validation_loss for step in steps]),
            validation_accuracy=_mean([step.validation_accuracy for step in steps]),
        )
        if not (math.isfinite(means.train_loss) and math.isfinite(means.validation_loss)):
            raise RunError(
                f"the supernet's losses must stay finite, but in epoch {done + 1} they are "
                f"{means.train_loss:g} (training) and {means.validation_loss:g} (validation); "
                f"lower learning_rate (now {self.method.options.learning_rate:g})"
            )
        self.check_ranks()
        return means, len(steps) / len(pairs)

    def check_ranks(self) -> None:
        """Raise `RunError` unless all ranks have the same architecture, weights and random state."""
        if current().size > 1:
            method = self.method
            values = [*method.architecture.values(), *method.weights.values(), method.generator.get_state()]
            require_same("architecture and weights", digest(values))

    def state(self, planned: int) -> State:
        """Everything that continues this search in another process."""
        return {
            "method": self.method.state_dict(),
            "rng": images.rng_state(self.context.device),
            "planned": planned,
            "seconds": self.plan.searched,
            "monitor": self.monitor.state(),
        }

    def resume(self, saved: Checkpoint) -> tuple[int, int]:
        """Continue from a checkpoint: the number of epochs done and planned."""
        done, state = saved
        self.method.load_state_dict(state["method"])
        images.set_rng_state(state["rng"], self.context.device)
        self.plan.searched = state["seconds"]
        self.monitor.resume(state["monitor"])
        return done, state["planned"]


def _mean(values: list[Tensor]) -> float:
    return float(torch.stack(values).mean())


def halves(data: Images) -> tuple[Images, Images]:
    """Two disjoint halves of `data` with equal parts of each class, drawn with torch's generator."""
    order = torch.randperm(len(data.y)).to(data.y.device)
    order = order[torch.argsort(data.y[order], stable=True)]
    first, second = order[::2], order[1::2]
    return Images(data.x[first], data.y[first]), Images(data.x[second], data.y[second])
