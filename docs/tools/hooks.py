"""What MkDocs calls while it builds: marks of tables and notebooks become these."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from tables import table

DOCS = Path(__file__).parents[1]
NOTEBOOK = re.compile(r"<!-- notebook: ([\w/.-]+) -->")
MARK = re.compile(r"<!-- table: ([a-z -]+?) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with its generated tables and its notebook."""
    markdown = NOTEBOOK.sub(lambda found: cells(DOCS / found[1]), markdown)
    return MARK.sub(lambda found: table(found[1]), markdown)


def cells(path: Path) -> str:
    """The cells of a notebook: its texts, one heading lower, and its code."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "code":
            parts.append(f"```python\n{text}\n```")
        else:
            parts.append(re.sub(r"^#", "##", text, flags=re.MULTILINE))
    return "\n\n".join(parts)
