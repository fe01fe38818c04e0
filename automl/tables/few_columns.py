"""A few rows as the model of a fitted pipeline takes them: what its transformers do, without their checks.

The numbers are those of the transformers to the last digit, and lie in memory as theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, Final, TypeAlias

import numpy as np

from automl.tables.few_texts import few_texts
from automl.tables.not_few import NotFewError

MOST_CATEGORIES: Final = 100_000  # of a column, for which a lookup is kept
Columns: TypeAlias = Mapping[str, np.ndarray]  # of a table by name, (n,) each
Block: TypeAlias = Callable[[Columns], np.ndarray]


def few_columns(transformer: Any) -> Block:
    """What a fitted ColumnTransformer makes of columns, (n, features). Raises `NotFewError` for others."""
    if transformer.remainder != "drop":
        raise NotFewError
    parts = [(one, names) for _, one, names in transformer.transformers_ if len(names) and one != "drop"]
    blocks = [few_block(one, names) for one, names in parts]

    def matrix(columns: Columns) -> np.ndarray:
        return np.hstack([block(columns) for block in blocks])

    return matrix


def few_block(transformer: Any, names: Sequence[str] | str) -> Block:
    """What one part of a ColumnTransformer makes of its columns; a single name is a column of texts."""
    # scikit-learn takes a second to import
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

    if isinstance(names, str):
        if type(transformer) is not Pipeline:
            raise NotFewError
        numbers = few_texts(transformer)
        return lambda columns: numbers(few_words(columns, names))
    if transformer == "passthrough" or _keeps_all(transformer):
        return lambda columns: _as_they_are(columns, names)
    if type(transformer) is SimpleImputer:
        return _imputed(transformer, names)
    if type(transformer) in (OneHotEncoder, OrdinalEncoder, TargetEncoder):
        return _looked_up(transformer, names)
    raise NotFewError


def few_scaled(transformer: Any) -> Callable[[np.ndarray], np.ndarray]:
    """What a fitted scaler does to numbers (n, features), which it may overwrite."""
    # scikit-learn takes a second to import
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler

    if type(transformer) is Pipeline:
        steps = [few_scaled(step) for _, step in transformer.steps]
        return lambda x: reduce(lambda found, step: step(found), steps, x)
    if type(transformer) is MinMaxScaler and transformer.clip:
        low, high = transformer.feature_range
        return lambda x: np.clip(_affine_of(x, transformer.scale_, transformer.min_), low, high, out=x)
    if type(transformer) is StandardScaler:
        return lambda x: _affine(x, transformer.mean_, transformer.scale_)
    if type(transformer) is RobustScaler:
        return lambda x: _affine(x, transformer.center_, transformer.scale_)
    if type(transformer) is QuantileTransformer and transformer.output_distribution == "normal":
        return _quantiles(transformer)
    raise NotFewError


def few_words(columns: Columns, name: str) -> list[str]:
    """A column of texts as `tidy` makes it. Raises `NotFewError` for cells of other types."""
    cells = _column(columns, name)
    if cells.dtype.kind not in "OT":
        raise NotFewError
    found = ["missing" if cell is None or cell != cell else cell for cell in cells.tolist()]
    if not all(type(cell) is str for cell in found):
        raise NotFewError
    return found


def _keeps_all(transformer: Any) -> bool:
    """Whether it is what scikit-learn makes of "passthrough"."""
    from sklearn.preprocessing import FunctionTransformer  # scikit-learn takes a second to import

    return type(transformer) is FunctionTransformer and transformer.func is None


def _column(columns: Columns, name: str) -> np.ndarray:
    if name not in columns:
        raise NotFewError
    return columns[name]


def _floats(columns: Columns, names: Sequence[str]) -> np.ndarray:
    """Columns of finite or missing numbers as a DataFrame has them in memory, column by column."""
    found = [_column(columns, name) for name in names]
    if not all(one.dtype.kind in "fiub" for one in found):
        raise NotFewError
    numbers = np.empty((len(found[0]), len(found)), np.float64, order="F")
    for place, one in enumerate(found):
        numbers[:, place] = one
    if np.isinf(numbers).any():
        raise NotFewError
    return numbers


def _as_they_are(columns: Columns, names: Sequence[str]) -> np.ndarray:
    """Numbers, or texts where the first column has them."""
    if _column(columns, names[0]).dtype.kind in "fiub":
        return _floats(columns, names)
    texts = np.empty((len(columns[names[0]]), len(names)), object, order="F")
    for place, name in enumerate(names):
        texts[:, place] = few_words(columns, name)
    return texts


def _imputed(transformer: Any, names: Sequence[str]) -> Block:
    statistics, indicator = transformer.statistics_.astype(np.float64), transformer.indicator_
    marked = None if indicator is None else indicator.features_

    def block(columns: Columns) -> np.ndarray:
        numbers = _floats(columns, names)
        gone = np.isnan(numbers)
        np.copyto(numbers, statistics, where=gone)
        if marked is None:
            return numbers
        return np.hstack((numbers, gone[:, marked] if len(marked) < len(names) else gone))

    return block


def _looked_up(encoder: Any, names: Sequence[str]) -> Block:
    """An encoder's rows for all categories that it knows, and for one that it does not know."""
    known = [list(categories) for categories in encoder.categories_]
    if max(map(len, known)) > MOST_CATEGORIES:
        raise NotFewError
    rows, stranger = 1 + max(map(len, known)), "unknown"
    while any(stranger in categories for categories in known):
        stranger += "?"
    cells = np.full((rows, len(names)), stranger, object)
    for place, categories in enumerate(known):
        cells[: len(categories), place] = categories
    encoded = np.asarray(encoder.transform(_table(cells, names)), np.float64)
    ends = np.cumsum(_widths(encoder, encoded.shape[1])).tolist()
    tables = []
    for place, (begin, end) in enumerate(zip([0, *ends], ends, strict=False)):
        codes = {category: row for row, category in enumerate(known[place])}
        tables.append((names[place], codes, encoded[: len(codes) + 1, begin:end].copy(), begin, end))

    def block(columns: Columns) -> np.ndarray:
        found = np.empty((len(_column(columns, names[0])), encoded.shape[1]))
        for name, codes, table, begin, end in tables:
            unknown = len(codes)
            rows = [codes.get(text, unknown) for text in few_words(columns, name)]
            found[:, begin:end] = table[rows]
        return found

    return block


def _table(cells: np.ndarray, names: Sequence[str]) -> Any:
    import pandas as pd  # pandas takes half a second to import

    return pd.DataFrame(cells, columns=list(names), dtype=object)


def _widths(encoder: Any, total: int) -> list[int]:
    """How many features an encoder makes of each column."""
    from sklearn.preprocessing import OneHotEncoder  # scikit-learn takes a second to import

    columns = len(encoder.categories_)
    if type(encoder) is not OneHotEncoder:
        return [total // columns] * columns
    names = encoder.infrequent_categories_ if _shares(encoder) else [None] * columns
    return [
        len(known) if rare is None else len(known) - len(rare) + 1
        for known, rare in zip(encoder.categories_, names, strict=True)
    ]


def _shares(encoder: Any) -> bool:
    return encoder.max_categories is not None or encoder.min_frequency is not None


def _affine(x: np.ndarray, middle: np.ndarray, spread: np.ndarray) -> np.ndarray:
    x -= middle
    x /= spread
    return x


def _affine_of(x: np.ndarray, factor: np.ndarray, summand: np.ndarray) -> np.ndarray:
    x *= factor
    x += summand
    return x


def _quantiles(transformer: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Both interpolations of scikit-learn, then the quantiles of a normal distribution, for all columns."""
    from scipy.special import ndtri  # scipy takes a while to import

    edge = 1e-7  # scikit-learn's BOUNDS_THRESHOLD
    low, high = ndtri(edge - np.spacing(1)), ndtri(1 - (edge - np.spacing(1)))
    references, columns = transformer.references_, np.ascontiguousarray(transformer.quantiles_.T)
    other_way = -references[::-1]

    def scaled(x: np.ndarray) -> np.ndarray:
        below, above = x - edge < columns[:, 0], x + edge > columns[:, -1]
        for place, quantiles in enumerate(columns):
            one = x[:, place]
            x[:, place] = 0.5 * (
                np.interp(one, quantiles, references) - np.interp(-one, -quantiles[::-1], other_way)
            )
        x[above] = 1.0
        x[below] = 0.0
        x[:] = np.clip(ndtri(x), low, high)
        return x

    return scaled
