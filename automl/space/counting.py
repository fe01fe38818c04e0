"""The number of configurations of a space with conditions, counted with a bounded effort."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from automl.contracts import Scalar
from automl.space.basics import is_active
from automl.space.parameters import Parameter

EFFORT: Final = 100_000  # combinations of parents looked at before only the largest are followed
FOLLOWED: Final = 50  # of those
LARGEST: Final = 10**300  # counted up to here; a float holds about that much
_Group: TypeAlias = tuple[Scalar, float]  # a value that conditions name, or all others; how many
_State: TypeAlias = tuple[tuple[str, Scalar], ...]  # values of the parents that later parameters need


class Count(NamedTuple):
    """How many configurations there are; with `exact` False at least so many."""

    value: float
    exact: bool


def number_of_configurations(parameters: Mapping[str, Parameter]) -> Count:
    """Number of configurations: conditions respected, constraints not, `inf` when continuous.

    A space whose conditions join very many parameters is counted in part: along the combinations of parents
    with the most configurations, and with one for each of the others, which gives a lower bound.
    """
    order = _order(parameters)
    related = len(order) - _unrelated(parameters)
    sizes = [parameters[name].size() for name in order[related:]]
    if math.inf in sizes:
        return Count(math.inf, True)
    joined = _joined(parameters, order[:related])
    total = joined.value * min(math.prod(sizes), LARGEST)
    if total >= LARGEST:  # continuous, or beyond all counting
        return Count(math.inf, True) if total == math.inf else Count(float(LARGEST), False)
    return Count(total, joined.exact)


def _joined(parameters: Mapping[str, Parameter], order: Sequence[str]) -> Count:
    """The count of parameters that conditions join."""
    last = {parent: place for place, name in enumerate(order) for parent in parameters[name].when}
    groups = _groups(parameters)
    states: dict[_State, float] = {(): 1}
    looked = 0
    dropped: float = 0
    for place, name in enumerate(order):
        looked += len(states)
        if looked > EFFORT and len(states) > FOLLOWED:
            largest = heapq.nlargest(FOLLOWED, states.items(), key=lambda item: item[1])
            dropped += sum(states.values()) - sum(count for _, count in largest)
            states = dict(largest)
        needed = last.get(name, -1) > place
        after: defaultdict[_State, float] = defaultdict(int)
        for state, count in states.items():
            known = tuple(item for item in state if last[item[0]] > place)
            values = groups[name] if is_active(parameters[name], dict(state)) else []
            if needed and values:
                for value, weight in values:
                    after[(*known, (name, value))] += count * weight
            else:
                after[known] += count * sum(weight for _, weight in values) if values else count
        states = after
        if sum(states.values()) > LARGEST:  # every state has a configuration
            break
    total = sum(states.values())
    return Count(total + dropped, dropped == 0)


def _order(parameters: Mapping[str, Parameter]) -> list[str]:
    """Parents shortly before their children, so that few are remembered at a time; then all others."""
    order: dict[str, None] = {}
    for name in (name for name, parameter in parameters.items() if parameter.when):
        waiting = [name]
        while waiting:
            missing = [parent for parent in parameters[waiting[-1]].when if parent not in order]
            if missing:
                waiting.append(missing[0])
            else:
                order[waiting.pop()] = None
    return list(order | dict.fromkeys(parameters))


def _unrelated(parameters: Mapping[str, Parameter]) -> int:
    """How many parameters neither have conditions nor are named in one."""
    named = {parent for parameter in parameters.values() for parent in parameter.when}
    return sum(not parameter.when and name not in named for name, parameter in parameters.items())


def _groups(parameters: Mapping[str, Parameter]) -> dict[str, list[_Group]]:
    """Of each parameter the values that conditions name, and all others as one group; each with its size."""
    named: dict[str, dict[Scalar, float]] = {name: {} for name in parameters}
    for parameter in parameters.values():
        for parent, values in parameter.when.items():
            named[parent] |= dict.fromkeys(values, 1)
    groups: dict[str, list[_Group]] = {}
    for name, parameter in parameters.items():
        rest = parameter.size() - len(named[name])
        others: list[_Group] = [(f"not {list(named[name])}", rest)] if rest else []
        groups[name] = [*named[name].items(), *others]
    return groups
