"""What travels to the nodes of a cluster, as one archive: the study's folder, plug-ins, data, this package.

The archive holds folders whose names cannot be imported, and beside them this package alone: a file of the
user's hides no library on a worker, since the folder of the study comes last there, too. The same files make
the same archive, so that Ray sends it once.
"""

from __future__ import annotations

import importlib.util
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ray._private.thirdparty.pathspec import PathSpec  # type: ignore[attr-defined]

from automl.contracts import Luggage, UserError

MANIFEST: Final = "automl-shipment.json"
PACKAGES: Final = ("automl", "automl.searchspaces", "automl.studies")
LIMIT: Final = 200 << 20  # bytes: the head keeps the archive in memory
MOST_FILES: Final = 20_000
LEFT_BEHIND: Final = frozenset({"__pycache__", "node_modules", "mlruns", "site-packages"})
MARKS: Final = ("pyvenv.cfg", "ledger.db")  # files of folders that stay: virtual environments, stores
SHOWN: Final = 5
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)  # of every file: the same content makes the same archive


@dataclass
class Packed:
    """Files by their names in the archive, and where each folder of this machine is in it."""

    files: dict[str, Path] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def place(self, path: Path) -> str | None:
        """Where a path of this machine is in the archive; None when it does not travel."""
        for folder, name in self.places.items():
            if path.is_relative_to(folder):
                return "/".join([name, *path.relative_to(folder).parts])
        return None

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self.files.values())

    def manifest(self, luggage: Luggage, working: Path) -> str:
        """What a worker reads: where it finds what the driver has elsewhere."""
        plugins = [self.place(folder.resolve()) for folder in luggage.plugins]
        inside = self.place(working.resolve()) or self.place(luggage.folder.resolve())
        return json.dumps({"places": self.places, "plugins": plugins, "working": inside}, sort_keys=True)


def pack(luggage: Luggage, archive: Path, working: Path) -> Packed:
    """Write what travels into `archive`, a .zip file. `working`: the driver's working folder.

    Raises `UserError` when it is more than `LIMIT` bytes, with the largest files, or a folder that must stay.
    """
    packed = Packed()
    for package in PACKAGES:
        _add_package(packed, package)
    for number, folder in enumerate([luggage.folder, *luggage.plugins]):
        _add_folder(packed, folder.resolve(), number)
        if (name := packed.place(folder.resolve())) is not None:
            packed.places[str(folder.absolute())] = name  # also by way of a link
    for path in luggage.files:
        _add_data(packed, path)
    _check_size(packed, luggage.folder)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as written:
        texts = {name: path.read_bytes() for name, path in packed.files.items()}
        texts[MANIFEST] = packed.manifest(luggage, working).encode()
        for name in sorted(texts):
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.external_attr = 0o600 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            written.writestr(entry, texts[name])
    return packed


def _add_package(packed: Packed, package: str) -> None:
    """Ours travels, so that workers run the driver's version, whatever is installed there."""
    spec = importlib.util.find_spec(package)
    for place in spec.submodule_search_locations or () if spec else ():
        folder, name = Path(place).resolve(), package.replace(".", "/")
        packed.places[str(folder)] = name
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                packed.files[f"{name}/{path.relative_to(folder).as_posix()}"] = path


def _add_folder(packed: Packed, folder: Path, number: int) -> None:
    if packed.place(folder) is not None or not folder.is_dir():
        return
    if folder in (Path.home().resolve(), Path(folder.anchor), Path("/tmp")):
        raise UserError(
            f"the folder of a study goes to every node of a cluster, but this one is {folder}, which holds "
            "much else; move the study and its code into a folder of their own"
        )
    name = f"automl-shipped/{number}/{folder.name}"
    packed.places[str(folder)] = name
    for path in _travelling(folder, _rules_above(folder)):
        packed.files[f"{name}/{path.relative_to(folder).as_posix()}"] = path
        if len(packed.files) > MOST_FILES:
            raise UserError(
                f"the folder of a study goes to every node of a cluster, so that it must hold at most "
                f"{MOST_FILES} files, but {folder} has more; {_advice(folder)}"
            )


def _add_data(packed: Packed, path: Path) -> None:
    """Data that the study names travel where they are in its folder, also what `.gitignore` names."""
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        name = packed.place(file.resolve())
        if name is not None and file.is_file():
            packed.files[name] = file


Rules = list[tuple[Path, PathSpec]]  # of .gitignore files, each with its folder


def _travelling(folder: Path, rules: Rules) -> Iterator[Path]:
    """The files below a folder, but for hidden ones and those that `.gitignore` names."""
    rules = [*rules, *_rules(folder)]
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name in LEFT_BEHIND:
            continue
        if entry.is_dir():
            around = entry.is_symlink() and folder.resolve().is_relative_to(entry.resolve())
            stays = around or any((entry / mark).exists() for mark in MARKS)
            if not stays and not _ignored(entry, "/", rules):
                yield from _travelling(entry, rules)
        elif entry.is_file() and not _ignored(entry, "", rules):
            yield entry


def _ignored(path: Path, ending: str, rules: Rules) -> bool:
    return any(spec.match_file(f"{path.relative_to(base).as_posix()}{ending}") for base, spec in rules)  # type: ignore[no-untyped-call]


def _rules(folder: Path) -> Rules:
    try:
        lines = (folder / ".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [(folder, PathSpec.from_lines("gitwildmatch", lines))]  # type: ignore[no-untyped-call]


def _rules_above(folder: Path) -> Rules:
    """Those of the folders above, up to the root of its repository; none outside of one."""
    found: Rules = []
    for above in [folder, *folder.parents]:
        if above != folder:
            found += _rules(above)
        if (above / ".git").exists():
            return found
    return []


def _check_size(packed: Packed, folder: Path) -> None:
    if (size := packed.size) <= LIMIT:
        return
    largest = sorted(((path.stat().st_size, path) for path in packed.files.values()), reverse=True)
    listed = ", ".join(f"{path} ({_mib(bytes_)})" for bytes_, path in largest[:SHOWN])
    raise UserError(
        f"what goes to every node of a cluster must have at most {_mib(LIMIT)}, but {folder} and the study's "
        f"data have {_mib(size)}; the largest: {listed}; {_advice(folder)}"
    )


def _advice(folder: Path) -> str:
    return (
        f"name what trials do not need in {folder / '.gitignore'}, or keep data in one place on every node "
        "and give its absolute path"
    )


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def working_folder() -> Path:
    """The driver's, also when it is gone."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path(os.sep)
