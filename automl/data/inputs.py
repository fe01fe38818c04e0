"""What a model that leaves this project must know of its data: standardisation, and what its classes mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automl.contracts import TaskSpec
from automl.data import sources
from automl.data.parts import load_parts


def normalisation(spec: Mapping[str, Any], import_path: Sequence[str] = ()) -> dict[str, list[float]] | None:
    """`mean` and `std` of each channel over the training images of `spec`; None for tables."""
    parts = load_parts(spec, import_path)
    if parts.mean is None or parts.std is None:
        return None
    return {"mean": parts.mean.ravel().tolist(), "std": parts.std.ravel().tolist()}


def class_names(spec: Mapping[str, Any], import_path: Sequence[str] = ()) -> list[str]:
    """What stands for class 0, 1, … in the dataset of `spec`: its own labels where it has any."""
    import numpy as np  # NumPy is needed for data alone

    dataset = sources.read(TaskSpec.from_json(spec), import_path)
    if dataset.classes is not None:
        return [str(number) for number in range(dataset.classes)]
    parts = [dataset.y, *([dataset.test.y] if dataset.test else [])]
    values = np.concatenate([np.asarray(part) for part in parts])
    labels = np.unique(values if values.dtype.kind in "iuf" else values.astype(str))
    return [str(label) for label in labels]
