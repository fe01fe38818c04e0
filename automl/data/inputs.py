"""What a model that leaves this project must know of its data: standardisation, and what its classes mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automl.data.parts import load_parts


def normalisation(spec: Mapping[str, Any], import_path: Sequence[str] = ()) -> dict[str, list[float]] | None:
    """`mean` and `std` of each channel over the training images of `spec`; None for tables."""
    parts = load_parts(spec, import_path)
    if parts.mean is None or parts.std is None:
        return None
    return {"mean": parts.mean.ravel().tolist(), "std": parts.std.ravel().tolist()}


def class_names(spec: Mapping[str, Any], import_path: Sequence[str] = ()) -> list[str]:
    """What stands for class 0, 1, … in the dataset of `spec`: its own labels where it has any."""
    return list(load_parts(spec, import_path).labels)
