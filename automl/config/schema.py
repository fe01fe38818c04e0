"""The JSON Schema of a study file as users write it, shorthands included: for editors and for the docs."""

from __future__ import annotations

from typing import Any, TypeAlias

from automl import plugins
from automl.config.amounts import Budget
from automl.config.keys import KEYS
from automl.config.promotion import Promote
from automl.config.shorthands import MAX_SEEDS, MOST_LOOKS
from automl.config.study import Arm, Memory, SpaceSpec, Study, Trial
from automl.config.task_keys import Key
from automl.config.transfer import Transfer
from automl.contracts import Bounds, Options, TaskSpec, UserError
from automl.metrics import DIRECTIONS

Schema: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = f"^{plugins.REFERENCE.pattern}$"
SIZE = r"^\s*\d+(\.\d+)?\s*([kKMGT]i?)?B\s*$"  # 4GiB
NUMBER = r"^\s*[+-]?\d+(\.\d*)?([eE][+-]?\d+)?\s*[A-Za-z]*\s*$"  # 5ms
PARAMETERS = r"^\s*\d+(\.\d+)?\s*[kKmMgG]?\s*$"  # 5M
NUMBERS: list[Schema] = [{"type": "number"}, {"type": "string", "pattern": NUMBER}]
OPTIONS_KINDS = ("evaluators", "strategies", "pruners", "executors")  # written as {name: options}
PLUGIN_KEYS: dict[type[Options], dict[str, str]] = {
    Study: {"evaluator": "evaluators", "executor": "executors"},
    Arm: {"strategy": "strategies", "pruner": "pruners", "evaluator": "evaluators"},
}


def study_schema() -> Schema:
    """The schema, with the names and options of all plug-ins that are found now."""
    written = Study.model_json_schema()
    parts = written.pop("$defs")
    parts["Study"] = written
    definitions = {part.__name__: _part(part, parts[part.__name__]) for part in KEYS}
    _task_shorthands(definitions[TaskSpec.__name__])
    definitions[SpaceSpec.__name__] = _space(definitions[SpaceSpec.__name__])
    definitions[Memory.__name__] = _memory(definitions[Memory.__name__])
    definitions[Transfer.__name__] = _transfer(definitions[Transfer.__name__])
    definitions[Budget.__name__]["minProperties"] = 1
    _promote(definitions[Promote.__name__]["properties"])
    _size(definitions[Trial.__name__]["properties"]["memory"])
    for bound in definitions[Bounds.__name__]["properties"].values():
        bound.pop("type")
        bound |= {"anyOf": NUMBERS}
    definitions |= {kind: _plugin(kind) for kind in OPTIONS_KINDS}
    study = definitions.pop(Study.__name__)
    _study_shorthands(study)
    schema: Schema = _without_titles({**study, "$defs": definitions})
    return {"$schema": DIALECT, "title": "A study of automl-orchestrator", **schema}


def _part(part: type[Options], found: Schema) -> Schema:
    """The schema of one part of a study: pydantic's, with the meaning and an example of each key."""
    properties = {}
    for name, key in KEYS[part].items():
        kind = PLUGIN_KEYS.get(part, {}).get(name)
        if kind is not None:
            properties[name] = _described({"$ref": f"#/$defs/{kind}"}, key)
        else:  # a key that shorthands add is not a field of the model
            properties[name] = _described(_without_null(found["properties"].get(name, {})), key)
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": list(found["required"])} if "required" in found else schema


def _described(schema: Schema, key: Key) -> Schema:
    kept = {name: value for name, value in schema.items() if name not in ("title", "description", "default")}
    default = schema.get("default")
    if isinstance(default, bool | int | float | str):
        kept["default"] = default
    return {"description": key.meaning, **kept, "examples": [key.example]}


def _without_null(schema: Schema) -> Schema:
    """An optional value's schema without null: a study file leaves the key out instead."""
    options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) != 1:
        return schema
    return {**{key: value for key, value in schema.items() if key != "anyOf"}, **options[0]}


def _study_shorthands(study: Schema) -> None:
    seeds, arms = study["properties"]["seeds"], study["properties"]["arms"]
    many = {key: seeds.pop(key) for key in ("type", "minItems", "items")}
    del many["items"]["description"]
    number = {"type": "integer", "minimum": 1, "maximum": MAX_SEEDS}
    some = {"type": "integer", "minimum": 2, "maximum": MOST_LOOKS}
    until = {"until": {"const": "decided"}, "at_least": some, "at_most": some}
    seeds["anyOf"] = [number, many, _mapping({"exactly": number}, "exactly"), _mapping(until, "until")]
    del arms["minProperties"], arms["propertyNames"]
    arms["additionalProperties"] = False
    study["required"].remove("arms")
    bounds = study["properties"]["constraints"]["additionalProperties"]
    study["properties"]["constraints"]["additionalProperties"] = {"anyOf": [*NUMBERS, bounds]}
    transfer = study["properties"]["transfer"]
    one = transfer["items"]
    transfer["anyOf"] = [one, {key: transfer.pop(key) for key in ("type", "items")}]
    study["properties"]["baseline"] |= {"type": "boolean", "default": True}


def _mapping(properties: Schema, required: str) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [required],
        "additionalProperties": False,
    }


def _task_shorthands(task: Schema) -> None:
    properties, direction = task["properties"], {"enum": ["maximize", "minimize"]}
    properties["metric"] |= {"type": "string", "examples": list(DIRECTIONS)}
    properties["direction"] |= direction
    metrics = properties["metrics"]
    for key in ("type", "items", "minItems"):
        metrics.pop(key, None)
    known = {"enum": [*direction["enum"], None]}
    metrics["anyOf"] = [
        {"type": "array", "minItems": 1, "items": {"enum": list(DIRECTIONS)}},
        {"type": "object", "minProperties": 1, "additionalProperties": known},
    ]
    properties["dataset"]["examples"] = [*plugins.names("datasets"), "table.csv", "arrays.npz", "images/"]
    del task["required"]
    task["oneOf"] = [{"required": ["metric"]}, {"required": ["metrics"]}]


def _space(written: Schema) -> Schema:
    names = {"anyOf": [*_names("spaces"), {"type": "string", "pattern": r"\.npz$"}]}
    written["properties"]["name"] |= names
    # a mapping, which is read into a list; the name may then be left out
    parameters = written["properties"]["parameters"]
    del parameters["type"], parameters["items"]
    parameters |= {"type": "object", "minProperties": 1, "additionalProperties": {"type": "object"}}
    del written["required"]
    written["anyOf"] = [{"required": ["name"]}, {"required": ["parameters"]}]
    return {"anyOf": [names, written]}


def _memory(written: Schema) -> Schema:
    names: list[Schema] = [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
    del written["properties"]["from"]["anyOf"]
    written["properties"]["from"]["anyOf"] = names
    return {"anyOf": [*names, {"const": False}, written]}


def _transfer(written: Schema) -> Schema:
    written["required"].remove("name")
    return {"anyOf": [{"type": "string"}, written]}


def _promote(properties: Schema) -> None:
    names = properties["beats"]
    items = {key: names.pop(key) for key in ("type", "items")}
    names["anyOf"] = [items["items"], items]
    size = properties["size_at_most"]
    number = {key: size.pop(key) for key in ("type", "minimum")}
    size["anyOf"] = [number, {"type": "string", "pattern": PARAMETERS}]


def _size(memory: Schema) -> None:
    least = memory.pop("minimum")
    memory.pop("type")
    memory["anyOf"] = [{"type": "integer", "minimum": least}, {"type": "string", "pattern": SIZE}]


def _names(kind: str) -> list[Schema]:
    """A known name of a kind, or an attribute of a module of the user's."""
    summaries = plugins.summaries(kind)
    return [{"enum": list(summaries)}, {"type": "string", "pattern": REFERENCE}]


def _plugin(kind: str) -> Schema:
    """`name`, or `{name: {option: value}}`."""
    options = {
        name: {"description": summary, "anyOf": [{"type": "null"}, _options(kind, name)]}
        for name, summary in plugins.summaries(kind).items()
    }
    mapping: Schema = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": options,
        "patternProperties": {REFERENCE: {"type": ["object", "null"]}},
        "additionalProperties": False,
    }
    return {"anyOf": [*_names(kind), mapping]}


def _options(kind: str, name: str) -> Schema:
    """The schema of a plug-in's options; any mapping for a plug-in that cannot be imported."""
    place = f"#/$defs/{kind}/anyOf/2/properties/{name}/anyOf/1/$defs/{{model}}"
    try:
        schema: Schema = plugins.load(kind, name).Options.model_json_schema(ref_template=place)
    except UserError:
        return {"type": "object"}
    return schema


def _without_titles(schema: Any) -> Any:
    """`schema` without the titles that pydantic makes of the names of keys."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key != "title" or not isinstance(value, str)}
    return {key: _without_titles(value) for key, value in kept.items()}
