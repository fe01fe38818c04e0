"""Where this node keeps what it has fetched, and what trials work on: `AUTOML_CACHE`, of a bounded size."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from automl.contracts import UserError

VARIABLE: Final = "AUTOML_CACHE"
SIZE: Final = "AUTOML_CACHE_SIZE"
DEFAULT_SIZE: Final = 20 * 10**9  # bytes
_UNITS: Final = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def node_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """`AUTOML_CACHE`, or `automl` in the user's folder for caches, for this user alone."""
    named = environ.get(VARIABLE, "").strip()
    home = environ.get("XDG_CACHE_HOME", "").strip() or "~/.cache"
    folder = Path(named).expanduser() if named else Path(home).expanduser() / "automl"
    if not folder.is_absolute():
        folder = Path.cwd() / folder
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UserError(
            f"{VARIABLE} must be a folder that this user can write, but {folder}: {error.strerror}; set it "
            "on every node"
        ) from None
    return folder


def cache_size(environ: Mapping[str, str] = os.environ) -> int:
    """Bytes that fetched files may take together: `AUTOML_CACHE_SIZE`, such as 50GB."""
    named = environ.get(SIZE, "").strip()
    if not named:
        return DEFAULT_SIZE
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B?)", named, re.IGNORECASE)
    unit = (
        None
        if found is None
        else _UNITS.get(found[2].upper() if found[2][-1:] in "bB" else f"{found[2].upper()}B")
    )
    if found is None or unit is None:
        raise UserError(f"{SIZE} must be a size such as 500MB or 20GB, but got {named!r}")
    return int(float(found[1]) * unit)
