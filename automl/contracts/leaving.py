"""What trials leave beside their values, and which of it a final evaluation combines.

Use it from `automl.contracts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from automl.contracts.basics import Config

KEPT: Final = "kept"  # the folder of a working folder in which a trial leaves what may be combined
# metrics of a final evaluation that has combined trials: how many, and their value of the first metric of the
# study, to be compared with those of the trials
COMBINED: Final = "ensemble_members"
COMBINED_VALUE: Final = "ensemble_value"
# and of one that predicts the second of two classes from a threshold of its probability on: this, the value
# of the first metric on rows that have not chosen it, and that where the larger probability decides
THRESHOLD: Final = "threshold"
THRESHOLD_VALUE: Final = "threshold_value"
THRESHOLD_PLAIN: Final = "threshold_plain"
# what a test measures of prediction intervals: the share of targets in those of the level, their mean width
INTERVAL_LEVEL: Final = 0.9
INTERVAL_SHARE: Final = "interval_share"
INTERVAL_WIDTH: Final = "interval_width"
# of prediction sets: the share of rows whose class is in theirs, and how many classes they have on average
SET_SHARE: Final = "set_share"
SET_SIZE: Final = "set_size"


@dataclass(frozen=True)
class StoredFile:
    """What a file in a storage must be: its sha-256 in hexadecimal, and its bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Candidate:
    """A complete trial that a final evaluation may combine with others (see `Evaluator.combined`).

    `value`: of the primary metric; `cost`: device-seconds. What it has left is in the folder `workdir`; or in
    the one at the URL `storage`, where `files` lists it.
    """

    trial: str
    config: Config
    value: float
    cost: float
    workdir: str | None = None
    storage: str | None = None
    files: Mapping[str, StoredFile] | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Candidate:
        """The candidate that `dataclasses.asdict` wrote."""
        return cls(**{**data, "files": stored_files(data.get("files"))})


def stored_files(data: Mapping[str, Any] | None) -> dict[str, StoredFile] | None:
    """Files that `dataclasses.asdict` wrote, by path in a working folder."""
    return None if data is None else {name: StoredFile(**found) for name, found in data.items()}
