"""What says that few rows have no quick way."""

from __future__ import annotations


class NotFewError(Exception):
    """These rows, or this pipeline, go the usual way."""
