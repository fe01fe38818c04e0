"""Values of a study that look like secrets, told: options and configurations are kept as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from automl.config.resolved import ResolvedStudy
from automl.masking import is_secret_name, mask
from automl.space.parameters import Choice


def secret_values(resolved: ResolvedStudy) -> Iterator[str]:
    """A line for each parameter, choice and option that looks like a password, token or key."""
    for place in dict.fromkeys(_places(resolved)):
        yield (
            f"warning: {place} looks like a secret, but what is searched or set is kept as it is: in the "
            "ledger, reports and exports; let code read it from the environment"
        )


def _places(resolved: ResolvedStudy) -> Iterator[str]:
    for name, arm in resolved.arms.items():
        for parameter, found in (arm.space.parameters if arm.space else {}).items():
            options = found.options if isinstance(found, Choice) else ()
            texts = [option for option in options if isinstance(option, str)]
            if any(mask(text) != text for text in texts) or (texts and is_secret_name(parameter)):
                yield f"the parameter {parameter} of arms.{name}"
    yield from _options(resolved.study.to_json(), "")


def _options(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, entry in value.items():
            place = f"{path}.{key}" if path else str(key)
            if isinstance(entry, str) and mask({key: entry}) != {key: entry}:
                yield place
            else:
                yield from _options(entry, place)
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _options(entry, f"{path}[{number}]")
    elif isinstance(value, str) and mask(value) != value:
        yield path
