"""Priorities: how much of a place a campaign gets beside others."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from automl.contracts import UserError

PRIORITIES: Final = {"low": 5, "normal": 10, "high": 20}
LARGEST: Final = 100
_HOW: Final = f"write low, normal, high, or an integer from 1 to {LARGEST}"
Priority: TypeAlias = (
    Literal["low", "normal", "high"] | Annotated[int, Field(ge=1, le=LARGEST, description=_HOW)]
)


def weight_of(priority: str | int) -> int:
    """A priority as a number: of two campaigns at one place, one of twice it gets twice the slots."""
    return PRIORITIES[priority] if isinstance(priority, str) else priority


def read_priority(text: str) -> int:
    """The weight of a priority as a command line has it. Raises `UserError` for what is none."""
    if text in PRIORITIES:
        return PRIORITIES[text]
    if text.isascii() and text.isdigit() and 1 <= int(text) <= LARGEST:
        return int(text)
    raise UserError(f"a priority must be low, normal, high or 1 to {LARGEST}, but got {text!r}; {_HOW}")
