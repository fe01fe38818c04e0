"""The number of configurations of a space with conditions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from automl.contracts import Scalar
from automl.space.basics import is_active
from automl.space.parameters import Parameter


def number_of_configurations(parameters: Mapping[str, Parameter]) -> float:
    """Number of configurations: conditions respected, constraints not, `inf` when continuous."""
    order: dict[str, Parameter] = {}
    for name, parameter in parameters.items():
        if parameter.when:
            _place(parameters, name, order)
    order |= {name: parameter for name, parameter in parameters.items() if name not in order}
    states: dict[tuple[tuple[str, Scalar], ...], float] = {(): 1.0}
    for number, (name, parameter) in enumerate(order.items()):
        needed = {parent for later in list(order.values())[number + 1 :] for parent in later.when}
        after: defaultdict[tuple[tuple[str, Scalar], ...], float] = defaultdict(float)
        for state, count in states.items():
            kept = tuple(item for item in state if item[0] in needed)
            groups = _groups(parameters, name) if is_active(parameter, dict(state)) else []
            for value, weight in groups if name in needed else []:
                after[(*kept, (name, value))] += count * weight
            if name not in needed:
                after[kept] += count * sum(weight for _, weight in groups) if groups else count
            elif not groups:
                after[kept] += count
        states = after
    return sum(states.values())


def _place(parameters: Mapping[str, Parameter], name: str, order: dict[str, Parameter]) -> None:
    for parent in parameters[name].when:
        _place(parameters, parent, order)
    order.setdefault(name, parameters[name])


def _groups(parameters: Mapping[str, Parameter], name: str) -> list[tuple[Scalar, float]]:
    """The values of a parameter that conditions name, and all others as one group; each with its size."""
    named: dict[Scalar, float] = {}
    for parameter in parameters.values():
        named |= dict.fromkeys(parameter.when.get(name, ()), 1.0)
    rest = parameters[name].size() - len(named)
    return [*named.items(), (f"not {list(named)}", rest)] if rest else list(named.items())
