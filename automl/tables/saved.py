"""A fitted pipeline, or an ensemble of some, in a folder: no pickle, and types of known libraries alone.

Those of scikit-learn, NumPy and boosting.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zipfile import BadZipFile

from automl.checkpoints import write_atomically
from automl.contracts import TableReading, UserError
from automl.tables.boosters import PACKAGES

if TYPE_CHECKING:
    from automl.tables.ensembles import Ensemble
    from automl.tables.model import TableModel

FITTED: Final = "model.skops"
DESCRIBED: Final = "table.json"
FORMAT: Final = 1
DECIDING: Final = 2  # the format of a model with a threshold, which earlier versions do not know
REQUIREMENTS: Final = "requirements.txt"
NEEDED: Final = ("numpy", "pandas", "scikit-learn", "skops", "threadpoolctl")
PLAIN: Final = frozenset({"numpy", "pandas", "skops", "threadpoolctl"})  # of which no part of a model is
# types that skops asks about: they hold numbers, and no code; a partial function is what it is of
TRUSTED: Final = frozenset(
    {
        "catboost.core.CatBoostClassifier",
        "catboost.core.CatBoostRegressor",
        "collections.OrderedDict",
        "functools.partial",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "numpy.dtype",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._dist_metrics.ManhattanDistance64",
        "sklearn.metrics._dist_metrics.MinkowskiDistance64",
        "sklearn.model_selection._split.KFold",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils.validation.check_array",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
    }
)


@dataclass(frozen=True)
class Described:
    """How rows are read, and the names of the classes, none for numbers.

    `threshold`: of the probability of the second of two classes, from which on it is predicted; None: the
    larger one decides.
    """

    reading: TableReading
    labels: tuple[str, ...]
    threshold: float | None = None


def save(model: TableModel | Ensemble, described: Described, folder: Path) -> None:
    """Write a fitted model; a killed process leaves an earlier one or this one."""
    write_fitted(model.fitted, folder / FITTED)
    boosting = [family for family in model.families if family in PACKAGES]
    found = packages_distributions() if boosting else {}  # it reads the metadata of all that is installed
    names = [*NEEDED, *(found[family][0] for family in boosting)]
    needed = "".join(f"{name}=={version(name)}\n" for name in names)
    write_atomically(folder / REQUIREMENTS, needed.encode())
    form = FORMAT if described.threshold is None else DECIDING
    text = json.dumps({"format": form, **asdict(described)}, indent=1, ensure_ascii=False)
    write_atomically(folder / DESCRIBED, text.encode())


def load(folder: Path) -> tuple[Any, Described]:
    """The fitted scikit-learn pipeline in `folder`, and what it means.

    Raises `UserError` when there is none, when it is damaged, when other libraries fitted it, when a
    library that it needs is not installed, and for types that no pipeline has.
    """
    _check_versions(folder)
    described = read_described(folder)
    return read_fitted(folder / FITTED), described


def write_fitted(fitted: Any, path: Path) -> None:
    """Write a fitted pipeline of scikit-learn's conventions to a file."""
    import skops.io  # type: ignore[import-untyped]  # takes a second to import

    write_atomically(path, skops.io.dumps(fitted))


def read_fitted(path: Path) -> Any:
    """What `write_fitted` wrote. Raises `UserError` as `load` does, but asks for no versions."""
    import skops.io  # takes a second to import

    try:
        data = path.read_bytes()
        strange = sorted(set(skops.io.get_untrusted_types(data=data)) - TRUSTED)
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise _unreadable(path.parent, error) from error
    if strange:
        raise UserError(
            f"a fitted table model must hold types of pipelines alone, but {path} has "
            f"{', '.join(strange[:5])}; do not use it, and train it again"
        )
    try:
        return skops.io.loads(data, trusted=sorted(TRUSTED))
    except ImportError as error:
        raise UserError(
            f"a fitted table model needs what {path.parent / REQUIREMENTS} lists, but {error}; install it"
        ) from error


def _check_versions(folder: Path) -> None:
    """Raise `UserError` unless the installed libraries, but for their last numbers, fitted the model.

    Objects of scikit-learn are of one version (https://scikit-learn.org/stable/model_persistence.html), and
    so are the attributes of boosters; those that are not installed are told when they are needed.
    """
    try:
        lines = (folder / REQUIREMENTS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return  # an earlier version wrote none
    made = dict(line.split("==", 1) for line in lines if "==" in line)
    fitting = {name: fitted for name, fitted in made.items() if name not in PLAIN}
    here = {name: _installed(name) or fitted for name, fitted in fitting.items()}
    other = [name for name, fitted in fitting.items() if fitted.split(".")[:2] != here[name].split(".")[:2]]
    if other:
        name = other[0]
        raise UserError(
            f"a fitted table model must be used by the {name} that fitted it, but {folder} was fitted "
            f"by {made[name]} and {here[name]} is installed; install {name}=={made[name]} (all versions are "
            f"in {REQUIREMENTS} there), or train it again"
        )


def _installed(name: str) -> str | None:
    """The version of a library that is installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def read_described(folder: Path) -> Described:
    """What a fitted model means. Raises `UserError` as `load` does."""
    try:
        found = json.loads((folder / DESCRIBED).read_text(encoding="utf-8"))
        if found["format"] not in (FORMAT, DECIDING):
            raise ValueError(f"{DESCRIBED} is of format {found['format']}, and this version reads {DECIDING}")
        return _described(found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Path, error: Exception) -> UserError:
    return UserError(
        f"a fitted table model must have {FITTED} and {DESCRIBED}, but {folder}: {error}; train it again"
    )


def _described(found: dict[str, Any]) -> Described:
    return Described(TableReading.from_json(found["reading"]), tuple(found["labels"]), found.get("threshold"))
