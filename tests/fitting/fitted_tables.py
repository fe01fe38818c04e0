"""A small table, and the keys by which a study of it takes a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np

ROWS = 80
QUICK = (
    "space={name: tabular, fix: {model: extra_trees, forest_trees: 50}}",
    "evaluator={pipeline: {folds: 2}}",
    "executor=local",
    "budget={trials: 1}",
)


def homes(count: int = ROWS, seed: int = 0) -> list[dict[str, str]]:
    """Rows with an id, a number, a date, a gap, a group and a class of two."""
    rng = np.random.default_rng(seed)
    sizes = rng.uniform(20, 200, count)
    return [
        {
            "id": f"h-{number}",
            "size": f"{size:.1f}",
            "sold": f"2024-{1 + number % 12:02}-{1 + number % 28:02}",
            "rooms": "" if number % 7 == 0 else str(number % 5),
            "street": f"s{number % 20}",
            "dear": "yes" if size > 100 else "no",
        }
        for number, size in enumerate(sizes)
    ]


def written(path: Path, rows: list[dict[str, str]]) -> Path:
    """The rows as a CSV file."""
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path
