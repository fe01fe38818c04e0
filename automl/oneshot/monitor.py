"""What is seen of a supernet after each epoch, and what is done when an alarm rings."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from automl import contracts
from automl.contracts import Config, derive_seed
from automl.oneshot.scoring import Scorer, interleaved
from automl.supernets.alarms import (
    DEFAULTS,
    Alarm,
    AlarmOptions,
    eigenvalue_alarm,
    mean_entropy,
    mean_share,
    skip_alarm,
    skip_limit,
)
from automl.supernets.base import Mixture, WeightSharing
from automl.supernets.eigenvalue import alpha_product, largest_eigenvalue
from automl.training.images import Images

GAP_IMAGES = 250  # validation images, at most, that the discretisation gap is measured on
STATISTICS = 128  # training images, at most, for the batch-norm statistics behind it
RISEN = 1.05  # times its first share must skip_connect have; less is the noise that alpha starts with
SHARE = 0.1  # of the work of a search that readings may add, where their distance is not given
STEP_WORK = 6  # forward passes that a step of a search is worth for each pair of images: two gradients
READING_WORK = 25  # forward passes that an eigenvalue is worth for each of its images
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


class HealthOptions(contracts.EvaluatorOptions):
    """`eigenvalue_every`: epochs between two readings of eigenvalue and discretisation gap, 0 for none.

    Without it every second epoch, or as seldom as keeps readings to about a tenth of the search.
    `eigenvalue_batch`: images of the fixed validation batch behind the Hessian. `on_collapse`: when an alarm
    rings, `stop` the search and derive from it as it is, go back to the last healthy genotype (`rollback`) or
    go on (`warn`). `rank_check`: random networks trained at the end to see how the supernet ranks them.
    """

    on_collapse: Literal["stop", "rollback", "warn"] = "rollback"
    eigenvalue_every: int | None = Field(None, ge=0)
    eigenvalue_batch: int = Field(32, ge=2)
    alarms: AlarmOptions = DEFAULTS
    rank_check: int = Field(0, ge=0)


class Monitor:
    """Watches one search. `epochs` has an entry of plain data for the start (epoch 0) and for each epoch.

    It draws from no generator that the search uses: a search takes the same course with and without it.
    Methods without alpha have neither entropy nor derived genotypes, so no alarm. Those that choose by the
    trained supernet go on when one rings, whatever `on_collapse` says: their choice does not rest on alpha.
    """

    def __init__(
        self, method: WeightSharing, train: Images, validation: Images, options: HealthOptions, seed: int
    ) -> None:
        self.method, self.options = method, options
        self.with_alpha = "alpha" in method.architecture
        self.action = "warn" if type(method).selection else options.on_collapse
        self.scorer = Scorer(method, train, validation, images=GAP_IMAGES, statistics=STATISTICS)
        self.every = cadence(len(train.y), options)
        images = options.eigenvalue_batch
        self.batch = next(interleaved(validation, images, batch=images))
        self.generator = torch.Generator().manual_seed(derive_seed(seed, "eigenvalue"))
        self.vector: Tensor | None = None
        self.seconds = 0.0
        self.epochs: list[dict[str, Any]] = []

    def look(self, epoch: int, seen: Mapping[str, float]) -> dict[str, Any]:
        """Keep and give what there is to see after `epoch`, `seen` included."""
        start = time.monotonic()
        entry: dict[str, Any] = {"epoch": epoch, **seen}
        if self.with_alpha:
            entry |= self._architecture()
            if epoch and self.every and epoch % self.every == 0:
                entry |= self._gap(entry["genotype"]) | self._eigenvalue()
        self.epochs.append(entry)
        self.seconds += time.monotonic() - start
        return entry

    def _architecture(self) -> dict[str, Any]:
        method, supernet = self.method, self.method.supernet
        strengths = method.strengths().detach().double().cpu()
        genotype = method.derive()
        skips, derived = count_skips(supernet, genotype)
        found = {
            "genotype": genotype,
            "strengths": strengths.tolist(),
            "entropy": mean_entropy(strengths),
            "skips": skips,
            "derived": derived,
        }
        allowed, rows = supernet.allowed(method.space), supernet.skip_rows
        for name, operation, of in (("none", "none", slice(None)), ("skip", "skip_connect", rows)):
            if operation in supernet.operations:
                column = supernet.operations.index(operation)
                share = mean_share(strengths[of], allowed[of], column)
                found |= {} if share is None else {f"{name}_share": share}
        return found

    def _gap(self, genotype: Config) -> dict[str, float]:
        with torch.no_grad():
            mixed = Mixture(self.method.strengths(), self.method.active)
        whole, path = self.scorer.accuracy(mixed), self.scorer.accuracy(self.scorer.path(genotype))
        return {"supernet_accuracy": whole, "path_accuracy": path, "discretisation_gap": whole - path}

    def _eigenvalue(self) -> dict[str, float]:
        """By the eigenvector found last, and something of every other direction."""
        method = self.method
        start = torch.randn(method.alpha.shape, generator=self.generator, dtype=torch.float64)
        start = (start / start.norm()).to(method.device, method.dtype)
        if self.vector is not None:
            start = self.vector.to(method.device) + start / 2
        found = largest_eigenvalue(alpha_product(method, self.batch), start)
        self.vector = found.vector.cpu()
        return {"eigenvalue": found.value, "eigenvalue_products": found.products}

    # --- alarms ---------------------------------------------------------------------------------

    def alarms(self, *, ended: bool) -> list[Alarm]:
        """Those that have rung, the first one first.

        At the end of a search its last genotype counts, however early, if skip connections have grown.
        """
        options = self.options.alarms
        readings = [(entry["epoch"], entry["eigenvalue"]) for entry in self.epochs if "eigenvalue" in entry]
        counts = [(entry["epoch"], entry["skips"]) for entry in self.epochs if "skips" in entry]
        found = [eigenvalue_alarm(readings, options)]
        if counts:
            limit = skip_limit(self.epochs[-1]["derived"], options)
            start = min(options.start, counts[-1][0]) if ended and self._risen() else options.start
            found.append(skip_alarm(counts, limit, start=max(1, start)))
        return sorted((alarm for alarm in found if alarm), key=lambda alarm: alarm.epoch)

    def _risen(self) -> bool:
        first, last = (entry.get("skip_share", 0.0) for entry in (self.epochs[0], self.epochs[-1]))
        return bool(last > RISEN * first)

    def ends(self) -> bool:
        """Whether the search ends here, because an alarm rings."""
        return self.action != "warn" and bool(self.alarms(ended=False))

    def verdict(self) -> dict[str, Any]:
        """How the search ended: which alarms rang and when, what was done, the genotype that stays."""
        rung = self.alarms(ended=True)
        found: dict[str, Any] = {"collapsed": bool(rung), "alarms": {a.rule: a.epoch for a in rung}}
        if rung:
            found |= {"epoch": rung[0].epoch, "rule": rung[0].rule, "action": self.action}
        if rung and self.action == "rollback":
            entry = self.healthy(rung[0])
            found |= {"rollback": entry["epoch"], "genotype": entry["genotype"]}
        return found

    def healthy(self, alarm: Alarm) -> dict[str, Any]:
        """The epoch to go back to; where none was healthy, the latest with the fewest skip connections."""
        for entry in self.epochs:
            if entry["epoch"] == alarm.rollback:
                return entry
        return min(self.epochs, key=lambda entry: (entry["skips"], -entry["epoch"]))

    def genotypes(self) -> list[Config]:
        """What may be trained after the search: the present genotype and the last healthy one."""
        limit = skip_limit(self.epochs[-1]["derived"], self.options.alarms) if self.with_alpha else 0
        back = [entry["genotype"] for entry in self.epochs[-2::-1] if entry.get("skips", limit) < limit]
        return [self.method.derive(), *(back[:1] if self.action == "rollback" else ())]

    # --- continuing -----------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What continues it in another process."""
        return {
            "epochs": self.epochs,
            "vector": self.vector,
            "generator": self.generator.get_state(),
            "seconds": self.seconds,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` gave."""
        self.epochs, self.vector, self.seconds = state["epochs"], state["vector"], state["seconds"]
        self.generator.set_state(state["generator"])


def cadence(images: int, options: HealthOptions) -> int:
    """Epochs between two readings of a search with so many pairs of images an epoch."""
    if options.eigenvalue_every is not None:
        return options.eigenvalue_every
    reading = READING_WORK * options.eigenvalue_batch + 2 * (GAP_IMAGES + STATISTICS)
    return max(2, math.ceil(reading / (SHARE * STEP_WORK * images)))


def count_skips(supernet: Any, genotype: Config) -> tuple[int, int]:
    """Skip connections among the derived operations that the alarm counts, and the number of these."""
    path = supernet.path(genotype)[supernet.skip_rows]
    if "skip_connect" not in supernet.operations:
        return 0, int(path.sum())
    return int(path[:, supernet.operations.index("skip_connect")].sum()), int(path.sum())


def told(entry: Mapping[str, Any], edges: list[str], operations: list[str]) -> dict[str, float]:
    """An entry's numbers as metrics, and the strength of each operation of each edge."""
    found = {f"search_{name}": float(entry[name]) for name in NUMBERS if name in entry}
    for edge, row in zip(edges, entry.get("strengths", ()), strict=False):
        for operation, strength in zip(operations, row, strict=True):
            found[f"strength/{edge}/{operation}"] = strength
    return found
