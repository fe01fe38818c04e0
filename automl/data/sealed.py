"""The sealed test set: the one function that hands it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automl.contracts import Split, UserError
from automl.data.parts import load_parts


def open_test(spec: Mapping[str, Any], import_path: Sequence[str] = (), *, opening: int) -> Split:
    """The test rows of `spec`, prepared as the training rows were; the official test part where there is one.

    `opening` is the id of the row of the ledger that records this opening: it is written first.
    Raises `UserError` when no part was held out.
    """
    if opening < 1:
        raise ValueError(
            f"an opening of the test set must be recorded before it happens, but got id {opening}"
        )
    parts = load_parts(spec, import_path)
    if parts.dataset.test is not None:
        return parts.prepared(parts.dataset.test)
    if len(parts.rows.test) == 0:
        raise UserError(
            f"a test set must be held out to be opened, but task.split.test is 0 and {parts.name!r} has no "
            "official one; set task.split.test, or final: {seeds: 0}"
        )
    return parts.split(parts.rows.test)
