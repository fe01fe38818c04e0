"""DARTS: a normal and a reduction cell of four nodes, eight operations, two edges into each node.

Liu, Simonyan & Yang 2019, https://arxiv.org/abs/1806.09055: 10^18 genotypes. The default configuration,
which `reference: darts` trains, is the cell that the paper found on CIFAR-10 with order 2 (figures 4, 5).
"""

from functools import partial

from automl.searchspaces.darts_cells import EDGE_NAMES, Description
from automl.searchspaces.darts_genotypes import DARTS_OPERATIONS, from_genotype
from automl.searchspaces.darts_network import DartsNetwork
from automl.searchspaces.darts_supernet import Supernet

DESCRIPTION = Description(dict.fromkeys(EDGE_NAMES, DARTS_OPERATIONS))
DARTS_V2 = from_genotype(
    normal=[
        ("sep_conv_3x3", 0),
        ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 0),
        ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 1),
        ("skip_connect", 0),
        ("skip_connect", 0),
        ("dil_conv_3x3", 2),
    ],
    reduce=[
        ("max_pool_3x3", 0),
        ("max_pool_3x3", 1),
        ("skip_connect", 2),
        ("max_pool_3x3", 1),
        ("max_pool_3x3", 0),
        ("skip_connect", 2),
        ("skip_connect", 2),
        ("max_pool_3x3", 1),
    ],
)

PLUGIN = DESCRIPTION.space(default=DARTS_V2, network=DartsNetwork, supernet=partial(Supernet, DESCRIPTION))
