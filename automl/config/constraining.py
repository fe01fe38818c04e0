"""The key `constraints` of a study file: what metrics of a trial must be for it to count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from automl import plugins
from automl.config.document import Mistake, nearest, shown
from automl.config.shorthand_draft import Draft
from automl.config.sizes import in_units
from automl.contracts import RESERVED_METRICS, Bounds, Direction, Json, PluginSpec, TaskOutline
from automl.metrics import RESOURCES

KEYS = {Direction.MINIMIZE.value: "at_most", Direction.MAXIMIZE.value: "at_least"}
EXAMPLE = "{at_most: 2M}, for instance"


def expand_constraints(draft: Draft, directions: Mapping[str, str]) -> None:
    """Write out `parameters: 2M` as `{at_most: 2000000}`; which bound it is, the metric's direction says."""
    written = draft.data.get("constraints")
    if not isinstance(written, dict):
        return
    draft.data["constraints"] = found = {}
    known = {**directions, **_own_directions(draft)}
    for name, value in written.items():
        bounds = value
        if value is not None and not isinstance(value, dict):
            key = KEYS.get(known.get(str(name), ""))
            if key is None:
                text = f"whether {shown(name)} is bounded above or below must be known, but is not"
                draft.refuse(("constraints", name), f"{text}; write {{at_most: …}} or {{at_least: …}}")
                continue
            bounds = {key: value}
            draft.origins["constraints", name, key] = ("constraints", name)
        if isinstance(bounds, dict):
            found[name] = {
                key: _number(draft, name, key, one) for key, one in bounds.items() if one is not None
            }
        elif value is not None:
            found[name] = value


def _own_directions(draft: Draft) -> dict[str, str]:
    """Those of the study's own metrics, which may have names that nobody else knows."""
    task = draft.data.get("task")
    listed = task.get("metrics") if isinstance(task, dict) else None
    metrics = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return {str(one.get("name")): str(one.get("direction")) for one in metrics}


def _number(draft: Draft, name: str, key: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return in_units(value)
    except ValueError as error:
        draft.refuse(("constraints", name, key), str(error))
        return 0.0


def bounds_of(data: Json, part: Callable[..., Bounds | None]) -> dict[str, Bounds]:
    """The bounds that are right by themselves. `part(model, *path)` reads one of them, or gives None."""
    written = data.get("constraints")
    names = written if isinstance(written, dict) else ()
    found = {name: part(Bounds, "constraints", name) for name in names}
    return {name: bounds for name, bounds in found.items() if bounds is not None}


def check_constraints(constraints: Mapping[str, Bounds]) -> Iterator[Mistake]:
    """Each bounds something that is measured, and can be kept."""
    for name, bounds in constraints.items():
        where = ("constraints", name)
        if name in RESERVED_METRICS:
            text = f"must not be one that is recorded for every trial ({', '.join(RESERVED_METRICS)})"
            yield Mistake(where, f"{text}, but got {shown(name)}; see budget, limits and trial")
        elif bounds.at_most is None and bounds.at_least is None:
            yield Mistake(where, f"must have a bound, but has none; write {EXAMPLE}")
        elif name in RESOURCES and bounds.at_most is not None and bounds.at_most <= 0:
            yield Mistake(where, f"must leave something, but got {bounds}; write a number above 0")
        elif bounds.at_most is not None and bounds.at_least is not None and bounds.at_least > bounds.at_most:
            yield Mistake(where, f"at_least must be at most at_most, but got {bounds}; correct one of them")


def check_measured(
    constraints: Mapping[str, Bounds], evaluator: PluginSpec, task: TaskOutline
) -> Iterator[Mistake]:
    """Whether an evaluator, whose options are valid, measures what is bounded."""
    known = plugins.build("evaluators", evaluator).measures()
    if known is None:
        return
    measured = [*known, *(metric.name for metric in task.metrics)]
    for name in constraints:
        if name not in measured and name not in RESERVED_METRICS:
            text = f"must be a metric that {evaluator.name} measures, but got {shown(name)}"
            yield Mistake(("constraints", name), f"{text}; {nearest(name, measured)}")
