"""A page: one HTML file that needs nothing else: no server, no network, readable without scripts."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from typing import Final

from pydantic import JsonValue

from automl.report.charts.plotly_js import packed, plotly_js
from automl.report.plain import plain
from automl.report.plots import Plot
from automl.report.style import CSS, SCRIPT

DIGITS: Final = 6  # of the numbers in figures; tables and the JSON have their own
# Nothing may be loaded, and no script may run but the two named by their hash.
_POLICY: Final = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


def page(title: str, header: str, main: str, footer: str, plots: Mapping[str, Plot]) -> str:
    """A self-contained page, with plotly.js (about 0.5 MB) where it has plots. All but `title` is HTML."""
    plotly, policy = "", _POLICY.format(scripts=_hash(SCRIPT))
    if plots:
        plotly = packed()
        policy = _POLICY.format(scripts=f"{_hash(plotly_js())} {_hash(SCRIPT)}")
    text = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>{CSS}</style>
</head>
<body>
{header}
<main>
{main}
</main>
<footer>
{footer}
</footer>
<script type="application/json" id="figures">{_figures(plots)}</script>
<script type="text/plain" id="plotly">{plotly}</script>
<script>{SCRIPT}</script>
</body>
</html>
"""
    # names of a user may hold what no file can: lone surrogates
    return text.encode("utf-8", "backslashreplace").decode()


def _figures(plots: Mapping[str, Plot]) -> str:
    """All figures by name, as text that is safe inside an HTML script element."""
    figures = _rounded(plain({name: plot.figure for name, plot in plots.items()}))
    text = json.dumps(figures, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")  # no "</script>" can end the element early


def _rounded(value: JsonValue) -> JsonValue:
    """Numbers with as many digits as a plot can show: half of the text of a figure."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
