"""The meta-training of one learner: its episodes, its checkpoints, and the folder it is left in."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from automl import plugins
from automl.checkpoints import write_atomically
from automl.contracts import Config, Context, Episodes, RunError, Task, UserError, derive_seed
from automl.data.episodes import EpisodeSampler
from automl.learners.backbones import Backbone
from automl.learners.base import Learner
from automl.metatraining import scores
from automl.metatraining.scores import Interval
from automl.training import images

if TYPE_CHECKING:
    from automl.evaluators.metalearn import MetaLearnOptions

FORMAT = 1


class MetaTraining:
    """One learner in meta-training by `options`, from its last checkpoint on where there is one."""

    def __init__(self, options: MetaLearnOptions, context: Context) -> None:
        self.options, self.context = options, context
        self.task = context.task
        spec = scores.episodes_of(self.task)
        drawn = options.training_episodes(spec)
        plugin = plugins.load("learners", options.learner)
        if drawn.ways != spec.ways and not plugin.any_ways:
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
        if self.learner.joint:
            self.learner.set_classes(0 if kind == "functions" else self.sampler.classes)
        self.loss = math.nan
        self.formulation: str | None = None
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
            self.measured = scores.measure(self.learner, self.validation, names)
            told = {name: value.mean for name, value in self.measured.items() if name != names[0]}
            self.context.report(done, self.measured[names[0]].mean, train_loss=self.loss, **told)
            self.context.checkpoint.save(done, self._state())

    def validate(self, names: list[str]) -> dict[str, Interval]:
        """Metrics on the validation episodes."""
        return self.measured or scores.measure(self.learner, self.validation, names)

    def familiar(self) -> list[Episodes]:
        """Fixed episodes as those of validation, but of the classes that were trained on."""
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
        """Write the artifact `learner.json`: the learner, its network, and how its tasks ran in images."""
        told = {
            "learner": self.options.learner,
            "backbone": str(self.learner.backbone),
            "transductive": self.options.transductive,
            "formulation": self.formulation,
            "device": str(self.learner.device),
        }
        self.context.artifact("learner.json").write_text(json.dumps(told, indent=1), encoding="utf-8")

    def save(self, config: Config) -> None:
        """Leave `weights.pt` (the learner's parameters) and `config.json` in `<workdir>/model`."""
        folder = self.context.workdir / "model"
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(self.learner.parameters_for_export(), folder / "weights.pt")
        backbone = self.learner.backbone
        described = {
            "format": FORMAT,
            "learner": self.options.learner,
            "options": self.learner.options.model_dump(),
            "backbone": [backbone.name, list(backbone.shape), backbone.width, backbone.transductive],
            "ways": self.learner.ways,
            "config": config,
        }
        write_atomically(folder / "config.json", json.dumps(described, indent=1).encode())

    def _steps(self, count: int) -> tuple[int, float]:
        """How many of `count` meta-iterations the budget had room for, one at least, and their mean loss."""
        total = torch.zeros((), device=self.context.device)
        taken = 0
        while taken < count and (not taken or self.context.remaining > 0):
            taken += 1
            if self.learner.joint:
                total += self.learner.joint_step(*self.sampler.examples(self.options.batch_size))
            else:
                total += self.learner.meta_step(self.sampler.sample(self.options.meta_batch))
                self.formulation = self.learner.formulation
        return taken, float(total) / taken

    def _state(self) -> dict[str, Any]:
        return {
            "learner": self.learner.state_dict(),
            "sampler": self.sampler.state(),
            "loss": self.loss,
            "formulation": self.formulation,
        }

    def _resume(self, state: dict[str, Any]) -> None:
        self.learner.load_state_dict(state["learner"])
        self.sampler.set_state(state["sampler"])
        self.loss, self.formulation = state["loss"], state["formulation"]


def build_learner(options: MetaLearnOptions, task: Task, ways: int, seed: int) -> Learner:
    """A fresh learner. Raises `UserError` for tasks it cannot learn."""
    name = options.backbone
    if name == "auto":
        name = "mlp" if task.kind == "functions" else "conv4"
    backbone = Backbone(name, task.shape, options.width, transductive=options.transductive)
    plugin = plugins.load("learners", options.learner)
    learner: Learner = plugin(options.learner_options(), backbone, ways=ways, seed=seed)
    return learner


def load_learner(folder: Path) -> Learner:
    """The learner that a `final` evaluation left in `folder`. Raises `UserError` when it is not whole."""
    try:
        described = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = torch.load(folder / "weights.pt", map_location="cpu", weights_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"a model folder must hold config.json and weights.pt, but {folder}: {error}; export it again"
        ) from error
    name, shape, width, transductive = described["backbone"]
    backbone = Backbone(name, tuple(shape), width, transductive=transductive)
    plugin = plugins.load("learners", described["learner"])
    learner: Learner = plugin(
        plugin.Options(**described["options"]), backbone, ways=described["ways"], seed=0
    )
    learner.take_exported(weights)
    return learner
