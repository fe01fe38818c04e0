"""RobustDARTS S3: S2 whose supernet mixes none (zero) in on every edge as well.

Zela et al. 2020, https://arxiv.org/abs/1909.09656, section 3. No genotype has `none`, so
they are those of S2.
"""

from functools import partial

from automl.searchspaces.darts_cells import EDGE_NAMES, Description
from automl.searchspaces.darts_network import DartsNetwork
from automl.searchspaces.darts_supernet import Supernet

DESCRIPTION = Description(dict.fromkeys(EDGE_NAMES, ("none", "skip_connect", "sep_conv_3x3")))

PLUGIN = DESCRIPTION.space(network=DartsNetwork, supernet=partial(Supernet, DESCRIPTION))
