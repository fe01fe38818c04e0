"""Keys and texts in the form that MLflow and its databases accept, without loss."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from automl.masking import mask_text

LONGEST_PARAM: Final = 6000  # characters; MLflow cuts longer ones silently
LONGEST_TAG: Final = 8000
LONGEST_KEY: Final = 250
LONG_FILE: Final = "long_values.json"  # whole values of parameters and tags that are too long
_FORBIDDEN = re.compile(r"[^/\w.\- :]")


def flatten(data: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and texts of the leaves of nested plain data; lists stay one value, None is left out."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from flatten(value, f"{prefix}.{key}" if prefix else str(key))
    elif data is not None:
        yield prefix, json.dumps(data) if isinstance(data, list) else text(data)


def param_text(value: object) -> str:
    """A value of a configuration in MLflow's way, without what looks like a secret."""
    return text(_masked(value) if isinstance(value, str) else value)


@lru_cache(maxsize=10_000)
def _masked(value: str) -> str:
    return mask_text(value)


@lru_cache(maxsize=10_000)
def clean_key(name: str) -> str:
    """A key that MLflow accepts: the name itself, or a readable form made unique by a digest."""
    cleaned = _FORBIDDEN.sub("_", name)
    if cleaned == name and len(name) <= LONGEST_KEY and _plain_path(name):
        return name
    cleaned = "_".join(part.strip(".") for part in cleaned.split("/") if part.strip(".")) or "_"
    mark = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    return f"{cleaned[: LONGEST_KEY - 9]}-{mark}"


def clean_text(text: str) -> str:
    """`text` with NUL and lone surrogates, which databases refuse, written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def _plain_path(name: str) -> bool:
    return posixpath.normpath(name) == name != "." and not name.startswith(("..", "/"))


def short(value: str, longest: int) -> str:
    """`value`, or its start and where the whole value is when it is longer than MLflow keeps."""
    if len(value) <= longest:
        return value
    return f"({len(value)} characters, see the artifact {LONG_FILE}) {value[:200]}"


def text(value: object) -> str:
    """A value as MLflow shows it; servers refuse empty texts."""
    return '""' if value == "" else str(value)


def to_json(data: object) -> str:
    """`data` as a readable JSON file."""
    return json.dumps(data, indent=2, sort_keys=True) + "\n"
