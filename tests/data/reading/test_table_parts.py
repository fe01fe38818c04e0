"""A table that is read in parts has the cells that it has as a whole, and a few rows in memory."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from automl.contracts import ReadSpec, UserError
from automl.data.reading.grid import read_grid, read_grids
from automl.data.reading.text import read_lines, read_text

TEXTS = {
    "plain": "a,b\n1,x\n2,y\n3,z\n4,x\n5,y\n",
    "quoted": 'a,b\n1,"x\ny"\n2, "y, z"\n3,""""\n4,x\n5,y',
    "titled": "# made by hand\na;b\n1;x\n2;y\n3;z\n4;w\n5;v\n",
    "trailing": "a,b\n1,x,\n2,y,\n3,z,\n4,x,\n5,y,\n",
    "repeated": "a,b\n1,x\n2,y\na,b\n3,z\n4,x\n5,y\n",
    "no header": "1,x\n2,y\n3,z\n4,x\n5,y\n",
    "windows": "a,b\r\n1,ä\r\n2,ö\r\n3,ü\r\n4,x\r\n5,y\r\n",
}


def parts(path: Path, size: int, **read: Any) -> list[pd.DataFrame]:
    spec = ReadSpec(**read)
    return [one.frame for one in read_grids(read_lines(path, spec.encoding), spec, ",", path.name, size)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("kind", list(TEXTS))
def test_parts_make_the_whole(tmp_path: Path, kind: str, encoding: str) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(TEXTS[kind].encode(encoding)))
    whole = read_grid(read_text(path, None)[0], ReadSpec(), ",", path.name).frame
    for size in (1, 2, 3, 100):
        # a header is one of the first part's rows
        pd.testing.assert_frame_equal(pd.concat(parts(path, size + 1)), whole)
    assert len(whole) == 5 and list(whole.iloc[:, 0]) == list("12345")


def test_a_wrong_row_is_named_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n" + "1,x\n" * 10 + "1,x,3\n")
    for size in (3, 100):
        with pytest.raises(UserError, match=r"row 12 of a\.csv has 3"):
            parts(tmp_path / "a.csv", size)
    (tmp_path / "b.csv").write_text("a,b\n" + "1,x\n" * 10 + "1,\x01\n")
    with pytest.raises(UserError, match=r"line 12 of .*b\.csv has the control character '\\x01'"):
        parts(tmp_path / "b.csv", 3)


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UserError, match=r"a table must have rows, but"):
        parts(tmp_path / "a.csv", 3)


def test_memory_does_not_grow_with_the_file() -> None:
    def lines(count: int) -> Iterator[str]:
        yield "a,b,c"
        for number in range(count):
            yield f"{number},x{number},{number / 7}"

    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in read_grids(lines(count), ReadSpec(), ",", "a.csv", 500):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(2000)
    assert peak(16_000) < 1.5 * peak(2000)
