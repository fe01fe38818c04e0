"""The contract of weight-sharing methods as rooms other than `automl.supernets` see it."""

from __future__ import annotations

from typing import ClassVar

from automl.contracts.basics import Options


class MethodTraits:
    """What a weight-sharing method says of itself. A plug-in extends `automl.supernets.base.WeightSharing`.

    - `Options`: its options, a `SearchOptions`; unknown ones are refused.
    - `selection` (0): the part of the search's time, in [0, 1), that its `select` may take. A method with
      such a part chooses by the trained supernet, so a collapse alarm does not end its search.
    """

    Options: ClassVar[type[Options]]
    selection: ClassVar[float] = 0.0
