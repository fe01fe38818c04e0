"""RobustDARTS S1: the DARTS cells with two operations on each edge, its own pair on every edge.

Zela et al. 2020, https://arxiv.org/abs/1909.09656, section 3: the two strongest operations that a search in
the full space, dropping the weakest ones step by step, left on each edge. The pairs are those of the
authors' code (https://github.com/automl/RobustDARTS, src/spaces.py).
"""

from functools import partial

from automl.searchspaces.darts_cells import EDGE_NAMES, Description
from automl.searchspaces.darts_network import DartsNetwork
from automl.searchspaces.darts_supernet import Supernet

SKIP, MAX, AVG = "skip_connect", "max_pool_3x3", "avg_pool_3x3"
SEP_3, DIL_3, DIL_5 = "sep_conv_3x3", "dil_conv_3x3", "dil_conv_5x5"
NORMAL = [
    *((SKIP, DIL_3), (SKIP, DIL_5)),  # into node 2
    *((SKIP, DIL_5), (SKIP, SEP_3), (SKIP, DIL_3)),  # into node 3
    *((MAX, SKIP), (SKIP, SEP_3), (SKIP, SEP_3), (SKIP, DIL_3)),  # into node 4
    *((SKIP, SEP_3), (MAX, SKIP), (SKIP, DIL_3), (DIL_3, DIL_5), (DIL_3, DIL_5)),  # into node 5
]
REDUCE = [
    *((MAX, AVG), (MAX, DIL_3)),
    *((MAX, AVG), (MAX, AVG), (SKIP, DIL_5)),
    *((MAX, AVG), (MAX, SEP_3), (SKIP, DIL_3), (SKIP, DIL_5)),
    *((MAX, AVG), (MAX, AVG), (SKIP, DIL_5), (SKIP, DIL_5), (SKIP, DIL_5)),
]
DESCRIPTION = Description(dict(zip(EDGE_NAMES, [*NORMAL, *REDUCE], strict=True)))

PLUGIN = DESCRIPTION.space(network=DartsNetwork, supernet=partial(Supernet, DESCRIPTION))
