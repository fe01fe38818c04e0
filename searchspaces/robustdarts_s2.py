"""RobustDARTS S2: the DARTS cells with skip_connect and sep_conv_3x3 on every edge.

Zela et al. 2020, https://arxiv.org/abs/1909.09656, section 3.
"""

from functools import partial

from automl.searchspaces.darts_cells import EDGE_NAMES, Description
from automl.searchspaces.darts_network import DartsNetwork
from automl.searchspaces.darts_supernet import Supernet

DESCRIPTION = Description(dict.fromkeys(EDGE_NAMES, ("skip_connect", "sep_conv_3x3")))

PLUGIN = DESCRIPTION.space(network=DartsNetwork, supernet=partial(Supernet, DESCRIPTION))
