"""Cross-validation of a configuration, fold by fold, and the predictions of rows that were held out."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np

from automl import metrics
from automl.checkpoints import write_atomically
from automl.contracts import KEPT, Context, RunError, State, Task
from automl.tables.folds import fewer, folds
from automl.tables.model import TableModel
from automl.tables.needs import needed

FILE: Final = "out_of_fold.npz"
MOST: Final = 1 << 24  # bytes of predictions that a trial keeps
_DAMAGE: Final = (OSError, TypeError, ValueError, KeyError, EOFError, BadZipFile, zlib.error)


@dataclass
class Folded:
    """What the folds that are done have given, in their order.

    `scores`: a value of each metric; `predictions`: of the rows held out, (n, classes) or (n,), float32,
    where they are kept; `notes`: of the fits, each once.
    """

    scores: list[list[float]] = field(default_factory=list)
    predictions: list[np.ndarray] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, state: State | None, classes: int) -> Folded:
        """The one whose `state` a checkpoint has; an empty one without."""
        if state is None:
            return cls()
        shape = (-1, classes) if classes else (-1,)
        texts = state.get("predictions", ())
        found = [np.frombuffer(base64.b64decode(text), np.float32).reshape(shape) for text in texts]
        return cls(state["scores"], found)

    @property
    def state(self) -> State:
        """For a checkpoint: texts and numbers, which need no torch, whose import takes seconds."""
        if not self.predictions:
            return {"scores": self.scores}
        texts = [base64.b64encode(found.tobytes()).decode() for found in self.predictions]
        return {"scores": self.scores, "predictions": texts}

    @property
    def means(self) -> list[float]:
        """Of each metric, over the folds."""
        found: list[float] = np.mean(self.scores, axis=0).tolist()
        return found

    def deviations(self, names: Sequence[str]) -> dict[str, float]:
        """Of the metrics `names`, over the folds; none of a single one."""
        if len(self.scores) < 2:
            return {}
        found = np.std(self.scores, axis=0, ddof=1).tolist()
        return {f"{name}_fold_std": value for name, value in zip(names, found, strict=True)}


@dataclass(frozen=True)
class Folding:
    """How a configuration is cross-validated, in `count` folds.

    `weights`: of the training rows, for fits. `keep`: predictions of all rows held out go to the folder
    `KEPT` once all folds are done. `predictions_too`: they are given. `first`: step 0 is a fit on this share
    of the rows of the first fold, for pruners alone.
    """

    count: int
    weights: np.ndarray | None
    keep: bool
    predictions_too: bool = False
    first: float | None = None


def cross_validate(
    context: Context, names: list[str], make: Callable[[], TableModel], how: Folding
) -> Folded:
    """Fit and score the folds, reporting the running mean after each; an earlier attempt's are not made.

    Fewer, at least one, where the budget is used up and the search has no value yet: a report would end the
    trial without one. `names`: of metrics, also of what a model needs.
    """
    task, found = context.task, context.checkpoint.load()
    done = Folded.of(found[1] if found else None, task.classes)
    for fold, (fit, held) in enumerate(folds(task, how.count), start=1):
        if fold <= len(done.scores):
            continue
        if how.first is not None and found is None and fold == 1 and not context.needs_value:
            few, _ = _fold(context, names, make(), (fewer(task, fit, how.first), held), how.weights)
            context.report(0, few[names[0]], **{name: few[name] for name in names[1:]})
            context.checkpoint.save(0, done.state)
        model = make()
        values, predictions = _fold(context, names, model, (fit, held), how.weights)
        done.notes += [note for note in model.notes if note not in done.notes]
        done.scores.append([values[name] for name in names])
        if how.keep or how.predictions_too:
            done.predictions.append(predictions.astype(np.float32))
        if context.needs_value and context.remaining <= 0:
            break
        means = dict(zip(names, done.means, strict=True))
        context.report(fold, means[names[0]], **{name: means[name] for name in names[1:]})
        context.checkpoint.save(fold, done.state)
    if how.keep and len(done.predictions) == how.count:
        write(context.workdir / KEPT, np.concatenate(done.predictions), task.digest)
    return done


def _fold(
    context: Context,
    names: list[str],
    model: TableModel,
    rows: tuple[np.ndarray, np.ndarray],
    weights: np.ndarray | None,
) -> tuple[dict[str, float], np.ndarray]:
    """Fit `model` on the first of `rows`: the metrics `names` and the predictions of the others."""
    part, (fit, held) = context.task.train, rows
    model.fit(part.x.iloc[fit], part.y[fit], None if weights is None else weights[fit])
    predictions = model.predict(part.x.iloc[held])
    needs = needed(model, part.x.iloc[held[:1]], names)
    context.measured(**needs)
    predicted = [name for name in names if name not in metrics.RESOURCES]
    return {**metrics.score(predicted, part.y[held], predictions), **needs}, predictions


def may_keep(task: Task) -> str:
    """Why predictions of all training rows are not kept; "" where they are."""
    size = 4 * len(task.train) * max(1, task.classes)
    if size <= MOST:
        return ""
    return (
        f"predictions of {len(task.train):,} rows and {task.classes} classes take {size >> 20} MiB, more "
        f"than the {MOST >> 20} MiB that a trial may keep: no ensemble or threshold is made of them"
    )


def write(folder: Path, predictions: np.ndarray, digest: str) -> None:
    """Keep the predictions of rows held out, fold after fold. `digest`: of the data.

    The file is compressed, with a checksum of each part, and is there whole or not at all.
    """
    stream = io.BytesIO()
    np.savez_compressed(stream, predictions=predictions, digest=np.array(digest))
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / FILE, stream.getvalue())


def read(folder: Path, shape: tuple[int, ...], digest: str) -> np.ndarray:
    """What `write` kept, float32. Raises `RunError` when it is damaged, or not of these data."""
    try:
        with (folder / FILE).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            found, own = file["predictions"], str(file["digest"])
    except _DAMAGE as error:
        raise RunError(f"{FILE} cannot be read: {error}") from error
    if own != digest or found.shape != shape or not np.isfinite(found).all():
        raise RunError(f"{FILE} is not of these data")
    return np.asarray(found, dtype=np.float32)
