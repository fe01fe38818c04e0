"""One network in training: its optimiser, its data, its average; an epoch, a checkpoint."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from automl.contracts import Checkpoint, Config, Context, RunError, State
from automl.layers.regularised import PathDropping, takes_auxiliary
from automl.ranks.group import current, require_same
from automl.ranks.norms import synchronise
from automl.ranks.sharing import digest, from_rank_0, rows_of, shared, synchronised
from automl.training import images, saved
from automl.training.averaging import Average
from automl.training.images import Images
from automl.training.norm_statistics import BETWEEN, FINISHED, reestimate
from automl.training.recipe import NetworkOptions, Schedule, equip, uses_bf16, without_auxiliary


@dataclass
class Fit:
    """A network in training by `options`. `loss`: mean of the last epoch, with that of the auxiliary head.

    `estimated`: whether the batch-norm statistics are those of the weights. Everything but this, `options`
    and `data` is in its checkpoints, so a training that goes on from one ends bit for bit as it would have.
    """

    model: nn.Module
    optimiser: torch.optim.Optimizer
    average: Average | None
    data: Images
    options: NetworkOptions
    augment: images.Augmentation
    device: str
    loss: float = math.nan
    estimated: bool = False

    @classmethod
    def start(cls, config: Config, context: Context, options: NetworkOptions) -> Fit:
        """The network of `config` before its first step. Raises `UserError` for options it cannot follow."""
        task = context.task
        model = saved.build_network(context.space, config, task, options)
        equip(model, options, task.shape, task.classes)
        if options.synchronise:
            synchronise(model)
        model = images.place(model, context.device)
        from_rank_0(model)
        return cls(
            model=model,
            optimiser=_optimiser(model, options),
            average=Average(model, options.ema) if options.ema else None,
            data=images.to_device(task.train, context.device),
            options=options,
            augment=images.augmentation(options.augment, task.shape),
            device=context.device,
        )

    def resume(self, checkpoint: Checkpoint | None, first_step: int) -> int:
        """Continue from the checkpoint of an earlier attempt; gives the number of epochs that it had done."""
        if checkpoint is None or checkpoint[0] <= first_step:
            return 0
        step, state = checkpoint
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            self.average.load(state["average"])
        images.set_rng_state(state["rng"], self.device)
        self.loss = state["loss"]
        return step - first_step

    def state(self) -> State:
        """What continues the training in another process."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": None if self.average is None else self.average.state(),
            "rng": images.rng_state(self.device),
            "loss": self.loss,
        }

    @contextlib.contextmanager
    def trained(self, epoch: int) -> Iterator[nn.Module]:
        """The network to validate and save after `epoch`: the average if there is one, no auxiliary head.

        Its batch-norm statistics are estimated again, once after the last step. The running ones belong to
        earlier weights, and after few steps they still hold their start.
        """
        model = self.model if self.average is None else self.average.model
        with without_auxiliary(model):
            if not self.estimated:
                finished = epoch in self.options.annealed()
                reestimate(model, self.data.x, FINISHED if finished else BETWEEN)
                self.estimated = True
            yield model

    def train_epoch(self, epoch: int, ended: Callable[[], bool] | None = None) -> float:
        """One pass over the training data, or the part of it, at least a batch, until `ended`; that part.

        Raises `RunError` when its loss is not finite.
        """
        parts = images.batches(len(self.data.y), self.options.batch_size, self.device)
        schedule = Schedule.of(self.options, len(parts))
        before = (epoch - 1) * len(parts)
        self.set_drop_path(self.options.drop_path_at(epoch))
        self.loss, done = self.train_batches(parts, lambda number: schedule.rate(before + number), ended)
        require_same("weights", digest(self.model.parameters()) if current().size > 1 else "")
        if not math.isfinite(self.loss):
            raise RunError(
                f"the training loss must stay finite, but it is {self.loss} in epoch {epoch}; "
                f"lower learning_rate (now {self.options.learning_rate:g})"
            )
        return done / len(parts)

    def set_drop_path(self, probability: float) -> None:
        """Set the probability of dropped paths, if the recipe has drop-path."""
        if self.options.drop_path:
            assert isinstance(self.model, PathDropping), "equip has checked it"
            self.model.drop_path = probability

    def train_batches(
        self, parts: Sequence[Tensor], rate: Callable[[int], float], ended: Callable[[], bool] | None = None
    ) -> tuple[float, int]:
        """One step for each batch of indices until `ended`; the mean loss, and how many batches were done."""
        self.model.train()
        self.estimated = False
        with synchronised(self.options.synchronise):
            return self._batches(parts, rate, ended)

    def _batches(
        self, parts: Sequence[Tensor], rate: Callable[[int], float], ended: Callable[[], bool] | None
    ) -> tuple[float, int]:
        total, done = torch.zeros((), device=self.device), 0
        for number, part in enumerate(parts):
            for group in self.optimiser.param_groups:
                group["lr"] = rate(number)
            loss = self._loss(part)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self._sum_gradients(len(part))
            if self.options.clip:
                nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
            self.optimiser.step()
            if self.average is not None:
                self.average.update()
            total += loss.detach()
            done = number + 1
            if ended is not None and ended():
                break
        return float(total) / done, done

    def _sum_gradients(self, count: int) -> None:
        """The gradients of a batch of `count` images from those of all ranks, which it was divided among."""
        if rows_of(count) is not None:
            current().total_([w.grad for w in self.model.parameters() if w.grad is not None])

    def _loss(self, part: Tensor) -> Tensor:
        """The loss of a batch of indices, whose images the ranks of the trial divide."""
        options = self.options
        x = images.augment(self.data.x[part], self.augment, padding=options.padding, cutout=options.cutout)
        y, smoothing = self.data.y[part], options.label_smoothing
        kind = torch.device(self.device).type
        with torch.autocast(kind, torch.bfloat16, enabled=uses_bf16(options, self.device)):
            if not options.auxiliary:
                return cross_entropy(shared(self.model, x), y, label_smoothing=smoothing)
            assert takes_auxiliary(self.model), "equip has checked it"
            logits, auxiliary_logits = shared(self.model.forward_with_auxiliary, x)
            auxiliary = cross_entropy(auxiliary_logits, y, label_smoothing=smoothing)
            return cross_entropy(logits, y, label_smoothing=smoothing) + options.auxiliary * auxiliary


def _optimiser(model: nn.Module, options: NetworkOptions) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum; scales, shifts and biases have no weight decay."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": options.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(
        [group for group in groups if group["params"]],
        lr=options.learning_rate,
        momentum=options.momentum,
        nesterov=True,
        fused=True,
    )
