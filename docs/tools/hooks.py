"""What MkDocs calls while it builds: `<!-- table: name -->` becomes the table of that name."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from tables import table

MARK = re.compile(r"<!-- table: ([a-z -]+?) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with its generated tables."""
    return MARK.sub(lambda found: table(found[1]), markdown)
