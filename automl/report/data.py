"""What reading the data found out, left out or converted when the campaign began."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any


def section(provenance: Mapping[str, Any]) -> str:
    """The notes as a list; empty without notes, or where an earlier version noted none."""
    notes = (provenance.get("data") or {}).get("notes") or []
    if not notes:
        return ""
    items = "".join(f"<li>{escape(str(line))}</li>" for line in notes)
    return f"<h2>Data as they were read</h2>\n<ul>{items}</ul>"
