"""Writes out `notify:` of a study file, and refuses what must not be in it: addresses and other secrets.

An address is taken from the environment alone. Most hold a key somewhere, and nobody can tell where: what is
written in a file ends up in the ledger, in version control, and in the list of processes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from automl.config import validation, yamlfile
from automl.config.document import KeyPath, nearest, shown
from automl.config.shorthand_draft import Draft
from automl.config.target import Target
from automl.contracts import Json
from automl.masking import mask_text

WAYS: Final = ("url", "url_from", "command", "file")
KEYS: Final = ("url", *(name for name in Target.model_fields))
MOST: Final = 20  # targets
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,100}")
_VARIABLE: Final = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]{0,100})\}|([A-Za-z_][A-Za-z0-9_]{0,100}))")
_CREDENTIALS: Final = re.compile(r"://[^/\s]*@")
_FROM: Final = "write url: ${NAME}, and export NAME where the study runs"


def expand_targets(draft: Draft) -> None:
    """Check and write out the targets of a draft; `url: ${NAME}` becomes `url_from: NAME`."""
    found = draft.data.get("notify")
    if found is None:
        return
    if not isinstance(found, list) or len(found) > MOST:
        text = f"must be a list of at most {MOST} targets, but got {_safe(found)}"
        draft.refuse(("notify",), f"{text}; write [{{url: ${{NAME}}, on: [end]}}]")
        return
    for number, target in enumerate(found):
        _expand(draft, target, ("notify", number))
    labels: list[str] = []
    for number, target in enumerate(found):
        if any(path[:2] == ("notify", number) for path in draft.broken):
            continue
        if (label := Target.model_validate(target).label) in labels:
            text = f"must be there once, but {label} is there again; write all its events into one `on`"
            draft.refuse(("notify", number), text)
        labels.append(label)


def read_targets(path: Path) -> list[Target]:
    """The targets of a study file, whatever else is wrong with it. Raises `UserError` when they are wrong."""
    document = yamlfile.read(path)
    data = document.data if isinstance(document.data, dict) else {}
    draft = Draft(data={"notify": data.get("notify")})
    expand_targets(draft)
    if draft.mistakes:
        raise document.error(draft.mistakes)
    return [Target.model_validate(target) for target in draft.data["notify"] or ()]


def _expand(draft: Draft, target: object, path: KeyPath) -> None:
    if not isinstance(target, dict):
        text = f"a target must be a mapping, but got {_safe(target)}"
        draft.refuse(path, f"{text}; write {{file: notices.jsonl}}, say")
        return
    for key in [key for key in target if target[key] is None]:
        del target[key]
    mistake = _mistake(target)
    if mistake:
        draft.refuse(path, mistake)
        return
    if "url" in target:
        found = _VARIABLE.fullmatch(target.pop("url"))
        target["url_from"] = (found[1] or found[2]) if found else ""
    for wrong in validation.check(Target, target):  # here, so that no value is shown that may be secret
        draft.refuse((*path, *wrong.path), mask_text(wrong.text) if "://" not in wrong.text else _hidden())


def _mistake(target: Json) -> str:
    """What is wrong with how a target is addressed; no value that may be secret is in it."""
    for key in target:
        if key not in KEYS:
            name = key if isinstance(key, str) and "://" not in key else "an address"
            return f"must be a known key, but got {shown(name)}; {nearest(name, KEYS)}"
    ways = [way for way in WAYS if way in target]
    if len(ways) != 1:
        return (
            f"a target must have exactly one of {', '.join(WAYS)}, but has {' and '.join(ways) or 'none'}; "
            "write one target for each"
        )
    if "format" in target and "command" not in target:
        return f"format belongs to a command, but the target has {ways[0]}; leave it out"
    return {"url": _url, "url_from": _url_from, "command": _command, "file": _file}[ways[0]](target[ways[0]])


def _url(value: object) -> str:
    if isinstance(value, str) and _VARIABLE.fullmatch(value):
        return ""
    return (
        "url must be the name of an environment variable, but got a value (not shown): an address may hold a "
        f"key, and a study is kept and shown; {_FROM}"
    )


def _url_from(value: object) -> str:
    if isinstance(value, str) and _NAME.fullmatch(value):
        return ""
    return f"url_from must be the name of an environment variable, but got a value (not shown); {_FROM}"


def _command(value: object) -> str:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one for one in value):
        return f"command must be [program, argument, …] of texts, but got {_safe(value)}; quote numbers"
    for number, argument in enumerate(value):
        if "\x00" in argument:
            return f"command[{number}] must not hold a zero byte, but does; remove it"
        if _VARIABLE.search(argument):
            return (
                f"command[{number}] must be plain text, but names a variable: nothing is put in its place, "
                "since every user of a machine sees arguments; let the program read its environment"
            )
        if mask_text(argument) != argument or _CREDENTIALS.search(argument):
            return (
                f"command[{number}] must hold no secret, but looks like one (not shown): every user of a "
                "machine sees arguments; let the program read it from its environment"
            )
    return ""


def _file(value: object) -> str:
    if not isinstance(value, str) or not value or "\x00" in value or "://" in value:
        return f"file must be the path of a file, but got {_safe(value)}; write notices.jsonl, say"
    return ""


def _hidden() -> str:
    return f"must be as the reference says, but got a value (not shown); {_FROM}"


def _safe(value: object) -> str:
    """A value for a message, unless an address may be in it."""
    text = shown(value)
    return "a value (not shown)" if "://" in repr(value) or mask_text(text) != text else text
