"""Sizes of memory as people write them."""

from __future__ import annotations

import re

UNITS: dict[str, int] = {"B": 1, **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGT", 1)}}
UNITS |= {f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)}


def in_bytes(text: str) -> int:
    """The bytes of `4GiB`, `512 MiB` or `1.5GB`. Raises `ValueError` with the rule."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)", text.strip())
    units = {unit.lower(): size for unit, size in UNITS.items()}
    if found is None or found[2].lower() not in units:
        raise ValueError(
            f"must be a number with a unit ({', '.join(UNITS)}), but got {text!r}; write 4GiB, for instance"
        )
    return int(float(found[1]) * units[found[2].lower()])
