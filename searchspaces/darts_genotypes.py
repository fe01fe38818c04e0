"""Genotypes of the DARTS family: what a configuration says of its cells, and when two cells are the same.

Liu, Simonyan & Yang 2019, https://arxiv.org/abs/1806.09055; the parameters are those of `darts_cells`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, permutations

from automl.contracts import Config, UserError

KINDS = ("normal", "reduce")
NODES = (2, 3, 4, 5)
DARTS_OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
FAMILY = (*DARTS_OPERATIONS, "noise")  # with that of RobustDARTS's S4


def pairs(node: int) -> list[str]:
    """The pairs of predecessors that `node` can have, as a configuration spells them."""
    return [f"{p},{q}" for p, q in combinations(range(node), 2)]


def wiring(config: Config, kind: str) -> list[tuple[int, int, str]]:
    """One cell of a genotype: (node, predecessor, operation), two for each node in order.

    Raises `UserError` when the genotype does not say them.
    """
    wires = []
    for node in NODES:
        inputs = config.get(f"{kind}_inputs_{node}", "0,1" if node == 2 else None)
        if inputs not in pairs(node):
            raise UserError(
                f"a genotype must give {kind}_inputs_{node} one of {', '.join(pairs(node))}, "
                f"but got {inputs!r}; see the parameters of its space (automl check)"
            )
        for source in map(int, str(inputs).split(",")):
            name = config.get(f"{kind}_{source}_{node}")
            if name not in FAMILY[1:]:
                raise UserError(
                    f"a genotype must give {kind}_{source}_{node} one of {', '.join(FAMILY[1:])}, "
                    f"but got {name!r}; see the parameters of its space (automl check)"
                )
            wires.append((node, source, str(name)))
    return wires


def from_genotype(normal: Iterable[tuple[str, int]], reduce: Iterable[tuple[str, int]]) -> Config:
    """The configuration of a genotype in its published spelling: (operation, predecessor), two per node."""
    config: Config = {}
    for kind, cell in zip(KINDS, (list(normal), list(reduce)), strict=True):
        for node, place in zip(NODES, range(0, len(cell), 2), strict=True):
            ends = sorted((source, name) for name, source in cell[place : place + 2])
            config |= (
                {f"{kind}_inputs_{node}": ",".join(str(source) for source, _ in ends)} if node > 2 else {}
            )
            config |= {f"{kind}_{source}_{node}": name for source, name in ends}
    return config


def canonical(config: Config) -> dict[str, object]:
    """What is computed, for a digest: equal for cells that differ in the numbering of their nodes alone.

    The output concatenates all nodes and the next cell mixes its channels, so their order carries no
    meaning; `noise` does not depend on its predecessor. The form is the least of the 24 numberings.
    """
    numbered: dict[str, object] = {}
    for kind in KINDS:
        edges = [
            (node, -1 if name == "noise" else source, name) for node, source, name in wiring(config, kind)
        ]
        numberings = (dict(zip(NODES, order, strict=True)) for order in permutations(NODES))
        numbered[kind] = min(
            sorted((number[node], number.get(source, source), name) for node, source, name in edges)
            for number in numberings
        )
    ends = [(kind, node) for kind in KINDS for node in NODES]
    used = {f"{kind}_inputs_{node}" for kind, node in ends}
    used |= {f"{kind}_{source}_{node}" for kind, node in ends for source in range(node)}
    return numbered | {name: value for name, value in config.items() if name not in used}
