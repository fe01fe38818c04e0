"""The part of plotly.js that the report draws with: lines, marks and bars.

The file is `plotly-basic.min.js` of the npm package `plotly.js-basic-dist-min` 4.1.1, compressed with gzip:
a twelfth of the whole library. Its licence (MIT) is in its first lines. The browser unpacks it.
"""

from __future__ import annotations

import base64
import gzip
from functools import cache
from importlib.resources import files
from typing import Final

FILE: Final = "plotly-basic.min.js.gz"


@cache
def packed() -> str:
    """The compressed script in base64."""
    return base64.b64encode(_content()).decode()


@cache
def plotly_js() -> str:
    """The script itself."""
    return gzip.decompress(_content()).decode()


def _content() -> bytes:
    return files("automl.report.charts").joinpath(FILE).read_bytes()
