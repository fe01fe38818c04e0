"""Files by URL, on a disk, S3, Google or Azure: what trials leave, and data; checked on reading."""

from __future__ import annotations

from automl.files.cache import Cache, node_cache
from automl.files.checking import check, probe
from automl.files.databases import is_database, named_database
from automl.files.failing import LostFileError, StorageError
from automl.files.folder import Folder
from automl.files.kept import (
    CHECKPOINTS,
    MODEL,
    Kept,
    Leaves,
    campaign_url,
    drop,
    drop_files,
    has_part,
    keep,
    part_of,
)
from automl.files.node import cache_size
from automl.files.staging import data_roots, staged, staged_any
from automl.files.states import StoredCheckpoints, fetch_states
from automl.files.urls import below, is_url, named_url, shown
from automl.files.working import working_folder

__all__ = [
    "CHECKPOINTS",
    "MODEL",
    "Cache",
    "Folder",
    "Kept",
    "Leaves",
    "LostFileError",
    "StorageError",
    "StoredCheckpoints",
    "below",
    "cache_size",
    "campaign_url",
    "check",
    "data_roots",
    "drop",
    "drop_files",
    "fetch_states",
    "has_part",
    "is_database",
    "is_url",
    "keep",
    "named_database",
    "named_url",
    "node_cache",
    "part_of",
    "probe",
    "shown",
    "staged",
    "staged_any",
    "working_folder",
]
