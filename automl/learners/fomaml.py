"""FOMAML: MAML without second derivatives, the Jacobian of the inner steps taken as the identity.

Finn, Abbeel & Levine 2017, https://arxiv.org/abs/1703.03400, section 5.2: the outer gradient of a task is
∇ L_query(θ') at the adapted parameters θ'.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from automl.learners.base import LearnerOptions
from automl.learners.maml import Maml, MamlOptions


class FomamlOptions(MamlOptions):
    """Those of MAML, with `first_order` true."""

    first_order: Literal[True] = True


class Fomaml(Maml):
    """First-order model-agnostic meta-learning."""

    Options: ClassVar[type[LearnerOptions]] = FomamlOptions


PLUGIN = Fomaml
