"""YAML files as plain data with the line of every key; refuses what a study file never needs.

Built from parser events, without recursion and without constructors. Scalars follow the YAML 1.2
core schema: `1e3` is a number; `no`, `on`, `12:30:45` and `2026-01-01` are strings. Refused:
anchors and aliases, tags, several documents, duplicate keys, numbers that JSON cannot hold, files
over 1 MB, more than 50 levels or 20,000 values.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from automl.config.document import Document, KeyPath, Mistake, dotted, shown
from automl.contracts import UserError

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_VALUES = 20_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def read(path: Path, shown_as: str | None = None) -> Document:
    """The document in a file. Raises `UserError` for a file that cannot be read or is no YAML."""
    name = shown_as or str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{name}: the file must be readable, but got: {reason}; check the path") from error
    return parse(_decoded(content, name), name)


def parse(text: str, name: str) -> Document:
    """The document in `text`; `name` stands for it in messages. Raises `UserError` when it is no YAML."""
    builder = _Builder(Document(name))
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        marks = [mark for mark in (error.problem_mark, error.context_mark) if mark]
        inside = [mark.line + 1 for mark in marks if mark.line < text.count("\n") + 1]
        line = inside[0] if inside else 1
        raise UserError(f"{name}:{line}: {_syntax(text, error)}") from error
    except (yaml.YAMLError, UnicodeError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(f"{name}: must be YAML text, but got: {reason}; remove that character") from error
    return builder.document


def override(document: Document, assignment: str) -> None:
    """Set one key of `document` as `--set a.b=value` says; the value is YAML. Notes what is wrong with it."""
    keys, equals, text = assignment.partition("=")
    path: KeyPath = tuple(keys.split("."))
    if not equals or not all(path):
        refused = f"must read key.path=value, but got {shown(assignment)}; write budget.trials=20, say"
    else:
        refused = _set(document, path, text)
    places: list[dict[KeyPath, Any]] = [document.lines, document.overrides]
    for known in places:
        for stale in [key for key in known if key[: len(path)] == path]:
            del known[stale]
    document.overrides[path] = f"--set {keys}"
    if refused:
        document.mistakes.append(Mistake(path, refused))


def _set(document: Document, path: KeyPath, text: str) -> str:
    try:
        value = parse(text, "value")
    except UserError as error:
        return str(error).partition(": ")[2]
    if value.mistakes:
        return value.mistakes[0].text
    parent = document.data
    for depth, key in enumerate(path[:-1]):
        if not isinstance(parent, dict):
            break
        child = parent.get(str(key))
        if child is None or child == path[depth + 1]:  # `evaluator: network` opens to {network: …}
            parent[str(key)] = {} if child is None else {str(child): None}
        elif not isinstance(child, dict):
            name = dotted(path[: depth + 1])
            return f"{name} must be a mapping, but got {shown(child)}; set {name} as a whole"
        parent = parent[str(key)]
    if isinstance(parent, dict):
        parent[str(path[-1])] = value.data
    return ""


def _decoded(content: bytes, name: str) -> str:
    if len(content) > MAX_BYTES:
        raise UserError(
            f"{name}: a study file must be at most 1 MB, but got a larger one; put data in files of its own"
        )
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise UserError(
            f"{name}:1: must be plain UTF-8, but got a byte order mark; save it as UTF-8 without BOM"
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        got = content[error.start : error.start + 1].hex()
        raise UserError(
            f"{name}:{line}: must be UTF-8 text, but got byte 0x{got}; save it as UTF-8"
        ) from error


def _syntax(text: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    if "cannot start any token" in (error.problem or "") and mark:
        line = text.splitlines()[mark.line : mark.line + 1]
        if line and "\t" in line[0]:
            return "indentation must be spaces, but got a tab; replace it by two spaces"
    problem = "; ".join(filter(None, (error.context, error.problem)))
    return f"must be valid YAML, but got: {problem}; check brackets, quotes, colons and indentation"


class _Frame(NamedTuple):
    """An open collection and its path."""

    items: dict[str, Any] | list[Any]
    path: KeyPath


class _Builder:
    """Turns parser events into a `Document`."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._stack: list[_Frame] = []
        self._keys: list[str | None] = []  # per open collection, the key whose value comes next
        self._documents = 0

    def take(self, event: Any) -> None:
        """Take the next event."""
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise self._refused(line, "must be one document, but got a second one; remove the line ---")
        elif getattr(event, "anchor", None):
            raise self._refused(
                line, "must not use anchors or aliases (& and *); write it out, or quote the text"
            )
        elif getattr(event, "tag", None):
            raise self._refused(line, f"must not use tags, but got {event.tag}; remove it, or quote the text")
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self._stack) == MAX_DEPTH:
                raise self._refused(line, f"must have at most {MAX_DEPTH} levels, but got more; flatten it")
            items: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
            self._stack.append(_Frame(items, self._add(items, line)))
            self._keys.append(None)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._stack.pop()
            self._keys.pop()

    def _refused(self, line: int, text: str) -> UserError:
        return UserError(f"{self.document.file}:{line}: {text}")

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if self._stack and isinstance(self._stack[-1].items, dict) and self._keys[-1] is None:
            self._key((*self._stack[-1].path, event.value), line)
        else:
            self._add(self._resolve(event.value) if event.implicit[0] else event.value, line)

    def _key(self, path: KeyPath, line: int) -> None:
        if path in self.document.lines:
            first = self.document.lines[path]
            text = f"a key must be written once, but got it in line {first} and in line {line}; remove one"
            self.document.mistakes.append(Mistake(path, text))
        self.document.lines[path] = line
        self._keys[-1] = str(path[-1])

    def _add(self, value: object, line: int) -> KeyPath:
        """Put `value` at the next free place and give its path."""
        if len(self.document.lines) == MAX_VALUES:
            raise self._refused(
                line, f"must have at most {MAX_VALUES} values, but got more; put data in files"
            )
        if not self._stack:
            self.document.data = value
            self.document.lines[()] = line
            return ()
        items, parent = self._stack[-1]
        if isinstance(items, list):
            items.append(value)
            self.document.lines[*parent, len(items) - 1] = line
            return (*parent, len(items) - 1)
        key = self._keys[-1]
        if key is None:
            raise self._refused(line, "a key must be plain text, but got a collection; quote it")
        items[key] = value
        self._keys[-1] = None
        return (*parent, key)

    def _resolve(self, text: str) -> Any:
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _INT.fullmatch(text):
            if len(text) <= 20 and abs(int(text)) < 2**63:
                return int(text)
        elif _FLOAT.fullmatch(text):
            if math.isfinite(number := float(text)):
                return number
        elif not _NOT_FINITE.fullmatch(text):
            return text
        path = self._stack[-1].path if self._stack else ()
        key = self._keys[-1] if self._stack else None
        rule = f"a number must be finite and an integer fit 64 bits, but got {shown(text)}"
        self.document.mistakes.append(Mistake((*path, key) if key else path, f"{rule}; write a smaller one"))
        return text
