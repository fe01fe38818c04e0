"""The sealed test set: the functions that hand it out, of a dataset and of a benchmark table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automl.benchmarks import Table, find_file
from automl.contracts import Config, Split
from automl.data.parts import load_parts, require_test


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
    require_test(parts)
    if parts.dataset.test is not None:
        return parts.prepared(parts.dataset.test)
    return parts.split(parts.rows.test)


def open_test_column(
    file: str, name: str, winners: Sequence[Config], count: int, *, openings: Sequence[int]
) -> list[list[float]]:
    """The test values of `winners` in column `name` of a benchmark table: `count` seeds of each, or all.

    The column `name`_seeds holds them where there is one. `openings` are the ids of the ledger's rows
    that record these openings, one for each winner: they are written first. The table is read again and
    not kept. Raises `UserError` for an unusable column.
    """
    if len(openings) != len(winners) or not all(opening >= 1 for opening in openings):
        raise ValueError(
            f"each opening of the test set must be recorded before it happens, but got {openings}"
        )
    table = Table(find_file(file))
    column = table.column(f"{name}_seeds" if f"{name}_seeds" in table.columns else name)
    return [column.all(table.row(config))[:count] for config in winners]
