"""What pydantic found wrong, in our words: the rule, the value and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined

from automl.config.document import KeyPath, Mistake, nearest, shown

_RULES = {
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "dataclass_type": "must be a mapping",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "string_pattern_mismatch": "must be 1 to 63 lower-case letters, digits and hyphens, with no hyphen first",
}


def check(model: type[BaseModel], data: object) -> list[Mistake]:
    """Everything wrong with plain `data` as a `model`, nothing converted; paths start at `data`."""
    try:
        model.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        return list(_mistakes(error, model))
    return []


def unknown_key(name: str, owner: type[BaseModel]) -> str:
    """The message about a key that `owner` does not have. Fields with `repr=False` are not for users."""
    known = [item.alias or key for key, item in owner.model_fields.items() if item.repr]
    return f"must be a known key, but got {shown(name)}; {nearest(name, known)}"


def _mistakes(error: ValidationError, model: type[BaseModel]) -> Iterator[Mistake]:
    for found in error.errors(include_url=False):
        path = tuple(part for part in found["loc"] if part != "[key]")
        yield Mistake(path, _text(found, path, model))


def _text(found: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> str:
    owner, item = _field(model, path)
    if found["type"] == "extra_forbidden":
        return unknown_key(str(path[-1]), owner)
    advice = _advice(item)
    if found["type"] == "missing":
        return f"must be given, but is missing; {advice}"
    rule = _RULES.get(found["type"])
    if rule is None:
        message = found["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        for subject in ("Input", "List", "Dictionary", "Tuple", "String", "Value"):
            message = message.replace(f"{subject} should ", "must ").replace("must be a valid", "must be a")
        rule = message
    value = path[-1] if "[key]" in found["loc"] else found["input"]
    return f"{rule}, but got {shown(value)}; {advice}"


def _advice(item: FieldInfo | None) -> str:
    if item is not None and item.description:
        return item.description
    if item is not None and item.default is not PydanticUndefined:
        return f"the default is {shown(item.default)}"
    return "correct it"


def _field(model: type[BaseModel], path: KeyPath) -> tuple[type[BaseModel], FieldInfo | None]:
    """The innermost model around `path` and the field that `path` goes through there."""
    owner, item = model, None
    for part in path:
        fields = {known.alias or key: known for key, known in owner.model_fields.items()}
        if not isinstance(part, str) or part not in fields:
            continue
        item = fields[part]
        inner = _model_in(item.annotation)
        if inner is not None and part != path[-1]:
            owner = inner
    return owner, item


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
