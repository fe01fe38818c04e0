"""Metrics of thousands of predictions of the same rows: as `automl.metrics`, without checks, in NumPy alone.

scikit-learn's checks take a millisecond for each call, which is most of the time of a selection.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from automl import metrics


def metric(name: str) -> Callable[[np.ndarray, np.ndarray], float]:
    """The metric `name` of targets (n,) and finite predictions (n, classes) or (n,), up to rounding."""
    return {"roc_auc": _roc_auc, "f1": _f1}.get(name, lambda y, p: metrics.score([name], y, p)[name])


def _roc_auc(y: np.ndarray, p: np.ndarray) -> float:
    """By ranks (Mann and Whitney); of more than two classes the mean of one against the rest."""
    if p.shape[1] == 2:
        return _auc(y == 1, p[:, 1])
    counts = np.bincount(y, minlength=p.shape[1])
    labels = np.flatnonzero((counts > 0) & (counts < len(y)))
    return float(np.mean([_auc(y == label, p[:, label]) for label in labels]))


def _auc(positive: np.ndarray, scores: np.ndarray) -> float:
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1, len(scores))
    starts = np.concatenate([[0], ends[:-1]])
    ranks = np.repeat((starts + ends + 1) / 2, ends - starts)
    count = int(positive.sum())
    above = ranks[positive[order]].sum() - count * (count + 1) / 2
    return float(above / (count * (len(scores) - count)))


def _f1(y: np.ndarray, p: np.ndarray) -> float:
    """Of class 1 when there are two classes, else the mean over all classes."""
    classes, found = p.shape[1], p.argmax(axis=1)
    hits = np.bincount(y[y == found], minlength=classes)
    both = np.bincount(y, minlength=classes) + np.bincount(found, minlength=classes)
    values = np.divide(2.0 * hits, both, out=np.zeros(classes), where=both > 0)
    return float(values[1] if classes == 2 else values.mean())
