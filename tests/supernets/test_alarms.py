"""Alarms against the published searches, the eigenvalue against the whole Hessian, the rank correlation."""

from __future__ import annotations

import csv
import gzip
import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import kendalltau

from automl.searchspaces.nasbench201 import PLUGIN as NASBENCH201
from automl.supernets.alarms import (
    Alarm,
    AlarmOptions,
    eigenvalue_alarm,
    kendall_tau,
    mean_entropy,
    mean_share,
    skip_alarm,
    skip_limit,
)
from automl.supernets.base import Mixture
from automl.supernets.darts import Darts, DartsOptions
from automl.supernets.eigenvalue import alpha_product, largest_eigenvalue

torch.set_num_threads(1)
LOGS = Path(os.environ.get("AUTOML_DATA", "/nowhere")) / "robustdarts_logs"


def rule(**options: Any) -> AlarmOptions:
    return AlarmOptions.model_validate(options)


needs_logs = pytest.mark.skipif(
    not LOGS.is_dir(), reason="AUTOML_DATA does not point at a folder with robustdarts_logs"
)


def readings(values: list[float], every: int = 2) -> list[tuple[int, float]]:
    return [(every * number, value) for number, value in enumerate(values)]


def test_the_eigenvalue_alarm_rings_where_the_local_mean_has_grown() -> None:
    """A reading of 3 (2.4) from epoch 22 on lifts the mean of five to 1.4 (1.28, and 1.56 with the next)."""
    values = [1.0] * 11 + [3.0] * 9
    assert eigenvalue_alarm(readings(values)) == Alarm("eigenvalue", 22, 10)
    assert eigenvalue_alarm(readings([*[1.0] * 11, *[2.4] * 9])) == Alarm("eigenvalue", 24, 12)
    assert eigenvalue_alarm(readings([1.0] * 26)) is None
    assert eigenvalue_alarm(readings([3.0] * 10 + [1.0] * 16)) is None


def test_the_eigenvalue_alarm_is_silent_before_its_start() -> None:
    early = [1.0] * 2 + [5.0] * 24
    assert eigenvalue_alarm(readings(early)) is None
    assert eigenvalue_alarm(readings(early), rule(start=0)) == Alarm("eigenvalue", 16, 4)


def test_a_short_search_can_have_its_own_rule() -> None:
    short = rule(window=2, delta=1, start=0, factor=1.5)
    assert eigenvalue_alarm([(1, 1.0), (2, 1.0), (3, 4.0)], short) == Alarm("eigenvalue", 3, 2)
    for few in ([], [(1, 1.0)], [(1, 1.0), (2, 9.0)]):
        assert eigenvalue_alarm(few, short) is None


def test_negative_means_ring_nothing_and_a_reading_off_the_cadence_is_passed_over() -> None:
    assert eigenvalue_alarm(readings([-1.0] * 13 + [-9.0] * 13)) is None
    values = [*readings([1.0] * 16), (31, 1000.0)]
    assert eigenvalue_alarm(values) is None


@needs_logs
def test_the_eigenvalue_alarm_on_all_published_searches() -> None:
    expected, curves = expected_stops(), published_curves()
    assert len(curves) == 211 and len(expected) == 67
    for row in expected:
        curve = curves[row["space"], row["dp"], row["wd"], row["job"], row["seed"]]
        alarm = eigenvalue_alarm(curve["eigenvalue"])
        found = (alarm.epoch, alarm.rollback) if alarm else None
        assert found == ((float(row["fired_at"]), float(row["rollback_to"])) if row["fired_at"] else None)
    rung = [eigenvalue_alarm(curve["eigenvalue"]) for curve in curves.values()]
    assert sum(alarm is not None for alarm in rung) >= 40


@needs_logs
def test_the_skip_alarm_on_all_published_searches() -> None:
    """Skip counts at the expected epochs are those of the curves; the alarm is on from its first epoch."""
    expected, curves = expected_stops(), published_curves()
    for row in expected:
        counts = curves[row["space"], row["dp"], row["wd"], row["job"], row["seed"]]["skips"]
        alarm = skip_alarm(counts, skip_limit(8))
        known: list[tuple[int, int]] = [(49, int(row["skip_final"]))]
        for when, count in (("fired_at", "skip_then"), ("rollback_to", "skip_rollback")):
            known += [(int(float(row[when])), int(float(row[count])))] if row[when] else []
        for epoch, skips in known:
            assert dict(counts)[epoch] == skips
            early = skip_alarm([count for count in counts if count[0] <= epoch], skip_limit(8))
            assert skips < 5 or early is not None
        below = [epoch for epoch, skips in counts if skips >= 5]
        assert (alarm.epoch if alarm else None) == (min(below) if below else None)
        if alarm is not None and alarm.rollback is not None:
            assert dict(counts)[alarm.rollback] < 5 and alarm.rollback < alarm.epoch
    assert sum(skip_alarm(curve["skips"], 5) is not None for curve in curves.values()) > 40


def expected_stops() -> list[dict[str, str]]:
    with (LOGS / "expected_darts_es.csv").open() as file:
        return list(csv.DictReader(file))


def published_curves() -> dict[tuple[str, ...], dict[str, list[Any]]]:
    found: dict[tuple[str, ...], dict[str, list[Any]]] = {}
    with gzip.open(LOGS / "curves.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            key = tuple(row[name] for name in ("space", "drop_path", "weight_decay", "job", "seed"))
            curve = found.setdefault(key, {"eigenvalue": [], "skips": []})
            curve["skips"].append((int(row["epoch"]), int(row["skip_in_normal"])))
            if row["eig_max"]:
                curve["eigenvalue"].append((int(row["epoch"]), float(row["eig_max"])))
    return found


def test_the_skip_alarm_rings_at_its_limit_and_goes_back_to_the_last_epoch_below() -> None:
    assert (skip_limit(8), skip_limit(6), skip_limit(1)) == (5, 4, 1)
    assert skip_limit(6, rule(skips=1.0)) == 6
    counts = [(0, 5), (1, 2), (2, 4), (3, 5), (4, 8)]
    assert skip_alarm(counts[1:], 5) == Alarm("skips", 3, 2)
    assert skip_alarm(counts, 5) == Alarm("skips", 0, None)
    assert skip_alarm(counts, 5, start=1) == Alarm("skips", 3, 2)
    assert skip_alarm(counts, 5, start=5) is None
    assert skip_alarm([(1, 0)], 1) is None


def toy(seed: int = 0) -> tuple[Darts, tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(seed)
    supernet = NASBENCH201.supernet((1, 8, 8), 3, channels=2, cells=1).double()
    method = Darts(DartsOptions.model_validate({}), supernet, space=NASBENCH201, seed=seed)
    return method, (torch.randn(6, 1, 8, 8, dtype=torch.float64), torch.arange(6) % 3)


@pytest.mark.slow
def test_the_eigenvalue_is_the_whole_hessians() -> None:
    method, batch = toy()
    weights = {name: weight.detach() for name, weight in method.weights.items()}

    def loss(alpha: torch.Tensor) -> torch.Tensor:
        return method.loss(weights, batch, Mixture(alpha.softmax(1), method.active))

    whole: torch.Tensor = torch.autograd.functional.hessian(loss, method.alpha.detach())  # type: ignore[no-untyped-call]
    hessian = whole.reshape(method.alpha.numel(), -1)
    assert torch.allclose(hessian, hessian.T, atol=1e-12)
    product = alpha_product(method, batch)
    vector = torch.randn_like(method.alpha)
    exact = (hessian @ vector.flatten()).view_as(vector)
    assert torch.allclose(product(vector), exact, rtol=1e-9, atol=1e-14)
    found = largest_eigenvalue(product, vector, tolerance=1e-8, most=30)
    assert found.value == pytest.approx(float(torch.linalg.eigvalsh(hessian)[-1]), rel=1e-8)
    assert torch.allclose(product(found.vector), found.value * found.vector, atol=1e-8)
    again = largest_eigenvalue(product, found.vector)
    assert again.products == 1 and again.value == pytest.approx(found.value, rel=1e-6)


def test_reading_the_eigenvalue_changes_nothing() -> None:
    method, batch = toy()
    before = {name: value.clone() for name, value in method.supernet.state_dict().items()}
    largest_eigenvalue(alpha_product(method, batch), torch.randn_like(method.alpha))
    assert all(torch.equal(value, before[name]) for name, value in method.supernet.state_dict().items())
    assert method.alpha.grad is None
    assert all(weight.grad is None for weight in method.weights.values())


@pytest.mark.parametrize(
    "spectrum", [[3.0, 1.0, -2.0], [1.0, 0.5, -9.0], [-1.0, -2.0, -5.0], [0.0, 0.0, 0.0]]
)
def test_the_most_positive_eigenvalue_also_beside_a_larger_negative_one(spectrum: list[float]) -> None:
    basis, _ = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=torch.manual_seed(1)))
    matrix = basis @ torch.diag(torch.tensor(spectrum, dtype=torch.float64)) @ basis.T
    found = largest_eigenvalue(lambda v: matrix @ v, torch.ones(3, dtype=torch.float64), tolerance=1e-9)
    assert found.value == pytest.approx(spectrum[0], abs=1e-9)


def test_entropy_and_share_of_none() -> None:
    strengths = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    assert mean_entropy(strengths) == pytest.approx(math.log(2) / 2)
    allowed = torch.tensor([[True, True, False], [False, True, True]])
    assert mean_share(strengths, allowed, 0) == 0.5
    assert mean_share(strengths, allowed & False, 0) is None


def test_kendalls_tau_is_scipys() -> None:
    generator = torch.manual_seed(3)
    for _ in range(5):
        first, second = torch.randint(4, (2, 9), generator=generator).tolist()
        assert kendall_tau(first, second) == pytest.approx(float(kendalltau(first, second).statistic))
    assert kendall_tau([1, 2, 3], [4, 5, 6]) == 1.0
    assert kendall_tau([1, 2, 3], [6, 5, 4]) == -1.0
    assert kendall_tau([1, 1], [1, 2]) is None
    assert kendall_tau([], []) is None
