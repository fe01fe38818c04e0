"""RobustDARTS S4: the DARTS cells with noise and sep_conv_3x3 on every edge.

Zela et al. 2020, https://arxiv.org/abs/1909.09656, section 3. `noise` gives standard normal
noise in place of its input: an operation that no good network needs, to see what a search does with it.
"""

from functools import partial

from automl.searchspaces.darts_cells import EDGE_NAMES, Description
from automl.searchspaces.darts_network import DartsNetwork
from automl.searchspaces.darts_supernet import Supernet

DESCRIPTION = Description(dict.fromkeys(EDGE_NAMES, ("noise", "sep_conv_3x3")))

PLUGIN = DESCRIPTION.space(network=DartsNetwork, supernet=partial(Supernet, DESCRIPTION))
