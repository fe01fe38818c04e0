"""Writes out the spaces of a study file: a name, a restricted one, or parameters of the study's own."""

from __future__ import annotations

from automl.config.defaults import INLINE
from automl.config.document import KeyPath, shown
from automl.config.shorthand_draft import Draft, without_nulls
from automl.contracts import Json, UserError
from automl.space import parameter_from_json


def expand_space(draft: Draft, owner: Json, path: KeyPath) -> None:
    """Write out the space of `owner`, which stands at `path`: the study, or an arm."""
    space = owner.get("space")
    if isinstance(space, str):
        owner["space"] = {"name": space}
        draft.origins[(*path, "space", "name")] = draft.written((*path, "space"))
    elif isinstance(space, dict):
        owner["space"] = without_nulls(space)
        if "parameters" in owner["space"]:
            _expand_parameters(draft, owner["space"], (*path, "space", "parameters"))
    elif space is not None:
        draft.refuse(
            (*path, "space"), f"must be a name or {{name, fix, narrow}}, but got {shown(space)}; write a name"
        )


def _expand_parameters(draft: Draft, space: Json, path: KeyPath) -> None:
    """Parameters `{name: {type: …}}` become a list, whose order cannot get lost."""
    written = space["parameters"]
    space.setdefault("name", INLINE)
    if not isinstance(written, dict) or not written:
        rule = "must be {name: {type: float, low: 0, high: 1}, …}"
        draft.refuse(path, f"{rule}, but got {shown(written)}; write at least one parameter")
        return
    space["parameters"] = []
    for number, (name, parameter) in enumerate(written.items()):
        draft.origins[(*path, number)] = (*draft.written(path), name)
        if not isinstance(parameter, dict) or "name" in parameter:
            text = f"must be {{type: float, low: 0, high: 1}}, say, but got {shown(parameter)}; correct it"
            draft.refuse((*path, number), text)
            continue
        space["parameters"].append({"name": name, **_complete(without_nulls(parameter))})


def _complete(parameter: Json) -> Json:
    """The parameter with all its fields, so that two ways to write it are one; a wrong one as it is."""
    try:
        return parameter_from_json(parameter).to_json()
    except UserError:  # told when the space is built
        return parameter
