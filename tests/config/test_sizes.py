"""Sizes of memory as people write them."""

from __future__ import annotations

import pytest

from automl.config.sizes import in_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GiB", 4 * 2**30),
        ("512 MiB", 2**29),
        ("1.5GB", 1_500_000_000),
        (" 2gib ", 2**31),
        ("2097152B", 2**21),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert in_bytes(text) == size


@pytest.mark.parametrize("text", ["4", "GiB", "4 gigs", "-1GiB", "1e3MB", "4GiB/s", ""])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be a number with a unit \(B, kB, .*write 4GiB"):
        in_bytes(text)
