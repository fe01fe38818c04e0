from __future__ import annotations

from typing import Any

import pytest

from automl.remembering.fitting import fitted
from automl.space import Choice, Constraint, Float, Int, Space

SPACE = Space(
    {
        "rate": Float(1e-3, 1e-1, log=True),
        "drop": Float(0.0, 0.5, step=0.1),
        "width": Int(8, 64, step=8),
        "model": Choice(("tree", "net", 3)),
        "depth": Int(1, 4, when={"model": "tree"}),
    },
    constraints=[Constraint(lambda c: not (c["model"] == "net" and float(str(c["width"])) > 48), "narrow")],
)
GOOD: dict[str, Any] = {"rate": 0.01, "drop": 0.2, "width": 16, "model": "tree", "depth": 2}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


def test_what_fits_stays_as_it_is() -> None:
    found = fitted(SPACE, GOOD)
    assert (found.config, found.reason) == (GOOD, "")


@pytest.mark.parametrize(
    ("change", "nearest"),
    [
        ({"rate": 0.5}, {"rate": 0.1}),
        ({"rate": 1}, {"rate": 0.1}),
        ({"rate": -3.0}, {"rate": 1e-3}),
        ({"drop": 0.24}, {"drop": 0.2}),
        ({"width": 1000}, {"width": 64}),
        ({"width": 19.0}, {"width": 16}),
        ({"depth": 9}, {"depth": 4}),
    ],
    ids=str,
)
def test_numbers_beyond_their_range_become_the_nearest(change: Any, nearest: Any) -> None:
    found = fitted(SPACE, {**GOOD, **change})
    assert found.config == {**GOOD, **nearest}
    assert "nearest" in found.reason
    SPACE.check(found.config)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({**GOOD, "model": "svm"}, "none of the options"),
        ({**GOOD, "model": True}, "none of the options"),
        ({**GOOD, "rate": "fast"}, "none of the options"),
        ({**GOOD, "rate": None}, "none of the options"),
        ({**GOOD, "rate": True}, "none of the options"),
        ({**GOOD, "momentum": 0.9}, "'momentum' is no parameter"),
        (without("rate"), "no value of 'rate'"),
        (without("depth"), "no value of 'depth'"),
        ({}, "no value of 'rate'"),
        ({**GOOD, "model": "net"}, "'depth' is not used here"),
        ({**without("depth"), "model": "net", "width": 64}, "breaks a constraint: narrow"),
        ({**without("depth"), "model": "net", "width": 900}, "breaks a constraint: narrow"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_left_out_with_its_reason(config: Any, reason: str) -> None:
    found = fitted(SPACE, config)
    assert found.config is None
    assert reason in found.reason


def test_a_fixed_number_takes_its_value() -> None:
    fixed = SPACE.fix({"width": 32})
    assert fitted(fixed, GOOD).config == {**GOOD, "width": 32}
