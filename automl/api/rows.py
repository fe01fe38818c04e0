"""Tables as programs hold them: of pandas, polars or numpy, or as a mapping of columns.

pandas takes half a second to import.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from automl.checkpoints import write_atomically
from automl.contracts import Json, UserError
from automl.private import private_in

if TYPE_CHECKING:
    import pandas as pd

    from automl.ledger import Store

FOLDER: Final = "tables"  # of a store, for tables that were given in memory
WRITTEN: Final = {"header": True, "separator": ",", "decimal": ".", "encoding": "utf-8"}  # `task.read`
COLUMN: Final = "x{}"  # the name of a column of an array


def frame_of(data: Any) -> pd.DataFrame:
    """Rows as a DataFrame: a DataFrame as it is, one of polars, an array (n, columns), or a mapping.

    Columns of an array are called x0, x1, …. Raises `UserError` for anything else, and for a name that two
    columns have.
    """
    import numpy as np  # see the module's docstring
    import pandas as pd  # see the module's docstring

    if isinstance(data, pd.DataFrame):
        frame = data
    elif isinstance(data, Mapping):
        frame = pd.DataFrame(dict(data))
    elif type(data).__module__.partition(".")[0] == "polars" and type(data).__name__ == "DataFrame":
        frame = pd.DataFrame({name: data[name].to_list() for name in data.columns})
    elif isinstance(data, np.ndarray) and data.ndim == 2:
        frame = pd.DataFrame(data, columns=[COLUMN.format(place) for place in range(data.shape[1])])
    else:
        raise UserError(
            "rows must be a table of pandas or polars, an array of two dimensions, a mapping of columns or "
            f"the path of a file, but got {type(data).__name__}; make a DataFrame of them"
        )
    names = [str(name) for name in frame.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"every column must have a name of its own, but {twice[0]!r} is there more than once")
    return frame


def kept(frame: pd.DataFrame, store: Store, name: str) -> Path:
    """The file in which the store keeps a table: campaigns that go on read it again."""
    text = frame.to_csv(index=False).encode()
    digest = hashlib.sha256(text).hexdigest()
    path = store.folder / FOLDER / digest[:16] / f"{name}.csv"
    if not path.is_file():
        with private_in(store.folder, path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text)
    return path


def columns_of(frame: pd.DataFrame, target: str | None) -> Json:
    """What columns of a DataFrame are, where their cells as texts would not say so: `task.columns`.

    Columns of categories, and of texts that look like numbers, are categories.
    """
    import pandas as pd  # see the module's docstring

    found = []
    for name, column in frame.items():
        if str(name) == target:
            continue
        is_text = pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column)
        cells = column.dropna()
        numbers = is_text and len(cells) > 0 and bool(cells.map(_looks_like_number).all())
        if isinstance(column.dtype, pd.CategoricalDtype) or numbers:
            found.append(str(name))
    return {"categorical": found} if found else {}


def _looks_like_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return isinstance(cell, str)
