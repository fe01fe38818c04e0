"""Pictures inside the page."""

from __future__ import annotations

import base64
from html import escape


def embedded(svg: str, alt: str) -> str:
    """An SVG as an image, in which no script could run."""
    picture = base64.b64encode(svg.encode()).decode()
    return f'<img alt="{escape(alt)}" src="data:image/svg+xml;base64,{picture}">'
