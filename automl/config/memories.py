"""The keys `memory` and `twin` of a study file: their shorthands, and which strategies may have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from automl import plugins
from automl.config.defaults import TWIN
from automl.config.document import KeyPath, Mistake, shown
from automl.config.shorthand_draft import Draft
from automl.config.study import Arm, Memory
from automl.contracts import Json, PluginSpec, Remembers, UserError

RULE = "must be last, all, [names of campaigns or studies] or {from, top}, or false for none"


def expand_memory(draft: Draft, owner: Json, path: KeyPath) -> None:
    """Write out the memory of a study or an arm: `last` is `{from: last}`, `false` is `{from: []}`."""
    memory = owner.get("memory")
    if memory is None:
        return
    where = (*path, "memory")
    if memory is False:
        memory = {"from": []}
    elif isinstance(memory, str | list):
        memory = {"from": memory}
        draft.origins[(*where, "from")] = draft.written(where)
    if not isinstance(memory, dict):
        draft.refuse(where, f"{RULE}, but got {shown(memory)}; write memory: last, for instance")
        return
    memory = {key: value for key, value in memory.items() if value is not None}
    sources = memory.get("from", "last")
    if isinstance(sources, str) and sources not in ("last", "all"):
        sources = [sources]
    named = isinstance(sources, list) and all(isinstance(name, str) and name for name in sources)
    if not named and not isinstance(sources, str):
        text = f"must be last, all or [names of campaigns or studies], but got {shown(sources)}; write last"
        draft.refuse((*where, "from"), text)
        return
    owner["memory"] = {**memory, "from": sources}


def add_twins(draft: Draft) -> None:
    """Add, after each arm that asks for a twin, the same arm without memory."""
    arms: Json = {}
    for name, arm in draft.data["arms"].items():
        arms[name] = arm
        if not isinstance(arm, dict) or arm.get("twin") is not True:
            continue
        twin = f"{name}{TWIN}"
        if twin in draft.data["arms"]:
            text = f"it adds the arm {twin}, but there is one already; remove that arm or this key"
            draft.refuse(("arms", name, "twin"), text)
            continue
        arms[twin] = {**arm, "memory": {"from": []}, "twin": False}  # shares what later steps complete
        _place_alike(draft, ("arms", name), ("arms", twin))
    draft.data["arms"] = arms


def _place_alike(draft: Draft, arm: KeyPath, twin: KeyPath) -> None:
    """Whatever is known or wrong of an arm is so of its twin, at the same place in the file."""
    draft.origins[twin] = draft.written(arm)
    for path, origin in list(draft.origins.items()):
        if path[:2] == arm:
            draft.origins[(*twin, *path[2:])] = origin
    draft.broken |= {(*twin, *path[2:]) for path in draft.broken if path[:2] == arm}
    draft.plugins += [
        use._replace(path=(*twin, *use.path[2:])) for use in draft.plugins if use.path[:2] == arm
    ]


def check_memory(arm: Arm, of_study: Memory | None, where: KeyPath) -> Iterator[Mistake]:
    """Memory belongs to an arm whose strategy can take it; a twin needs an arm with memory beside it."""
    own = arm.memory is not None and arm.memory.source != []
    key = "twin" if arm.twin else "memory"
    if not own and not arm.twin:
        return
    if arm.strategy is None:
        text = "memory needs a strategy, but this arm has none"
        yield Mistake((*where, key), f"{text}; remove the key, or write {{strategy: tpe}}, for instance")
    elif remembers(arm.strategy) == "nothing":
        text = f"{arm.strategy.name} must remember nothing, since arms are compared with it, but got {key}"
        yield Mistake((*where, key), f"{text}; remove the key")
    elif arm.twin and not own and (of_study is None or of_study.source == [] or arm.memory is not None):
        text = "a twin is the same arm without memory, but this arm has none"
        yield Mistake((*where, "twin"), f"{text}; write memory: last, or remove the key")


def check_use(memory: Memory | None, arms: Iterable[Arm | None]) -> Iterator[Mistake]:
    """A study's memory is for some arm; an arm that is None is wrong by itself."""
    found = list(arms)
    strategies = [arm.strategy for arm in found if arm is not None and arm.memory is None]
    taken = [strategy for strategy in strategies if strategy and remembers(strategy) != "nothing"]
    if memory is not None and memory.source != [] and not taken and None not in found:
        text = "must be of use to an arm, but none has a strategy that remembers and no memory of its own"
        yield Mistake(("memory",), f"{text}; add one such as tpe: {{strategy: tpe}}, or remove the key")


def remembers(strategy: PluginSpec) -> Remembers | None:
    """What a strategy can take of earlier campaigns; None for an unknown one, which is another mistake."""
    try:
        return plugins.load("strategies", strategy.name).remembers
    except UserError:
        return None
