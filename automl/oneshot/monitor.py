"""What is measured of a supernet after each epoch, and what is done when an alarm rings."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import torch
from torch import Tensor

from automl.contracts import Config, State, derive_seed
from automl.oneshot.options import MonitorOptions
from automl.oneshot.result import Action, Architecture, EpochMeans, EpochRecord, HealthReading, Verdict
from automl.oneshot.scoring import Scorer, interleaved
from automl.supernets.alarms import (
    Alarm,
    eigenvalue_alarm,
    mean_entropy,
    mean_share,
    skip_alarm,
    skip_limit,
)
from automl.supernets.base import Mixture, Supernet, WeightSharing
from automl.supernets.eigenvalue import alpha_product, largest_eigenvalue
from automl.training.images import Images

GAP_IMAGES = 250  # validation images, at most, that the discretisation gap is measured on
STATISTICS = 128  # training images, at most, for the batch-norm statistics behind it
RISEN = 1.05  # times its first share must skip_connect have; less is the noise that alpha starts with
SHARE = 0.1  # of the work of a search that readings may add, where their distance is not given
STEP_WORK = 6  # forward passes that a step of a search is worth for each pair of images: two gradients
READING_WORK = 25  # forward passes that an eigenvalue is worth for each of its images
NONE, SKIP = "none", "skip_connect"  # operations whose strength is watched
NUMBERS = (
    "train_loss",
    "validation_loss",
    "validation_accuracy",
    "entropy",
    "none_share",
    "skip_share",
    "skips",
    "supernet_accuracy",
    "path_accuracy",
    "discretisation_gap",
    "eigenvalue",
)


class Monitor:
    """Watches one search. `records` has one of the start (epoch 0) and one of each epoch.

    It uses random generators of its own: the search is the same with and without it.
    Methods without alpha have neither entropy nor derived genotypes, so no alarm. Methods that choose by the
    trained supernet ignore `on_collapse` and go on, because their choice does not depend on alpha.
    """

    def __init__(
        self, method: WeightSharing, train: Images, validation: Images, options: MonitorOptions, seed: int
    ) -> None:
        self.method, self.options = method, options
        self.with_alpha = "alpha" in method.architecture
        self.action: Action = "warn" if method.selection else options.on_collapse
        self.scorer = Scorer(method, train, validation, images=GAP_IMAGES, statistics=STATISTICS)
        self.every = cadence(len(train.y), options)
        images = options.eigenvalue_batch
        self.batch = next(interleaved(validation, images, batch=images))
        self.generator = torch.Generator().manual_seed(derive_seed(seed, "eigenvalue"))
        self.vector: Tensor | None = None
        self.seconds = 0.0
        self.records: list[EpochRecord] = []

    def observe(self, epoch: int, means: EpochMeans | None) -> EpochRecord:
        """Measure the supernet after `epoch`, whose steps had these `means`, and keep the record."""
        start = time.monotonic()
        architecture, health = None, None
        if self.with_alpha:
            architecture = self._architecture()
            if epoch and self.every and epoch % self.every == 0:
                health = self._health(architecture.genotype)
        record = EpochRecord(epoch, means, architecture, health)
        self.records.append(record)
        self.seconds += time.monotonic() - start
        return record

    def _architecture(self) -> Architecture:
        method, supernet = self.method, self.method.supernet
        strengths = method.strengths().detach().double().cpu()
        genotype = method.derive()
        skips, derived = count_skips(supernet, genotype)
        return Architecture(
            genotype=genotype,
            strengths=strengths.tolist(),
            entropy=mean_entropy(strengths),
            skips=skips,
            derived=derived,
            none_share=self._share(NONE, strengths, range(len(strengths))),
            skip_share=self._share(SKIP, strengths, supernet.skip_rows),
        )

    def _share(self, operation: str, strengths: Tensor, rows: Sequence[int]) -> float | None:
        """Mean strength of `operation` on the edges `rows`; None where they do not have it."""
        supernet = self.method.supernet
        if operation not in supernet.operations:
            return None
        allowed = supernet.allowed(self.method.space)
        chosen = list(rows)
        return mean_share(strengths[chosen], allowed[chosen], supernet.operations.index(operation))

    def _health(self, genotype: Config) -> HealthReading:
        with torch.no_grad():
            mixed = Mixture(self.method.strengths(), self.method.active)
        whole, path = self.scorer.accuracy(mixed), self.scorer.accuracy(self.scorer.path(genotype))
        value, products = self._eigenvalue()
        return HealthReading(whole, path, whole - path, value, products)

    def _eigenvalue(self) -> tuple[float, int]:
        """The eigenvalue and the products that it took, from the last eigenvector plus a random one."""
        method = self.method
        start = torch.randn(method.alpha.shape, generator=self.generator, dtype=torch.float64)
        start = (start / start.norm()).to(method.device, method.dtype)
        if self.vector is not None:
            start = self.vector.to(method.device) + start / 2
        pair = largest_eigenvalue(alpha_product(method, self.batch), start)
        self.vector = pair.vector.cpu()
        return pair.value, pair.products

    # --- alarms ---------------------------------------------------------------------------------

    def alarms(self, *, ended: bool) -> list[Alarm]:
        """The alarms that have rung, the first one first.

        At the end of a search its last genotype counts, however early, if skip connections have grown.
        """
        options, states = self.options.alarms, self._architectures()
        readings = [(record.epoch, record.health.eigenvalue) for record in self.records if record.health]
        rung = [eigenvalue_alarm(readings, options)]
        if states:
            last_epoch, last = states[-1]
            limit = skip_limit(last.derived, options)
            start = min(options.start, last_epoch) if ended and self._risen() else options.start
            counts = [(epoch, state.skips) for epoch, state in states]
            rung.append(skip_alarm(counts, limit, start=max(1, start)))
        return sorted((alarm for alarm in rung if alarm), key=lambda alarm: alarm.epoch)

    def _architectures(self) -> list[tuple[int, Architecture]]:
        """Each epoch with its genotype and strengths."""
        return [(record.epoch, record.architecture) for record in self.records if record.architecture]

    def _risen(self) -> bool:
        """Whether skip connections are stronger than at the start."""
        states = self._architectures()
        first, last = (states[index][1].skip_share or 0.0 for index in (0, -1))
        return last > RISEN * first

    def ends(self) -> bool:
        """Whether the search ends here, because an alarm rings."""
        return self.action != "warn" and bool(self.alarms(ended=False))

    def verdict(self) -> Verdict:
        """How the search ended: which alarms rang and when, what was done, the genotype that stays."""
        rung = self.alarms(ended=True)
        if not rung:
            return Verdict()
        back, genotype = self.healthy(rung[0]) if self.action == "rollback" else (None, None)
        return Verdict(
            alarms={alarm.rule: alarm.epoch for alarm in rung},
            epoch=rung[0].epoch,
            rule=rung[0].rule,
            action=self.action,
            rollback=back,
            genotype=genotype,
        )

    def healthy(self, alarm: Alarm) -> tuple[int, Config]:
        """The epoch to go back to, and its genotype.

        Where none was healthy, it is the latest with the fewest skip connections.
        """
        states = self._architectures()
        for epoch, state in states:
            if epoch == alarm.rollback:
                return epoch, state.genotype
        epoch, state = min(states, key=lambda each: (each[1].skips, -each[0]))
        return epoch, state.genotype

    def genotypes(self) -> list[Config]:
        """What may be trained after the search: the present genotype and the last healthy one."""
        states = [state for _, state in self._architectures()]
        limit = skip_limit(states[-1].derived, self.options.alarms) if states else 0
        back = [state.genotype for state in states[-2::-1] if state.skips < limit]
        return [self.method.derive(), *(back[:1] if self.action == "rollback" else ())]

    # --- continuing -----------------------------------------------------------------------------

    def state(self) -> State:
        """What continues it in another process."""
        return {
            "epochs": [record.to_json() for record in self.records],
            "vector": self.vector,
            "generator": self.generator.get_state(),
            "seconds": self.seconds,
        }

    def resume(self, state: State) -> None:
        """Continue from what `state` gave."""
        self.records = [EpochRecord.from_json(record) for record in state["epochs"]]
        self.vector, self.seconds = state["vector"], state["seconds"]
        self.generator.set_state(state["generator"])


def cadence(images: int, options: MonitorOptions) -> int:
    """Epochs between two readings of a search with so many pairs of images an epoch."""
    if options.eigenvalue_every is not None:
        return options.eigenvalue_every
    reading = READING_WORK * options.eigenvalue_batch + 2 * (GAP_IMAGES + STATISTICS)
    return max(2, math.ceil(reading / (SHARE * STEP_WORK * images)))


def count_skips(supernet: Supernet, genotype: Config) -> tuple[int, int]:
    """Skip connections among the derived operations that the alarm counts, and the number of these."""
    path = supernet.path(genotype)[supernet.skip_rows]
    if SKIP not in supernet.operations:
        return 0, int(path.sum())
    return int(path[:, supernet.operations.index(SKIP)].sum()), int(path.sum())


def epoch_metrics(record: EpochRecord, edges: list[str], operations: list[str]) -> dict[str, float]:
    """The numbers of a record as metrics, and the strength of each operation of each edge."""
    values = record.to_json()
    metrics = {f"search_{name}": float(values[name]) for name in NUMBERS if name in values}
    strengths = record.architecture.strengths if record.architecture else []
    for edge, row in zip(edges, strengths, strict=False):
        for operation, strength in zip(operations, row, strict=True):
            metrics[f"strength/{edge}/{operation}"] = strength
    return metrics
