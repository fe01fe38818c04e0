"""Cells of the DARTS family: sizes, operations, discretisation, and which genotypes count as the same."""

from __future__ import annotations

import random
from itertools import permutations
from math import comb, prod
from typing import Any

import pytest
import torch

from automl import plugins
from automl.contracts import UserError
from automl.searchspaces.darts import DARTS_V2, DESCRIPTION, PLUGIN
from automl.searchspaces.darts_cells import CELL_EDGES, EDGE_NAMES, Description
from automl.searchspaces.darts_genotypes import DARTS_OPERATIONS, KINDS, NODES, from_genotype, wiring
from automl.space import Space

FAMILY = ["darts", *(f"robustdarts_s{number}" for number in (1, 2, 3, 4))]
SKIP, SEP, MAX = "skip_connect", "sep_conv_3x3", "max_pool_3x3"


def load(name: str) -> Space:
    space: Space = plugins.load("spaces", name)
    return space


def options(space: Space, edge: str) -> set[Any]:
    parameter = space.parameters[edge]
    return set(getattr(parameter, "options", ()))


def test_rows_go_node_by_node() -> None:
    assert EDGE_NAMES[:5] == ["normal_0_2", "normal_1_2", "normal_0_3", "normal_1_3", "normal_2_3"]
    assert EDGE_NAMES[14] == "reduce_0_2" and len(EDGE_NAMES) == 28
    assert DESCRIPTION.nodes[:2] == [[0, 1], [2, 3, 4]] and DESCRIPTION.nodes[-1] == [23, 24, 25, 26, 27]
    assert DESCRIPTION.skip_rows == list(range(14))
    strided = [edge.name for edge in CELL_EDGES if edge.stride == 2]
    assert strided == [f"reduce_{source}_{node}" for node in NODES for source in (0, 1)]


@pytest.mark.parametrize(("name", "operations"), [("darts", 7), *((name, 2) for name in FAMILY[1:])])
def test_sizes_equal_the_formula(name: str, operations: int) -> None:
    """Per cell the product over nodes n of C(n, 2) pairs of predecessors with o² operations."""
    cell = prod(comb(node, 2) * operations**2 for node in NODES)
    assert load(name).size() == pytest.approx(cell**2, rel=1e-12)
    if name == "darts":
        assert cell**2 == pytest.approx(1e18, rel=0.1)  # section 2.1 of the paper


def test_operations_of_the_robustdarts_spaces() -> None:
    """Zela et al. 2020, section 3; S1 by a few edges of the authors' table."""
    for name, expected in (("robustdarts_s2", {SKIP, SEP}), ("robustdarts_s3", {SKIP, SEP})):
        assert all(options(load(name), edge) == expected for edge in EDGE_NAMES)
    assert all(options(load("robustdarts_s4"), edge) == {"noise", SEP} for edge in EDGE_NAMES)
    first = load("robustdarts_s1")
    assert all(len(options(first, edge)) == 2 for edge in EDGE_NAMES)
    assert options(first, "normal_0_2") == {SKIP, "dil_conv_3x3"}
    assert options(first, "normal_0_4") == {MAX, SKIP}
    assert options(first, "normal_4_5") == {"dil_conv_3x3", "dil_conv_5x5"}
    assert options(first, "reduce_1_2") == {MAX, "dil_conv_3x3"}
    assert options(first, "reduce_1_4") == {MAX, SEP}
    assert options(first, "reduce_4_5") == {SKIP, "dil_conv_5x5"}


def test_none_is_mixed_where_the_paper_mixes_it_and_is_no_choice() -> None:
    for name in FAMILY:
        module = __import__(f"automl.searchspaces.{name}", fromlist=["DESCRIPTION"])
        description: Description = module.DESCRIPTION
        mixed = description.allowed(load(name))[:, 0]
        assert description.operations[0] == "none"
        assert mixed.all() if name in ("darts", "robustdarts_s3") else not mixed.any()
        assert torch.equal(description.allowed(load(name)), description.table)
        assert all("none" not in options(load(name), edge) for edge in EDGE_NAMES)


@pytest.mark.parametrize("name", FAMILY)
def test_samples_mutants_and_neighbours_are_valid(name: str) -> None:
    space, rng = load(name), random.Random(0)
    for _ in range(10):
        config = space.sample(rng)
        space.check(config)
        space.check(space.mutate(config, rng))
        for neighbour in space.neighbours(config):
            assert space.is_valid(neighbour)
            assert all(len(wiring(neighbour, kind)) == 8 for kind in KINDS)


def strengths_of(**values: dict[str, float]) -> torch.Tensor:
    table = torch.zeros(len(EDGE_NAMES), len(DARTS_OPERATIONS))
    for edge, row in values.items():
        for operation, value in row.items():
            table[EDGE_NAMES.index(edge), DARTS_OPERATIONS.index(operation)] = value
    return table


def test_derives_the_two_best_edges_without_none() -> None:
    """`none` is strongest on 1_3 and does not count; of the rest, those of 0_3 and 2_3 are."""
    strengths = strengths_of(
        normal_0_3={SKIP: 0.3, SEP: 0.4},
        normal_1_3={"none": 0.9, MAX: 0.1},
        normal_2_3={"dil_conv_5x5": 0.35},
    )
    config = DESCRIPTION.derive(strengths, PLUGIN)
    assert config["normal_inputs_3"] == "0,2"
    assert (config["normal_0_3"], config["normal_2_3"]) == (SEP, "dil_conv_5x5")
    assert "normal_1_3" not in config


def test_derives_within_fixed_and_narrowed_spaces() -> None:
    strengths = strengths_of(normal_0_3={SKIP: 0.9}, normal_1_3={SEP: 0.5}, normal_2_3={MAX: 0.8})
    space = PLUGIN.narrow({"normal_inputs_3": ["0,1", "1,2"], "normal_0_3": [MAX, SEP]})
    config = DESCRIPTION.derive(strengths, space)
    space.check(config)
    assert config["normal_inputs_3"] == "1,2" and config["normal_2_3"] == MAX
    cut = DESCRIPTION.allowed(PLUGIN.fix({"normal_inputs_3": "0,1"}))[EDGE_NAMES.index("normal_2_3")]
    assert cut.tolist() == [True] + [False] * 7  # nothing but none
    held = DESCRIPTION.allowed(PLUGIN.fix({"normal_0_2": SEP}))[0]
    assert [DARTS_OPERATIONS[place] for place in held.nonzero().flatten()] == ["none", SEP]


def test_a_path_has_two_operations_per_node() -> None:
    path = DESCRIPTION.path(DARTS_V2)
    assert int(path.sum()) == 16
    assert all(int(path[rows].sum()) == 2 for rows in DESCRIPTION.nodes)
    assert path[EDGE_NAMES.index("normal_2_5"), DARTS_OPERATIONS.index("dil_conv_3x3")]


def renumbered(config: dict[str, Any], kind: str, order: tuple[int, ...]) -> dict[str, Any] | None:
    """The cell with node n called order[n - 2]; None when an edge would then lead backwards."""
    name = {0: 0, 1: 1, **dict(zip(NODES, order, strict=True))}
    edges = sorted((name[node], name[source], op) for node, source, op in wiring(config, kind))
    if any(source >= node for node, source, _ in edges):
        return None
    cell = [(op, source) for _, source, op in edges]
    other = [(op, source) for _, source, op in wiring(config, "reduce" if kind == "normal" else "normal")]
    return from_genotype(cell, other) if kind == "normal" else from_genotype(other, cell)


def test_numbering_of_nodes_does_not_change_the_digest() -> None:
    rng, twins = random.Random(0), 0
    for _ in range(20):
        config = PLUGIN.sample(rng)
        for kind in KINDS:
            for order in permutations(NODES):
                twin = renumbered(config, kind, order)
                if twin is not None:
                    PLUGIN.check(twin)
                    twins += twin != config
                    assert PLUGIN.digest(twin) == PLUGIN.digest(config)
    assert twins > 20


def test_what_is_computed_changes_the_digest() -> None:
    digests = {PLUGIN.digest(config) for config in PLUGIN.neighbours(DARTS_V2)}
    assert PLUGIN.digest(DARTS_V2) not in digests
    # node 3 adds to node 2 or to its twin node 4: another graph, though both read alike as expressions
    chain = [(SEP, 0), (SEP, 1), (SKIP, 0), (MAX, 2), (SEP, 0), (SEP, 1)]
    shared = from_genotype([*chain, (SKIP, 1), (MAX, 2)], [*chain, (SKIP, 1), (MAX, 2)])
    apart = from_genotype([*chain, (SKIP, 1), (MAX, 4)], [*chain, (SKIP, 1), (MAX, 2)])
    assert PLUGIN.digest(shared) != PLUGIN.digest(apart)
    assert PLUGIN.digest({**shared, "learning_rate": 0.1}) != PLUGIN.digest(shared)


def test_noise_has_no_predecessor() -> None:
    space = load("robustdarts_s4")
    config = {**space.default_config(), "normal_inputs_3": "0,1", "normal_0_3": "noise", "normal_1_3": SEP}
    other = {**config, "normal_inputs_3": "1,2", "normal_2_3": "noise"}
    del other["normal_0_3"]
    assert space.digest(config) == space.digest(other)
    assert space.digest(config) != space.digest({**config, "normal_1_3": "noise"})


def test_published_spelling() -> None:
    assert DARTS_V2["normal_inputs_5"] == "0,2" and DARTS_V2["reduce_2_4"] == SKIP
    swapped = from_genotype(
        [
            (op, source)
            for node in NODES
            for n, source, op in reversed(wiring(DARTS_V2, "normal"))
            if n == node
        ],
        [(op, source) for _, source, op in wiring(DARTS_V2, "reduce")],
    )
    assert swapped == DARTS_V2


def test_genotypes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match=r"normal_inputs_3' must be one of"):
        PLUGIN.check({**DARTS_V2, "normal_inputs_3": "0,3"})
    with pytest.raises(UserError, match=r"'normal_0_4' must be one of .*noise"):
        load("robustdarts_s4").check(DARTS_V2)
    with pytest.raises(UserError, match="must give reduce_inputs_4 one of 0,1, "):
        DESCRIPTION.path({key: value for key, value in DARTS_V2.items() if key != "reduce_inputs_4"})
    for wrong in ("none", "conv"):
        with pytest.raises(UserError, match=f"must give normal_0_2 one of .*, but got '{wrong}'"):
            DESCRIPTION.path({**DARTS_V2, "normal_0_2": wrong})


def test_descriptions_are_checked() -> None:
    with pytest.raises(UserError, match="for the edges"):
        Description({"normal_0_2": (SKIP,)})
    for wrong in ((), ("none",), ("conv",)):
        with pytest.raises(UserError, match="'normal_0_2' must mix some of"):
            Description({edge: wrong if edge == "normal_0_2" else (SKIP,) for edge in EDGE_NAMES})
