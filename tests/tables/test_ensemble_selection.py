"""Greedy selection by hand, its ties, limits and guard; predictions of rows held out, kept and damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from automl import metrics
from automl.contracts import Direction, Metric, RunError, Split, Task
from automl.tables import cross_validation, quick, selection
from automl.tables.selection import Held, Pool

RMSE, ACCURACY = Metric("rmse", Direction.MINIMIZE), Metric("accuracy", Direction.MAXIMIZE)


def errors(*of_folds: tuple[float, ...], steps: int = 25, **more: object) -> Pool:
    """Trials whose errors are the same for all rows of a fold; each fold has two rows with target 0."""
    folds = len(of_folds[0])
    held = Held(RMSE, [np.zeros(2)] * folds)
    return Pool(held, [np.repeat(one, 2).astype(np.float32) for one in of_folds], steps, **more)  # type: ignore[arg-type]


def test_what_errs_the_other_way_is_added_until_errors_cancel() -> None:
    assert errors((1.0, 1.0), (-1.0, -1.0)).weights() == {0: 0.5, 1: 0.5}
    assert errors((1.0, 1.0), (-2.0, -2.0)).weights() == {0: pytest.approx(2 / 3), 1: pytest.approx(1 / 3)}
    found = errors((1.0, 1.0), (-2.0, -2.0)).selected()
    assert found is not None and found.alone == 1.0
    assert found.value == pytest.approx(0, abs=1e-7) and found.other == pytest.approx(0, abs=1e-7)
    assert errors((1.0, 1.0), (-2.0, -2.0), steps=2).weights() == {0: 0.5, 1: 0.5}
    assert errors((1.0, 1.0), (-2.0, -2.0), steps=1).weights() == {0: 1.0}


def test_of_equal_trials_the_first_is_taken_and_what_adds_nothing_is_not() -> None:
    assert errors((1.0, 1.0), (-1.0, -1.0), (-1.0, -1.0)).weights() == {0: 0.5, 1: 0.5}
    assert errors((1.0, 1.0), (1.0, 1.0)).selected() is None
    assert errors((1.0, 1.0)).selected() is None


def test_a_gain_that_other_folds_do_not_confirm_makes_no_ensemble() -> None:
    pool = errors((1.0, 0.5), (-1.0, 1.1))
    assert pool.weights() == {0: 0.5, 1: 0.5}, "all folds together would take it"
    assert pool.selected() is None
    better = errors((1.0, 0.5), (-1.5, -0.4)).selected()
    assert better is not None and better.other < better.alone
    assert better.alone == pytest.approx(np.mean([1.5, 0.5])), "each half has its own best one"


def test_quick_metrics_are_those_of_scikit_learn_up_to_rounding() -> None:
    rng = np.random.default_rng(0)
    for classes, rows in ((2, 50), (3, 60), (5, 8)):
        y = np.append(np.arange(classes), rng.integers(0, classes, rows - classes))
        p = rng.integers(0, 4, (rows, classes)) + np.array(0.1)  # with ties
        for name in ("roc_auc", "f1", "accuracy", "log_loss"):
            assert quick.metric(name)(y, p) == pytest.approx(metrics.score([name], y, p)[name], abs=1e-12)
    y, p = np.array([0, 0, 0, 2]), rng.random((4, 4))
    for name in ("roc_auc", "f1"):
        assert quick.metric(name)(y, p) == pytest.approx(metrics.score([name], y, p)[name], abs=1e-12)


def test_members_fit_in_the_time_that_is_left() -> None:
    trials = ((1.0, 1.0), (-1.0, -1.0), (-0.5, -0.5))
    assert errors(*trials, costs=[9.0, 2.0, 1.0], most=1.5).weights() == {
        0: pytest.approx(1 / 3),
        2: pytest.approx(2 / 3),
    }
    assert errors(*trials, costs=[9.0, 2.0, 1.0], most=0.5).weights() == {0: 1.0}
    both = errors((1.0, 0.5), (-2.0, 0.0), (0.0, -2.0), costs=[9.0, 1.0, 1.0], most=1.9)
    assert len(both.weights()) == 2, "the second one has no time after the first"


@pytest.mark.parametrize("seed", range(5))
def test_a_selection_is_never_worse_on_its_own_rows_and_the_same_again(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "MEMBERS", 3)
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, 60)
    trials = [rng.dirichlet(np.ones(3), 60) + np.eye(3)[y] * rng.uniform(0, 0.5) for _ in range(9)]
    held = Held(ACCURACY, [y[:20], y[20:40], y[40:]])
    pool = Pool(held, trials, 25)
    weights = pool.weights()
    assert sum(weights.values()) == pytest.approx(1) and len(weights) <= 3
    assert weights == Pool(held, trials, 25).weights() and 0 in weights
    mixed = sum(weight * trials[place] for place, weight in weights.items())
    assert held.value(np.asarray(mixed)) >= held.value(trials[0])


def test_few_rows_choose_among_many_and_every_class_is_there() -> None:
    y = np.array([0] * 997 + [1, 2, 2])
    held, rows = Held(ACCURACY, [y, y[::-1]]).few(100)
    assert sum(map(len, held.parts)) == len(rows) <= 110
    assert all(set(part.tolist()) == {0, 1, 2} for part in held.parts)
    both = np.concatenate([y, y[::-1]])
    assert np.array_equal(both[rows], np.concatenate(held.parts))
    values = np.random.default_rng(0).normal(size=1000)
    few, _ = Held(RMSE, [values]).few(100)
    assert abs(float(np.mean(few.parts[0])) - float(values.mean())) < 0.1
    assert Held(RMSE, [values]).few(1000)[1].tolist() == list(range(1000))


def test_kept_predictions_are_read_again_and_damage_is_told(tmp_path: Path) -> None:
    found = np.random.default_rng(0).random((30, 3)).astype(np.float32)
    cross_validation.write(tmp_path / "kept", found, "d" * 64)
    assert np.array_equal(cross_validation.read(tmp_path / "kept", (30, 3), "d" * 64), found)
    for shape, digest in (((30,), "d" * 64), ((29, 3), "d" * 64), ((30, 3), "e" * 64)):
        with pytest.raises(RunError, match=r"out_of_fold\.npz is not of these data"):
            cross_validation.read(tmp_path / "kept", shape, digest)
    file = tmp_path / "kept" / cross_validation.FILE
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 255
    for damaged in (whole[:100], whole[:-40], bytes(flipped), b"", b"no archive"):
        file.write_bytes(damaged)
        with pytest.raises(RunError, match=r"out_of_fold\.npz cannot be read"):
            cross_validation.read(tmp_path / "kept", (30, 3), "d" * 64)
    file.unlink()
    with pytest.raises(RunError, match="cannot be read"):
        cross_validation.read(tmp_path / "kept", (30, 3), "d" * 64)
    cross_validation.write(tmp_path / "kept", np.full((30, 3), np.nan, np.float32), "d" * 64)
    with pytest.raises(RunError, match="not of these data"):
        cross_validation.read(tmp_path / "kept", (30, 3), "d" * 64)


def test_predictions_that_are_too_large_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    part = Split(None, np.zeros(1000, dtype=np.int64))
    task = Task("t", "table", (1,), 500, part, part, "d")
    assert cross_validation.may_keep(task) == ""
    monkeypatch.setattr(cross_validation, "MOST", 1 << 20)
    assert "1,000 rows and 500 classes take 1 MiB, more than the 1 MiB" in cross_validation.may_keep(task)
