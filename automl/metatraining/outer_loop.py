"""The meta-training of one learner: its episodes and its checkpoints."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from automl.contracts import Config, Context, Episodes, RunError, UserError, derive_seed
from automl.data.episodes import EpisodeSampler
from automl.learners.base import Learner
from automl.metatraining import scores
from automl.metatraining.options import MetaLearnOptions, find_learner
from automl.metatraining.saved import build_learner, save_learner
from automl.metatraining.scores import Interval
from automl.ranks.group import current, require_same
from automl.ranks.sharing import digest
from automl.training import images


@dataclass(frozen=True)
class SampledTasks:
    """What a learner learns from: `meta_batch` episodes, or `batch_size` examples, drawn by `sampler`."""

    sampler: EpisodeSampler
    meta_batch: int
    batch_size: int

    @property
    def classes(self) -> int:
        """Classes to draw from; 0 for regression."""
        return 0 if self.sampler.functions else self.sampler.classes

    def episodes(self) -> Episodes:
        """The next meta-batch."""
        return self.sampler.sample(self.meta_batch)

    def examples(self) -> tuple[Tensor, Tensor]:
        """The next ordinary batch: inputs (n, *shape), and classes or values (n,)."""
        return self.sampler.examples(self.batch_size)


def check_ranks(learner: Learner) -> None:
    """Raise `RunError` unless all ranks of the trial have learned the same."""
    if current().size > 1:
        require_same(
            "learned parameters", digest([*learner.parameters.values(), learner.generator.get_state()])
        )


class MetaTraining:
    """One learner in meta-training by `options`, from its last checkpoint on where there is one."""

    def __init__(self, options: MetaLearnOptions, context: Context) -> None:
        self.options, self.context = options, context
        self.task = context.task
        spec = scores.episodes_of(self.task)
        drawn = options.training_episodes(spec)
        if drawn.ways != spec.ways and not find_learner(options.learner).any_ways:
            raise UserError(
                f"train_ways must be the task's ways ({spec.ways}) for {options.learner}, whose last layer "
                f"has one output a way, but got {drawn.ways}; leave it out"
            )
        with images.seeded(context.seed, context.device):
            self.learner = build_learner(options, self.task, spec.ways, context.seed)
            self.learner.to(context.device)
        kind, device = self.task.kind, context.device
        self.sampler = EpisodeSampler(
            self.task.train, drawn, kind=kind, seed=derive_seed(context.seed, "episodes"), device=device
        )
        fixed = EpisodeSampler(
            self.task.validation, spec, kind=kind, seed=scores.seed(self.task), device=device
        )
        self.validation = list(fixed.fixed(options.validation_episodes, scores.BATCH))
        self.source = SampledTasks(self.sampler, options.meta_batch, options.batch_size)
        self.learner.begin(self.source)
        self.loss = math.nan
        self.formulation: str | None = None  # in which the learner's last update ran its tasks
        self.measured: dict[str, Interval] = {}

    def train(self) -> None:
        """Take all meta-iterations that are left. Raises `RunError` when the loss stops being finite."""
        saved = self.context.checkpoint.load()
        if saved is not None:
            self._resume(saved[1])
        done, total = saved[0] if saved else 0, self.options.iterations
        names = [metric.name for metric in self.context.metrics]
        while done < total:
            step = min(self.options.report_every, total - done)
            with images.seeded(self.context.seed + done, self.context.device):
                taken, self.loss = self._steps(step)
            done += taken
            if not math.isfinite(self.loss):
                raise RunError(
                    f"the meta-training loss must stay finite, but it is {self.loss} after {done} "
                    f"iterations; lower outer_rate (now {self.learner.options.outer_rate:g}) or inner_rate"
                )
            check_ranks(self.learner)
            self.measured = scores.measure(self.learner, self.validation, names)
            others = {name: value.mean for name, value in self.measured.items() if name != names[0]}
            self.context.report(done, self.measured[names[0]].mean, train_loss=self.loss, **others)
            self.context.checkpoint.save(done, self._state())

    def validate(self, names: list[str]) -> dict[str, Interval]:
        """Metrics on the validation episodes."""
        return self.measured or scores.measure(self.learner, self.validation, names)

    def familiar(self) -> list[Episodes]:
        """Fixed episodes like those of validation, but of the classes that were trained on."""
        task = self.task
        sampler = EpisodeSampler(
            task.train,
            scores.episodes_of(task),
            kind=task.kind,
            seed=scores.seed(task),
            device=self.context.device,
        )
        return list(sampler.fixed(self.options.validation_episodes, scores.BATCH))

    def describe(self) -> None:
        """Write the artifact `learner.json`: the learner, its network, and how its tasks ran."""
        description = {
            "learner": self.options.learner,
            "backbone": str(self.learner.backbone),
            "transductive": self.options.transductive,
            "formulation": self.formulation,
            "device": str(self.learner.device),
        }
        self.context.artifact("learner.json").write_text(json.dumps(description, indent=1), encoding="utf-8")

    def save(self, config: Config) -> None:
        """Leave the learner in `<workdir>/model`."""
        save_learner(self.learner, self.options.learner, config, self.context.workdir / "model")

    def _steps(self, count: int) -> tuple[int, float]:
        """How many of `count` meta-iterations the budget had room for, one at least, and their mean loss."""
        total = torch.zeros((), device=self.context.device)
        taken = 0
        while taken < count and (not taken or self.context.remaining > 0):
            taken += 1
            total += self.learner.learn(self.source)
            self.formulation = self.learner.update_formulation
        return taken, float(total) / taken

    def _state(self) -> Mapping[str, Any]:
        """The state as a checkpoint keeps it."""
        return {
            "learner": self.learner.state_dict(),
            "sampler": self.sampler.state(),
            "loss": self.loss,
            "formulation": self.formulation,
        }

    def _resume(self, state: Mapping[str, Any]) -> None:
        self.learner.load_state_dict(state["learner"])
        self.sampler.set_state(state["sampler"])
        self.loss, self.formulation = state["loss"], state["formulation"]
