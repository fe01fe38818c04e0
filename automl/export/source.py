"""The source of a function or class with all it needs, importing nothing but torch and Python's library.

Definitions are copied as they stand, from every module they are in, so a space has one source of truth.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from automl.contracts import UserError

_FREE = sys.stdlib_module_names | {"torch"}
TABLES = frozenset({"numpy", "pandas", "sklearn", "skops", "threadpoolctl"})  # of table models
_STAND_INS = {  # for the few names of other libraries that classes of options need
    ("pydantic", "BaseModel"): '''class BaseModel:
    """Named values, taken as they are."""

    def __init__(self, **values):
        vars(self).update(values)

    def model_dump(self):
        return dict(vars(self))''',
    ("pydantic", "ConfigDict"): "ConfigDict = dict",
    ("pydantic", "Field"): "def Field(default=None, **_limits):\n    return default",
}
_RANKS, _ALONE = "automl.ranks.", "automl.ranks.alone"  # what is exported runs in one process


@dataclass(frozen=True)
class _Imported:
    module: str
    name: str | None  # None: `import module`


@dataclass
class _Source:
    """One module: its top-level definitions, its imports, and the statements that are needed."""

    module: str
    lines: list[str]
    definitions: dict[str, ast.stmt] = field(default_factory=dict)
    imports: dict[str, _Imported] = field(default_factory=dict)
    needed: dict[int, ast.stmt] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The needed statements in the order of the file."""
        text = f"# --- from {self.module} ---\n"
        text += "".join(f"{alias} = {name}\n" for alias, name in self.aliases.items())
        for _, statement in sorted(self.needed.items()):
            block = isinstance(statement, ast.FunctionDef | ast.ClassDef)
            text += ("\n\n" if block else "") + self._segment(statement) + "\n"
        return text.rstrip()

    def _segment(self, statement: ast.stmt) -> str:
        first = statement.lineno - 1
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min([first, *(decorator.lineno - 1 for decorator in statement.decorator_list)])
        while first and self.lines[first - 1].startswith("#"):
            first -= 1
        return "\n".join(self.lines[first : statement.end_lineno])


class Flattened:
    """What `module:name` needs. `text` is a module's body; `names` are all names it binds.

    `free`: libraries that it may import besides torch and Python's own.
    """

    def __init__(self, reference: str, free: frozenset[str] = frozenset()) -> None:
        self._free = _FREE | free
        module, _, name = reference.partition(":")
        self.reference = reference
        self.names: dict[str, str] = {}  # and the module each is from
        self._sources: dict[str, _Source] = {}
        self._external: dict[str | None, set[str]] = defaultdict(set)
        self._stand_ins: dict[str, str] = {}
        self._collect(self._source(module), name)

    @property
    def text(self) -> str:
        """Imports and definitions, each before its use."""
        bodies = [source.text() for source in self._in_order() if source.needed]
        return "\n\n\n".join([self._imports(), *self._stand_ins.values(), *bodies])

    def add_import(self, module: str, name: str | None = None) -> None:
        """Import `module`, or `name` from it, as well."""
        self._bind(name or module, module)
        self._external[module if name else None].add(name or f"import {module}")

    def reserve(self, *names: str) -> None:
        """Keep `names` for the text that follows. Raises `UserError` when the source binds one."""
        for name in names:
            self._bind(name, "the exported folder")

    def _imports(self) -> str:
        """Python's library first, then torch."""
        lines = sorted((_top(line), 0, line) for line in self._external[None])
        lines += [
            (module.partition(".")[0], 1, f"from {module} import {', '.join(sorted(names))}")
            for module, names in self._external.items()
            if module
        ]
        ours = sorted((kind, line) for top, kind, line in lines if top == "torch")
        library = sorted((kind, line) for top, kind, line in lines if top != "torch")
        return "\n\n".join("\n".join(line for _, line in group) for group in (library, ours) if group)

    def _in_order(self) -> list[_Source]:
        """The modules as Python would run them: what a module imports comes before it."""
        order: dict[str, _Source] = {}

        def visit(source: _Source) -> None:
            for imported in source.imports.values():
                other = self._sources.get(imported.module)
                if other is not None and other.module not in order:
                    visit(other)
            order[source.module] = source

        visit(self._source(self.reference.partition(":")[0]))
        return list(order.values())

    def _collect(self, source: _Source, name: str) -> None:
        statement = source.definitions.get(name)
        if statement is None and name in source.imports:
            self._import(source, name, source.imports[name])
            return
        if statement is None:
            raise self._error(f"{source.module} has no definition of {name!r} at its top")
        if statement.lineno in source.needed:
            return
        source.needed[statement.lineno] = statement
        for bound in filter(lambda name: name != "_", _bound(statement)):
            self._bind(bound, source.module)
        used = sorted({node.id for node in ast.walk(statement) if isinstance(node, ast.Name)})
        for other in used:
            if other in source.definitions:
                self._collect(source, other)
            elif other in source.imports:
                self._import(source, other, source.imports[other])

    def _import(self, source: _Source, bound: str, imported: _Imported) -> None:
        top = imported.module.partition(".")[0]
        if top in self._free:
            self._bind(bound, imported.module)
            self._external[imported.module if imported.name else None].add(_spelled(bound, imported))
        elif (imported.module, imported.name) in _STAND_INS:
            self._bind(bound, imported.module)
            self._stand_ins[bound] = _STAND_INS[imported.module, str(imported.name)]
        elif imported.name is None or _is_module(imported):
            raise self._error(f"{source.module} imports the module {imported.module!r}; import names from it")
        else:
            self._collect(self._source(imported.module), imported.name)
            if bound != imported.name:
                self._bind(bound, source.module)
                source.aliases[bound] = imported.name

    def _bind(self, name: str, module: str) -> None:
        if self.names.setdefault(name, module) != module:
            raise self._error(f"{module} and {self.names[name]} both define {name!r}; rename one")

    def _source(self, module: str) -> _Source:
        if module not in self._sources:
            loaded = sys.modules.get(module) or self._import_module(module)
            path = Path(loaded.__file__ or "")
            installed = {"site-packages", "dist-packages"} & set(path.parts)
            if path.suffix != ".py" or (installed and module.partition(".")[0] != "automl"):
                raise self._error(f"it needs {module}, which is neither torch nor Python's library")
            self._sources[module] = _read(loaded, path)
        return self._sources[module]

    def _import_module(self, module: str) -> ModuleType:
        try:
            return importlib.import_module(module)
        except Exception as error:  # code of a user, which may be gone or changed
            raise self._error(f"{module} cannot be imported: {error!r}") from error

    def _error(self, why: str) -> UserError:
        return UserError(
            f"a network that is exported must be built from torch and plain code alone, but for "
            f"{self.reference} {why}; write that part with torch, or keep best.yaml and `automl train`"
        )


def _read(module: ModuleType, path: Path) -> _Source:
    text = path.read_text(encoding="utf-8")
    source = _Source(module.__name__, text.splitlines())
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                source.imports[alias.asname or alias.name.partition(".")[0]] = _Imported(alias.name, None)
        elif isinstance(statement, ast.ImportFrom):
            dots = "." * statement.level + (statement.module or "")
            origin = importlib.util.resolve_name(dots, module.__package__ or None)
            origin = _ALONE if origin.startswith(_RANKS) else origin
            for alias in statement.names:
                source.imports[alias.asname or alias.name] = _Imported(origin, alias.name)
        else:
            source.definitions.update(dict.fromkeys(_bound(statement), statement))
    return source


def _bound(statement: ast.stmt) -> list[str]:
    """The names that a top-level statement defines."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    return []


def _spelled(bound: str, imported: _Imported) -> str:
    if imported.name is None:
        plain = bound == imported.module.partition(".")[0]
        return f"import {imported.module}" if plain else f"import {imported.module} as {bound}"
    return bound if bound == imported.name else f"{imported.name} as {bound}"


def _top(line: str) -> str:
    return line.split()[1].partition(".")[0]


def _is_module(imported: _Imported) -> bool:
    try:
        return importlib.util.find_spec(f"{imported.module}.{imported.name}") is not None
    except ModuleNotFoundError:
        return False
