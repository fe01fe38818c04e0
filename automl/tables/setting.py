"""What a model is made for, besides its configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """`classes`: 0 for regression; `rows` to be fitted; `categories`: leading columns that are categories."""

    classes: int
    seed: int
    rows: int
    threads: int = 1
    categories: int = 0
