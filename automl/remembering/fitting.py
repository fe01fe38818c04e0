"""Whether a configuration of an earlier campaign fits the present space, parameter by parameter."""

from __future__ import annotations

from dataclasses import dataclass

from automl.contracts import Config
from automl.space import Choice, Space
from automl.space.basics import is_number


@dataclass(frozen=True)
class Fitted:
    """`config` None: it does not fit. `reason`: why not, or what was changed; "" for nothing."""

    config: Config | None
    reason: str = ""


def fitted(space: Space, config: Config) -> Fitted:
    """`config` in `space`. Numbers outside of their range, or off its steps, become the nearest ones."""
    strange = sorted(set(config) - set(space.parameters))
    if strange:
        return Fitted(None, f"{strange[0]!r} is no parameter of this space")
    found: Config = {}
    changed = ""
    for name, parameter in space.parameters.items():
        if not space.active(parameter, found):
            continue
        if name not in config:
            return Fitted(None, f"it has no value of {name!r}")
        value = config[name]
        if parameter.problem(value):
            if isinstance(parameter, Choice) or not is_number(value):
                return Fitted(None, f"its value of {name!r} is none of the options here")
            value = parameter.nearest(value)
            changed = changed or f"its {name!r} is no value here, the nearest one is"
        found[name] = value
    unused = sorted(set(config) - set(found))
    if unused:
        return Fitted(None, f"its {unused[0]!r} is not used here")
    broken = space.broken(found)
    if broken:
        return Fitted(None, f"it breaks a constraint: {broken[0]}")
    return Fitted(found, changed)
