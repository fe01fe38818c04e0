"""What a function of a program is made of: its source, and what it uses of its file or notebook.

That is its identity: a function that has changed makes another study. Comments and layout do not count, and
what looks like a secret is masked.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import re
import textwrap
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from automl.contracts import Json, UserError
from automl.identity import user_code
from automl.masking import mask, mask_text

LONGEST: Final = 10_000  # characters of a value that is written down
MOST: Final = 200  # functions and values that one objective uses


@dataclass(frozen=True)
class Source:
    """`text`: of the function. `uses`: by name, the source or value of what it uses. `untold`: the rest."""

    text: str
    uses: Json = field(default_factory=dict)
    untold: tuple[str, ...] = ()


def source_of(function: Callable[..., Any]) -> Source:
    """The source of a function that cannot be imported. Raises `UserError` for one that uses too much."""
    uses: Json = {}
    untold: list[str] = []
    todo = list(_named(function))
    seen: set[str] = set()
    while todo:
        name, value = todo.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if len(seen) > MOST:
            raise UserError(
                f"an objective may use at most {MOST} names of its file, but {function.__qualname__} uses "
                "more; put it into a module and import it"
            )
        if _is_own(value):
            uses[name] = _text(value)
            todo += [(f"{inner}", found) for inner, found in _named(value) if inner not in seen]
        else:
            _note(name, value, uses, untold)
    shown = {name: _masked(name, text) for name, text in sorted(uses.items())}
    own = mask_text(_text(function))
    hidden = [name for name, text in shown.items() if text != uses[name]]
    hidden += [function.__qualname__] if own != _text(function) else []
    return Source(own, shown, (*untold, *(f"{name} (masked: it looks like a secret)" for name in hidden)))


def _masked(name: str, text: str) -> str:
    """What is kept of a source or a value: a text of a telling name is a secret, a number or code is none."""
    masked: str = mask({name: text})[name] if text.startswith('"') else mask_text(text)
    return masked


def _note(name: str, value: Any, uses: Json, untold: list[str]) -> None:
    """Note a value that is no code of the same file."""
    module = value if isinstance(value, types.ModuleType) else inspect.getmodule(value)
    if isinstance(value, types.ModuleType) or callable(value):
        if module is not None:
            uses[name] = module.__name__
            for file, digest in user_code({"uses": f"{module.__name__}:_"}, []).items():
                uses[f"file {file}"] = digest
        return
    try:
        text = json.dumps(value, sort_keys=True, allow_nan=True)
    except (TypeError, ValueError):
        text = ""
    if text and len(text) <= LONGEST:
        uses[name] = text
    elif text:
        uses[name] = f"sha256 {hashlib.sha256(text.encode()).hexdigest()}"
    else:
        untold.append(f"{name} ({type(value).__name__})")


def _is_own(value: Any) -> bool:
    """Whether it is code that was written where the objective was: in a script, a notebook, a function."""
    if not isinstance(value, types.FunctionType | type):
        return False
    return value.__module__ == "__main__" or "<locals>" in value.__qualname__


def _named(value: Any) -> Iterator[tuple[str, Any]]:
    """What code uses from outside of itself, by name: globals, variables of functions around it, defaults."""
    if isinstance(value, type):
        for inner in vars(value).values():
            if isinstance(inner, types.FunctionType):
                yield from _named(inner)
        yield from ((base.__name__, base) for base in value.__bases__ if _is_own(base))
        return
    for number, default in enumerate(value.__defaults__ or ()):
        yield f"default {number} of {value.__qualname__}", default
    for name, default in (value.__kwdefaults__ or {}).items():
        yield f"default {name} of {value.__qualname__}", default
    for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # it is assigned later
            continue
    for name in sorted(set(_names(value.__code__))):
        if name in value.__globals__:
            yield name, value.__globals__[name]


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _text(value: Any) -> str:
    """The source without comments and layout; of code whose source is gone, a digest of what was compiled."""
    code = value.__code__ if isinstance(value, types.FunctionType) else None
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(value if code is None else code)))
    except (OSError, TypeError, SyntaxError):
        return _compiled(value)
    node: ast.AST | None = tree.body[0] if tree.body else None
    if code is not None and code.co_name == "<lambda>":
        found = [inner for inner in ast.walk(tree) if isinstance(inner, ast.Lambda)]
        node = found[0] if len(found) == 1 else None
    elif not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name != value.__name__:
        node = None
    if node is None or (code is not None and not _fits(ast.unparse(node), code)):
        return _compiled(value)
    return ast.unparse(node)


def _fits(text: str, code: types.CodeType) -> bool:
    """Whether a source has every name of the code: what is found may be of another file of that name."""
    words = set(re.findall(r"\w+", text))
    return words >= {*code.co_names, *code.co_varnames, *code.co_freevars}


def _compiled(value: Any) -> str:
    """A digest of the compiled code, which differs between versions of Python."""
    parts: list[Any] = []
    codes = [value.__code__] if isinstance(value, types.FunctionType) else list(_codes(value))
    while codes:
        code = codes.pop()
        constants = [one for one in code.co_consts if not isinstance(one, types.CodeType)]
        parts.append([code.co_code.hex(), list(code.co_names), list(map(repr, constants))])
        codes += [one for one in code.co_consts if isinstance(one, types.CodeType)]
    return f"compiled {hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"


def _codes(owner: type) -> Iterator[types.CodeType]:
    return (inner.__code__ for inner in vars(owner).values() if isinstance(inner, types.FunctionType))
