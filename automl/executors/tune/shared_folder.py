"""Whether a node sees the folder in which trials leave their files, by a number that is written there."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

NAME: Final = ".shared"


def mark(folder: Path) -> str:
    """The number of a folder, which is made, and gets one, when there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    file, scratch = folder / NAME, folder / f"{NAME}-{secrets.token_hex(4)}"
    if not file.exists():
        scratch.write_text(secrets.token_hex(8), encoding="ascii")
        with suppress(FileExistsError):  # another driver's, a moment ago
            os.link(scratch, file)
        scratch.unlink()
    return file.read_text(encoding="ascii")


def sees(folder: Path, number: str) -> bool:
    """Whether the folder of this path is, here, the one of that number."""
    try:
        return (folder / NAME).read_text(encoding="ascii") == number
    except (OSError, ValueError):
        return False
