"""Where in an array of images the channels are: what is set, or found out by the sizes."""

from __future__ import annotations

from typing import Literal

import numpy as np

from automl.contracts import UserError

Layout = Literal["channels_first", "channels_last"]
COMMON = (1, 2, 3, 4)  # channels that images mostly have


def layout_of(shape: tuple[int, ...], given: Layout | None, what: str) -> tuple[Layout, str]:
    """The layout of images of `shape` (n, a, b, c), and why. Raises `UserError` when two are as likely.

    Two neighbouring equal sizes, where the third differs, are height and width. Otherwise the channels are
    the one of the first and last size that is 1, 2, 3 or 4.
    """
    if given is not None:
        return given, "as task.read.layout says"
    _, a, b, c = shape
    if b == c != a:
        return "channels_first", "since the two equal sizes are height and width"
    if a == b != c:
        return "channels_last", "since the two equal sizes are height and width"
    if len({a, b, c}) == 3 and (a in COMMON) != (c in COMMON):
        layout: Layout = "channels_first" if a in COMMON else "channels_last"
        return layout, f"since images have {min(COMMON)} to {max(COMMON)} channels mostly"
    raise UserError(
        f"the channels of images must be known, but {what} of shape {shape} has them first or last; set "
        "task.read.layout: channels_first or channels_last"
    )


def channels_first(x: np.ndarray, layout: Layout) -> np.ndarray:
    """`x` as (n, C, H, W), contiguous; grey images may be (n, H, W)."""
    if x.ndim == 3:
        return x[:, None]
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if layout == "channels_last" else x
