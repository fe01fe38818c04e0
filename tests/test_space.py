from __future__ import annotations

import json
import math
import random
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from properties import examples

from automl.contracts import UserError, derive_seed
from automl.space import Choice, Constraint, Float, Int, Parameter, Space

PIPELINE = Space(
    {
        "model": Choice(["tree", "net", "linear"]),
        "depth": Int(1, 4, when={"model": "tree"}),
        "act": Choice(["relu", "gelu"], when={"model": ["net"]}),
        "slope": Float(0, 1, step=0.25, when={"model": "net", "act": "relu"}),
        "scale": Choice([True, False]),
    }
)


@st.composite
def floats(draw: st.DrawFn, when: dict[str, Any] | None = None) -> Float:
    log = draw(st.booleans())
    low = draw(st.floats(1e-6, 10) if log else st.floats(-1e3, 1e3))
    high = low + draw(st.floats(0, 1e3))
    step = None if log else draw(st.none() | st.sampled_from([0.1, 0.25, 0.3, 1.0, 7.0]))
    low, high = (low, high) if step is None else (round(low, 3), round(high, 3))
    return Float(low, high, log=log, step=step, when=when or {})


@st.composite
def ints(draw: st.DrawFn, when: dict[str, Any] | None = None) -> Int:
    log = draw(st.booleans())
    low = draw(st.integers(1 if log else -1000, 1000))
    high = low + draw(st.integers(0, 10_000))
    return Int(low, high, log=log, step=1 if log else draw(st.integers(1, 40)), when=when or {})


@st.composite
def choices(draw: st.DrawFn, when: dict[str, Any] | None = None) -> Choice:
    scalars = st.text(max_size=5) | st.integers(2, 99) | st.booleans() | st.none() | st.floats(0.1, 0.9)
    return Choice(draw(st.lists(scalars, min_size=1, max_size=5, unique=True)), when=when or {})


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """One to six parameters; later ones may depend on earlier Int and Choice parameters."""
    parameters: dict[str, Parameter] = {}
    for number in range(draw(st.integers(1, 6))):
        parents = [name for name, item in parameters.items() if not isinstance(item, Float)]
        when = {}
        if parents and draw(st.booleans()):
            parent = draw(st.sampled_from(parents))
            owner = parameters[parent]
            options = owner.options if isinstance(owner, Choice) else [owner.low, owner.high]
            when = {parent: draw(st.lists(st.sampled_from(options), min_size=1, max_size=2))}
        parameters[f"p{number}"] = draw(st.one_of(floats(when), ints(when), choices(when)))
    return Space(parameters)


@settings(max_examples=examples(60))
@given(spaces(), st.integers(0, 2**31))
@example(Space({"p0": Float(0.0, 5e-324)}), 0)
def test_samples_neighbours_and_mutants_are_valid(space: Space, seed: int) -> None:
    rng = random.Random(seed)
    config = space.sample(rng)
    space.check(config)
    assert space.is_valid(space.default_config())
    near = list(space.neighbours(config))
    for other in near:
        space.check(other)
        assert other != config
    try:
        mutant = space.mutate(config, rng)
    except UserError as error:
        assert not near, error
    else:  # also without neighbours: a range too narrow for a step of 5 % may still hold two numbers
        space.check(mutant)
        assert mutant != config


@settings(max_examples=examples(60))
@given(spaces(), st.integers(0, 2**31))
def test_json_round_trip_keeps_the_space(space: Space, seed: int) -> None:
    again = Space.from_json(json.loads(json.dumps(space.to_json(), sort_keys=True)))
    assert again.to_json() == space.to_json()
    assert again.parameters == space.parameters
    assert again.sample(random.Random(seed)) == space.sample(random.Random(seed))


@settings(max_examples=examples(60))
@given(spaces(), st.integers(0, 2**31))
def test_fixed_space_samples_only_the_fixed_value(space: Space, seed: int) -> None:
    rng = random.Random(seed)
    config = space.sample(rng)
    fixed = space.fix(config)
    assert fixed.sample(rng) == config
    assert fixed.size() == 1
    assert not list(fixed.neighbours(config))


@settings(max_examples=examples(60))
@given(spaces(), st.integers(0, 2**31))
def test_narrowed_samples_fit_the_wider_space(space: Space, seed: int) -> None:
    rng = random.Random(seed)
    name = rng.choice(list(space.parameters))
    parameter = space.parameters[name]
    if isinstance(parameter, Choice):
        bounds: list[Any] = list(parameter.options[:1])
    else:
        bounds = sorted([parameter.sample(rng), parameter.sample(rng)])  # type: ignore[type-var]
    narrow = space.narrow({name: bounds})
    assert narrow.size() <= space.size()
    for _ in range(10):
        config = narrow.sample(rng)
        space.check(config)
        if name in config and not isinstance(parameter, Choice):
            assert bounds[0] <= config[name] <= bounds[1]


def enumerate_configs(space: Space) -> list[dict[str, Any]]:
    """All configurations, by breadth first over the finite parameters' own lists of values."""
    found: list[dict[str, Any]] = [{}]
    for name, parameter in space.parameters.items():
        if isinstance(parameter, Choice):
            values: list[Any] = list(parameter.options)
        else:
            values = [parameter.low + place * (parameter.step or 0) for place in range(int(parameter.size()))]
        found = [
            {**config, **extra}
            for config in found
            for extra in ([{name: value} for value in values] if space.active(parameter, config) else [{}])
        ]
    return found


def test_size_counts_conditions() -> None:
    assert PIPELINE.size() == (4 + 5 + 1 + 1) * 2 == len(enumerate_configs(PIPELINE))
    assert Space({"x": Float(0, 1)}).size() == math.inf
    assert Space({"x": Float(1, 1), "y": Int(0, 9)}).size() == 10
    gates = {f"gate{n}": Choice([True, False]) for n in range(40)}
    children = {f"child{n}": Int(1, 3, when={f"gate{n}": True}) for n in range(40)}
    assert Space({**gates, **children}).size() == pytest.approx(4.0**40)


@settings(max_examples=examples(60))
@given(spaces())
def test_size_equals_enumeration(space: Space) -> None:
    small = math.prod(parameter.size() for parameter in space.parameters.values())
    if small <= 3000:
        assert space.size() == len(enumerate_configs(space))


def test_conditions_decide_what_is_active() -> None:
    for config in enumerate_configs(PIPELINE):
        PIPELINE.check(config)
        assert ("depth" in config) == (config["model"] == "tree")
        assert ("slope" in config) == (config["model"] == "net" and config["act"] == "relu")


def test_check_names_every_mistake() -> None:
    with pytest.raises(UserError) as caught:
        PIPELINE.check({"model": "tree", "depth": 9, "act": "relu", "typo": 1})
    message = str(caught.value)
    for part in [
        "'depth' must be an integer in [1, 4], but got 9",
        "'act' must be left out",
        "'typo'",
        "'scale' must be given",
    ]:
        assert part in message


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (Float(0, 1), True), (Float(0, 1), math.nan), (Float(0, 1), "0.5"), (Float(0, 1), 1.1),
        (Float(0, 1, step=0.25), 0.3), (Int(0, 9), 1.0), (Int(0, 9), True), (Int(0, 9, step=3), 4),
        (Int(0, 9), None), (Choice([1, 2]), True), (Choice([True, False]), 1), (Choice(["a"]), ["a"]),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(parameter: Parameter, value: Any) -> None:
    assert not Space({"x": parameter}).is_valid({"x": value})


def test_integers_are_fine_for_floats() -> None:
    space = Space({"x": Float(0, 2)})
    space.check({"x": 1})
    assert space.digest({"x": 1}) == space.digest({"x": 1.0})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Float(3, 1), "low <= high must hold, but got (low=3.0, high=1.0)"),
        (lambda: Float(0, 1, log=True), "low > 0"),
        (lambda: Float(0, math.inf), "finite"),
        (lambda: Float(0, 1, step=0), "step"),
        (lambda: Float(1, 2, step=0.1, log=True), "step"),
        (lambda: Float(math.pi, 200, step=0.25), "round them"),
        (lambda: Int(0.5, 2), "integers"),  # type: ignore[arg-type]
        (lambda: Int(1, 9, log=True, step=2), "step"),
        (lambda: Int(True, 2), "integers"),
        (lambda: Int(0, 2**60), "integers"),
        (lambda: Choice([]), "at least one"),
        (lambda: Choice("abc"), "list"),  # type: ignore[arg-type]
        (lambda: Choice([1, True]), "differ"),
        (lambda: Choice([math.nan]), "finite"),
        (lambda: Choice([[1]]), "strings"),  # type: ignore[list-item]
        (lambda: Int(0, 1, when={"m": []}), "when"),
        (lambda: Int(0, 1, when="m"), "when"),  # type: ignore[arg-type]
        (lambda: Space({}), "at least one"),
        (lambda: Space({"../x": Int(0, 1)}), "name"),
        (lambda: Space({"x": 3}), "must be a Float"),  # type: ignore[dict-item]
        (lambda: Space({"x": Int(0, 1, when={"y": 1}), "y": Int(0, 1)}), "before it"),
        (lambda: Space({"x": Float(0, 1), "y": Int(0, 1, when={"x": 1})}), "is a Float"),
        (lambda: Space({"x": Int(0, 1), "y": Int(0, 1, when={"x": 7})}), "'x' must be an integer in [0, 1]"),
        (lambda: Space({"x": Int(0, 1)}, default={"x": 2}), "'x' must be"),
        (lambda: PIPELINE.fix({"model": "gbm"}), "fix 'model': must be one of"),
        (lambda: PIPELINE.fix({"nope": 1}), "fix 'nope': must be one of"),
        (lambda: PIPELINE.narrow({"depth": [0, 2]}), "narrow 'depth'"),
        (lambda: PIPELINE.narrow({"depth": [1, 9]}), "high must be a number <= 4"),
        (lambda: PIPELINE.narrow({"depth": [3, 1]}), "low <= high"),
        (lambda: PIPELINE.narrow({"depth": 3}), "[low, high]"),
        (lambda: PIPELINE.narrow({"model": "tree"}), "list of its options"),
        (lambda: PIPELINE.narrow({"model": []}), "list of its options"),
    ],
)
def test_mistakes_name_the_rule_and_the_value(make: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        make()
    assert message in str(caught.value)


def test_restricting_a_parent_drops_children_out_of_reach() -> None:
    narrow = PIPELINE.narrow({"model": ["tree", "linear"]})
    assert list(narrow.parameters) == ["model", "depth", "scale"]
    assert narrow.size() == (4 + 1) * 2
    assert list(PIPELINE.fix({"act": "gelu"}).parameters) == ["model", "depth", "act", "scale"]


def test_restricting_keeps_builders_rules_and_default() -> None:
    def network() -> None: ...

    space = Space(
        {"x": Int(0, 9), "y": Int(0, 9)},
        constraints=[Constraint(lambda c: c["x"] <= c["y"], "x <= y")],  # type: ignore[operator]
        default={"x": 2, "y": 8},
        network=network,
        canonical=lambda config: sorted(config.values()),  # type: ignore[type-var]
    )
    narrow = space.fix({"x": 4})
    assert narrow.network is network
    assert narrow.default_config() == {"x": 4, "y": 8}
    assert narrow.digest({"x": 4, "y": 8}) == narrow.digest({"x": 8, "y": 4})
    assert all(narrow.sample(random.Random(n))["y"] >= 4 for n in range(50))  # type: ignore[operator]
    assert space.fix({"y": 1}).is_valid(space.fix({"y": 1}).default_config())


def test_constraints_bound_samples_neighbours_and_mutants() -> None:
    space = Space(
        {"x": Int(0, 9), "y": Int(0, 9)},
        constraints=[Constraint(lambda c: c["x"] + c["y"] == 9, "x + y is 9")],  # type: ignore[operator]
    )
    config = space.sample(random.Random(0))
    assert config["x"] + config["y"] == 9  # type: ignore[operator]
    assert list(space.neighbours(config)) == []
    with pytest.raises(UserError, match=r"x \+ y is 9"):
        space.check({"x": 1, "y": 1})
    nothing = Space({"x": Int(0, 9)}, constraints=[Constraint(lambda c: False, "nothing fits")])
    with pytest.raises(UserError, match="nothing fits"):
        nothing.sample(random.Random(0))


def test_a_broken_constraint_is_named() -> None:
    space = Space({"x": Int(0, 9)}, constraints=[Constraint(lambda c: bool(c["y"]), "y first")])
    with pytest.raises(UserError, match=r"'y first' raised KeyError"):
        space.check({"x": 1})


def test_neighbours_of_a_numeric_space() -> None:
    space = Space({"x": Int(0, 9, step=3), "y": Float(0, 1, step=0.5), "m": Choice(["a", "b", "c"])})
    near = list(space.neighbours({"x": 3, "y": 1.0, "m": "b"}))
    assert [config["x"] for config in near[:2]] == [0, 6]
    assert near[2]["y"] == 0.5
    assert [config["m"] for config in near[3:]] == ["a", "c"]
    with pytest.raises(UserError):
        list(space.neighbours({"x": 4, "y": 1.0, "m": "b"}))


def test_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert PIPELINE.digest({"model": "linear", "scale": True}) == PIPELINE.digest(
        {"scale": True, "model": "linear"}
    )
    assert PIPELINE.digest({"model": "linear", "scale": True}) != PIPELINE.digest(
        {"model": "linear", "scale": False}
    )


def test_an_uneven_high_is_lowered_to_the_grid() -> None:
    assert Int(8, 250, step=8).high == 248
    assert Float(0, 1, step=0.3).high == 0.9
    assert Float(0, 1, step=0.1).high == 1.0


def test_derived_seeds_look_uniform_and_independent() -> None:
    """20,000 seeds of consecutive trials in 64 cells: chi-square with 63 degrees of freedom.

    Its mean is 63 and its standard deviation 11.2; 63 + 6 sigma = 130.4 fails falsely with
    p < 1e-5, and as the seeds are fixed never by chance. The serial correlation of n uniform
    numbers has standard deviation 1 / sqrt(n) = 0.0071; 6 sigma = 0.042.
    """
    for search in (0, 1):
        seeds = [derive_seed(search, number) for number in range(20_000)]
        assert len(set(seeds)) >= 19_998  # birthday: 20,000^2 / 2 / 2^31 = 0.09 pairs expected
        assert all(0 <= seed < 2**31 for seed in seeds)
        cells = Counter(seed * 64 >> 31 for seed in seeds)
        expected = 20_000 / 64
        assert sum((cells[cell] - expected) ** 2 / expected for cell in range(64)) < 130.4
        unit = [seed / 2**31 - 0.5 for seed in seeds]
        serial = sum(a * b for a, b in pairwise(unit)) * 12 / len(unit)
        assert abs(serial) < 0.042
    assert derive_seed(1, 23) != derive_seed(12, 3)
