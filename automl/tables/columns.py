"""What a configuration does to the columns of a table before its model gets them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from automl.tables.texts import of_texts
from automl.tables.values import Values, choice, unknown

CATEGORIES: Final = 32  # that get a column of their own; further ones share one
LARGE: Final = 10  # categories of a column from which on `target` encodes by the target
CODES: Final = 250  # categories that a model takes as they are; HistGradientBoosting has 255 bins
PARTS: Final = 5  # of the rows, each of which `target` encodes by the others
IMPUTATIONS: Final = ["mean", "median", "most_frequent"]


@dataclass(frozen=True)
class Prepared:
    """A transformer of a tidy table.

    `categories`: so many leading columns of its output are categories; `numbers`: the names of the columns
    of numbers that follow them.
    """

    transformer: Any
    categories: int = 0
    numbers: tuple[str, ...] = ()

    def signs(self, monotone: Mapping[str, int], features: int) -> list[int]:
        """The sign of each of so many prepared features, 0 where `monotone` has none for its column."""
        found = [0] * features
        for place, name in enumerate(self.numbers, self.categories):
            found[place] = monotone.get(name, 0)
        return found


def prepared(table: Any, config: Values, classes: int, seed: int, texts: Collection[str] = ()) -> Prepared:
    """The columns of the tidy DataFrame `table` (n, features) as the model of `config` takes them.

    Boosting with `boosting_encoding` keeps missing numbers, which its trees split by. `texts`: the columns of
    words, not of categories.
    """
    from sklearn.compose import ColumnTransformer  # scikit-learn takes a second to import

    numbers = list(table.select_dtypes("number").columns)
    others = list(table.columns.difference(numbers, sort=False))
    words = [name for name in others if name not in texts]
    told = [  # each by itself, as a Series
        (f"text {number}", of_texts(config, len(table), seed), name)
        for number, name in enumerate(name for name in others if name in texts)
    ]
    how = config["boosting_encoding"]
    if how is None:
        of_words = _encoded(table, words, config, "encoding", classes, seed)
        parts = [("numbers", _imputer(config), numbers), *of_words, *told]
        return Prepared(ColumnTransformer(parts), numbers=tuple(numbers))
    numbers = [
        name for name in numbers if table[name].notna().any()
    ]  # the others cannot be divided into bins
    if how == "native":
        as_they_are = "passthrough" if config["model"] == "catboost" else _codes(config)
        parts = [("words", as_they_are, words), ("numbers", "passthrough", numbers), *told]
        return Prepared(ColumnTransformer(parts), len(words), tuple(numbers))
    of_words = _encoded(table, words, config, "boosting_encoding", classes, seed)
    parts = [("numbers", "passthrough", numbers), *of_words, *told]
    return Prepared(ColumnTransformer(parts), numbers=tuple(numbers))


def scaler(name: str, rows: int, *, clipping: bool = False) -> Any:
    """A transformer of numbers for `rows` rows; None for `none`.

    `clipping`: numbers beyond those of the rows that are fitted count as the last of them, as `quantile` has
    it anyhow.
    """
    # scikit-learn takes a second to import
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler

    scalers: dict[str, Callable[[], Any]] = {
        "none": lambda: None,
        "standard": StandardScaler,
        "robust": RobustScaler,
        "quantile": lambda: QuantileTransformer(
            n_quantiles=min(1000, rows), subsample=rows, output_distribution="normal"
        ),
    }
    made = choice("scaling", {"scaling": name}, scalers)()
    if not clipping or made is None or name == "quantile":
        return made
    return make_pipeline(MinMaxScaler(clip=True), made)


def _imputer(config: Values) -> Any:
    from sklearn.impute import SimpleImputer  # scikit-learn takes a second to import

    how = config["imputation"]
    if how not in IMPUTATIONS:
        raise unknown("imputation", config, IMPUTATIONS)
    return SimpleImputer(strategy=how, keep_empty_features=True, add_indicator=config["indicators"])


def _encoded(
    table: Any, words: list[str], config: Values, name: str, classes: int, seed: int
) -> list[tuple[str, Any, list[str]]]:
    """The parts of a ColumnTransformer for the columns `words`, as the parameter `name` says."""
    encoders: dict[str, Callable[[], Any]] = {
        "one_hot": lambda: _one_hot(config),
        "ordinal": lambda: _ordinal(config, unknown_value=-1),
        "target": lambda: _by_target(len(table), classes, seed),
    }
    encoder = choice(name, config, encoders)
    if config[name] != "target":
        return [("words", encoder(), words)]
    large = [word for word in words if table[word].nunique() > LARGE]
    small = [word for word in words if word not in large]
    return [("words", _one_hot(config), small), ("large", encoder(), large)]


def _one_hot(config: Values) -> Any:
    from sklearn.preprocessing import OneHotEncoder  # scikit-learn takes a second to import

    return OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=CATEGORIES,
        min_frequency=_least(config),
        sparse_output=False,
    )


def _ordinal(config: Values, unknown_value: float, most: int | None = None) -> Any:
    from sklearn.preprocessing import OrdinalEncoder  # scikit-learn takes a second to import

    return OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=unknown_value,
        min_frequency=_least(config),
        max_categories=most,
    )


def _codes(config: Values) -> Any:
    """Categories by number; one that was not seen counts as missing."""
    return _ordinal(config, unknown_value=float("nan"), most=CODES)


def _by_target(rows: int, classes: int, seed: int) -> Any:
    """Means of the target by category, of each row from other rows (Micci-Barreca, 2001)."""
    from sklearn.model_selection import KFold  # scikit-learn takes a second to import
    from sklearn.preprocessing import TargetEncoder  # scikit-learn takes a second to import

    kind = "continuous" if not classes else "binary" if classes == 2 else "multiclass"
    return TargetEncoder(target_type=kind, cv=KFold(min(PARTS, rows), shuffle=True, random_state=seed))


def _least(config: Values) -> int | None:
    """Rows below which categories share one; None for no such rule."""
    return config["rare"] if config["rare"] > 1 else None
