"""The generated tables of the documentation: plug-ins, keys of a study file, metrics, rooms."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from python_names import python_names

from automl import metrics, plugins
from automl.checking import Check
from automl.checking.kinds import CHECKS
from automl.config.keys import KEYS
from automl.config.schema import study_schema
from automl.config.study import SpaceSpec, Study

ROOT = Path(__file__).parents[2]
SECTIONS = {
    "TaskSpec": "task",
    "ReadSpec": "task.read",
    "ColumnsSpec": "task.columns",
    "SplitSpec": "task.split",
    "EpisodesSpec": "task.episodes",
    "Bounds": "constraints.METRIC",
    "SpaceSpec": "space",
    "Budget": "budget",
    "Limits": "limits",
    "Trial": "trial",
    "Retry": "retry",
    "Arm": "arms.NAME",
    "Memory": "memory",
    "Final": "final",
    "Transfer": "transfer[]",
    "Schedule": "schedule",
    "Promote": "promote",
    "Target": "notify[]",
}
CASE = r" \([^)]*\)$"  # what a rule was checked on
MANY = 8  # values from which on they are not listed
ROOMS_START, ROOMS_END = "<!-- rooms -->", "<!-- end of rooms -->"


def table(name: str) -> str:
    """The table that the comment `<!-- table: name -->` stands for."""
    what, _, argument = name.partition(" ")
    makers = {"plugins": plugin_table, "options": options_table, "checks": check_table}
    if argument:
        return makers[what](argument)
    whole = {
        "plugins": all_plugins,
        "study-file": study_file,
        "metrics": metric_table,
        "python": python_names,
    }
    return whole[what]()


def plugin_table(kind: str) -> str:
    """Name and first docstring line of every plug-in of a kind."""
    rows = [f"| `{name}` | {summary} |" for name, summary in plugins.summaries(kind).items()]
    return "\n".join([f"| {plugins.SINGULAR[kind]} | |", "|---|---|", *rows])


def all_plugins() -> str:
    """A section with a table for each kind of plug-in."""
    kinds = ((plugins.SINGULAR[kind], plugin_table(kind)) for kind in plugins.PACKAGES)
    return "\n\n".join(f"## {name[0].upper()}{name[1:]}\n\n{rows}" for name, rows in kinds)


def options_table(kind: str) -> str:
    """A section for each plug-in of a kind that has options: names, types, defaults."""
    parts = []
    for name, summary in plugins.summaries(kind).items():
        schema = plugins.load(kind, name).Options.model_json_schema()
        rows = list(_option_rows(schema))
        text = ["| option | type | default |", "|---|---|---|", *rows] if rows else ["No options."]
        meaning = str(schema.get("description", "")) if rows else ""
        parts.append("\n".join([f"### `{name}`", "", summary, "", meaning, "", *text]))
    return "\n\n".join(parts)


def _option_rows(schema: dict[str, Any]) -> Iterator[str]:
    for name, option in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        default = "required" if required else f"`{json.dumps(option.get('default'))}`"
        yield f"| `{name}` | {_type(option)} | {default} |"


def check_table(kind: str) -> str:
    """The rules that the suite of a kind checks on its plug-ins, each once."""
    named = (re.sub(CASE, "", check.name) for name in plugins.names(kind) for check in _checks(kind, name))
    return "\n".join(f"- {rule}" for rule in dict.fromkeys(named))


def _checks(kind: str, name: str) -> list[Check]:
    return list(CHECKS[kind](plugins.load(kind, name)))


def metric_table() -> str:
    """Metrics with their direction and what they are for."""
    groups = {
        "classification": metrics.CLASSIFICATION,
        "regression": metrics.REGRESSION,
        "resources, measured by evaluators": metrics.RESOURCES,
    }
    rows = [
        f"| `{name}` | {group} | {metrics.DIRECTIONS[name].value} |"
        for group, names in groups.items()
        for name in names
    ]
    return "\n".join(["| metric | of | direction |", "|---|---|---|", *rows])


def study_file() -> str:
    """A section for each part of a study file: its keys, types, defaults, meanings and examples."""
    schema = study_schema()
    parts = [_keys("The file", schema)]
    for part in KEYS:
        if part is not Study:
            written = schema["$defs"][part.__name__]
            parts.append(
                _keys(f"`{SECTIONS[part.__name__]}`", written["anyOf"][-1] if "anyOf" in written else written)
            )
    return "\n\n".join(parts)


def _keys(title: str, schema: dict[str, Any]) -> str:
    rows = [f"## {title}", "", "| key | type | default | meaning | example |", "|---|---|---|---|---|"]
    for name, key in schema["properties"].items():
        default = "required" if name in schema.get("required", ()) else _shown(key.get("default", ""))
        example = _yaml({name: key["examples"][0]})
        rows.append(f"| `{name}` | {_type(key)} | {default} | {key['description']} | `{example}` |")
    return "\n".join(rows)


def _shown(value: object) -> str:
    return f"`{json.dumps(value)}`" if value != "" else ""


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True).strip()
    return text.removeprefix("{").removesuffix("}").replace("|", "\\|")


def _type(schema: dict[str, Any]) -> str:
    """A schema's type in words."""
    if len(schema.get("enum", ())) > MANY:
        return "a known name"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "$ref" in schema:
        return _reference(schema["$ref"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_type(option) for option in schema[key]))
    kind = schema.get("type", "any")
    names = {"object": "mapping", "array": "list", "string": "text", "null": "nothing"}
    if kind == "array" and "items" in schema:
        return f"list of {_type(schema['items'])}"
    return f"{names.get(kind, kind)}{_limits(schema)}"


def _reference(ref: str) -> str:
    name = ref.rpartition("/")[2]
    if name in plugins.PACKAGES:
        return f"name, or `{{name: options}}`: {plugins.SINGULAR[name]}"
    mapping = f"mapping, see `{SECTIONS[name]}`" if name in SECTIONS else "mapping"
    return f"name, or {mapping}" if name == SpaceSpec.__name__ else mapping


def _limits(schema: dict[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    found = [f"{sign} {schema[key]}" for key, sign in signs.items() if key in schema]
    return f" {', '.join(found)}" if found else ""


def _rules() -> Any:
    """The module with the tables of the architecture test."""
    sys.path.insert(0, str(ROOT / "tests"))  # where its own imports are
    spec = importlib.util.spec_from_file_location("rules", ROOT / "tests" / "test_architecture.py")
    assert spec is not None and spec.loader is not None
    rules = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rules)
    return rules


def rooms() -> str:
    """Each room, what it is for and which rooms it may import; then libraries and their rooms."""
    rules = _rules()
    rows = ["| room | what it is for | may import |", "|---|---|---|"]
    for name, allowed in rules.ALLOWED.items():
        rows.append(f"| `{name}` | {_summary(name)} | {_listed(allowed) or 'nothing'} |")
    for name in sorted(rules.KNOW_ALL):
        above = _listed(rules.ABOVE[name])
        rows.append(f"| `{name}` | {_summary(name)} | every room{f' except {above}' if above else ''} |")
    libraries = ["| library | rooms that may import it |", "|---|---|"]
    libraries += [f"| {name} | {_listed(held)} |" for name, held in rules.HELD.items()]
    return "\n".join([*rows, "", *libraries])


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _summary(room: str) -> str:
    folder = ROOT / room if room == "searchspaces" else ROOT / "automl" / room
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    doc = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return doc.partition("\n")[0].replace("|", "\\|")


def with_rooms(text: str) -> str:
    """The page `text` with its table of rooms as it is now."""
    before, _, rest = text.partition(ROOMS_START)
    return f"{before}{ROOMS_START}\n\n{rooms()}\n\n{ROOMS_END}{rest.partition(ROOMS_END)[2]}"


if __name__ == "__main__":
    page = ROOT / "docs" / "architecture.md"
    page.write_text(with_rooms(page.read_text(encoding="utf-8")), encoding="utf-8")
