"""Sizes of memory, counts and times as people write them."""

from __future__ import annotations

import re

UNITS: dict[str, int] = {"B": 1, **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGT", 1)}}
UNITS |= {f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)}
COUNTS: dict[str, int] = {"": 1, "K": 1000, "M": 1000_000, "G": 1000_000_000}
TIMES: dict[str, float] = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_NUMBER = re.compile(r"([+-]?\d+(?:\.\d*)?(?:e[+-]?\d+)?)\s*([a-z]*)", re.IGNORECASE)


def in_bytes(text: str) -> int:
    """The bytes of `4GiB`, `512 MiB` or `1.5GB`. Raises `ValueError` with the rule."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)", text.strip())
    units = {unit.lower(): size for unit, size in UNITS.items()}
    if found is None or found[2].lower() not in units:
        raise ValueError(
            f"must be a number with a unit ({', '.join(UNITS)}), but got {text!r}; write 4GiB, for instance"
        )
    return int(float(found[1]) * units[found[2].lower()])


def in_units(text: str) -> float:
    """The number of `2M` (a count), `5ms` (in seconds) or `4MiB` (in bytes). Raises `ValueError`."""
    found = _NUMBER.fullmatch(text.strip())
    exact: dict[str, float] = {**UNITS, **COUNTS, **TIMES}
    units = {**{unit.lower(): size for unit, size in exact.items()}, **exact}
    del units["m"]  # minutes, metres, a thousandth or a million
    if found is None or found[2] not in units:
        raise ValueError(
            f"must be a number, with a unit or without ({', '.join([*COUNTS, *TIMES, *UNITS]).strip(', ')}), "
            f"but got {text!r}; write 2M, 5ms or 4MiB, for instance"
        )
    return float(found[1]) * units[found[2]]
