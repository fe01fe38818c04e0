"""From typed objects to plain JSON, at the edge of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from pydantic import JsonValue


def plain(value: object) -> JsonValue:
    """JSON of dataclasses (by their fields), mappings, sequences and scalars; null for NaN and infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"a report must be made of dataclasses and JSON values, but got {value!r}")


def finite(value: float | None) -> float | None:
    """The number; None for NaN and infinity."""
    return value if value is not None and math.isfinite(value) else None
