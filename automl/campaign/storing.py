"""Where trials leave their files: where the executor says, else in `AUTOML_STORAGE`, else in the store."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from automl.config import ResolvedStudy
from automl.files import check, named_url, shown
from automl.progress import Progress

VARIABLE: Final = "AUTOML_STORAGE"
OPTION: Final = "the executor's storage"


def chosen_storage(
    resolved: ResolvedStudy, progress: Progress, environ: Mapping[str, str] = os.environ
) -> str | None:
    """The URL of the storage, which has taken, given back and deleted a file; None for the store's folder.

    That is where trials that only look values up belong, too. Raises `UserError` for a storage that cannot be
    used from here.
    """
    executor = resolved.executor
    if executor.shares_folder or resolved.simulated:
        return None
    named = environ.get(VARIABLE, "").strip()
    variable = named_url(named, VARIABLE, Path.cwd()) if named else None
    option = None if executor.storage is None else named_url(executor.storage, OPTION)
    url, of = (variable, VARIABLE) if option is None else (option, OPTION)
    if url is None:
        return None
    if variable is not None and variable != url:
        progress.message(f"storage: {shown(url)}, as the executor says, not that of {VARIABLE}")
    else:
        progress.message(f"storage: {shown(url)}")
    check(url, of)
    return url
