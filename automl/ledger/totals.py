"""Sums over the trials of a search, as a frozen dataclass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from automl.contracts import TrialState
from automl.ledger.reader import Reader
from automl.ledger.rows import KINDS
from automl.ledger.rules import COST, COUNT, NAME, one_of


@dataclass(frozen=True)
class TotalRow:
    """The trials of a search that are of one kind and state: how many, and their device-seconds.

    `least` and `most`: of one of them.
    """

    search: str
    kind: str
    state: TrialState
    count: int
    device_seconds: float
    least: float
    most: float


read_total: Final = Reader(
    TotalRow,
    "trials of",
    ("search", "kind", "state"),
    {
        "search": NAME,
        "kind": one_of(KINDS),
        "state": one_of(list(TrialState)),
        "count": COUNT,
        "device_seconds": COST,
        "least": COST,
        "most": COST,
    },
    become={"state": TrialState},
)
