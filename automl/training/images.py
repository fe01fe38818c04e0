"""What every training of an image network shares: seeds, batches, prediction, resources."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from automl.contracts import Split, Task, UserError
from automl.ranks.group import agreed
from automl.ranks.sharing import divided
from automl.training.augmentation import Augmentation as Augmentation
from automl.training.augmentation import augment as augment
from automl.training.augmentation import augmentation as augmentation

_PREDICT_BATCH = 500
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Images:
    """Images (n, C, H, W), float32, channels-last, and labels (n,), int64, on one device."""

    x: Tensor
    y: Tensor


def require_images(task: Task) -> None:
    """Raise `UserError` unless `task` classifies images."""
    if task.kind == "image" and task.classes == 0:
        raise UserError(
            f"networks learn classes of images, but the targets of {task.name!r} are numbers (regression on "
            "images is not supported); make classes of them and use a metric such as accuracy, or save what "
            "you measure in each image as a row of a table for an evaluator of tables"
        )
    if task.kind != "image" or task.classes < 2:
        raise UserError(
            f"a network needs images with classes, but {task.name!r} is of kind {task.kind} with "
            f"{task.classes} classes; choose another evaluator (automl list evaluators)"
        )


def place(model: Network, device: str) -> Network:
    """`model` on `device` in channels-last layout (1.6 times faster convolutions on a CPU)."""
    model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def to_device(split: Split, device: str) -> Images:
    """A copy of `split` on `device`, once for the whole trial."""
    x = torch.tensor(split.x, dtype=torch.float32, device=device)
    return Images(x.contiguous(memory_format=torch.channels_last), torch.tensor(split.y, device=device))


@contextlib.contextmanager
def seeded(seed: int, device: str) -> Iterator[None]:
    """Seed torch on the CPU and `device` inside the block, with deterministic kernels; restore after it."""
    devices = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices), torch.backends.cudnn.flags(enabled=True, deterministic=True):
        torch.manual_seed(seed)
        yield


def rng_state(device: str) -> list[Tensor]:
    """The states of torch's generators on the CPU and on `device`."""
    states = [torch.get_rng_state()]
    if device.startswith("cuda"):
        states.append(torch.cuda.get_rng_state(device))
    return states


def set_rng_state(states: list[Tensor], device: str) -> None:
    """Continue from what `rng_state` gave; the CPU's alone when the trial moved to another kind of device."""
    torch.set_rng_state(states[0])
    if device.startswith("cuda") and len(states) > 1:
        torch.cuda.set_rng_state(states[1], device)


def batches(count: int, size: int, device: str) -> list[Tensor]:
    """A random permutation of 0 … count-1 in batches; a last batch of a single image is left out.

    (Batch normalisation over one value has no variance.)
    """
    parts = torch.randperm(count).to(device).split(size)  # type: ignore[no-untyped-call]
    return list(parts[:-1] if len(parts) > 1 and len(parts[-1]) == 1 else parts)


@torch.inference_mode()
def predict(model: nn.Module, x: Tensor) -> np.ndarray:
    """Class probabilities (n, classes), float64, of `model` in evaluation mode.

    The ranks of a trial divide the batches, so the numbers are those of one rank.
    """
    model.eval()
    parts = x.split(_PREDICT_BATCH)  # type: ignore[no-untyped-call]
    logits = divided(lambda place: model(parts[place]), [len(part) for part in parts])
    probabilities: np.ndarray = logits.double().softmax(dim=1).cpu().numpy()
    return probabilities


def count_parameters(model: nn.Module) -> int:
    """Number of trained parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def count_bytes(model: nn.Module) -> int:
    """Bytes of its weights and buffers, as they are saved."""
    return sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())


@torch.inference_mode()
def count_flops(model: nn.Module, image: Tensor) -> int:
    """Floating-point operations of one forward pass of `image` (1, C, H, W): 2 × multiply-adds."""
    from torch.utils.flop_counter import FlopCounterMode  # torch takes seconds to import

    model.eval()
    with FlopCounterMode(display=False) as counter:
        model(image)
    return int(counter.get_total_flops())


@torch.inference_mode()
def measure_latency(model: nn.Module, image: Tensor, repeats: int = 20) -> float:
    """Median wall seconds of a forward pass of `image` (1, C, H, W), after one to warm up; on rank 0."""
    model.eval()
    model(image)
    times = []
    for _ in range(repeats):
        start = clock(image.device)
        model(image)
        times.append(clock(image.device) - start)
    return agreed(float(np.median(times)))


def clock(device: torch.device) -> float:
    """Wall seconds, after everything queued on `device` is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
