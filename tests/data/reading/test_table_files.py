"""Files of tables: how they are laid out is found out and told, what is not clear is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples
from table_examples import ROWS, X1, X2, Y, csv, plain, table, told

from automl.contracts import Direction, Metric, TaskSpec, UserError
from automl.data.dataset import Dataset


def test_a_plain_table_has_nothing_to_tell(tmp_path: Path) -> None:
    found = table(tmp_path, csv(plain(town=["Ulm", "Bonn"] * 20)))
    assert found.notes == ()
    assert list(found.x.columns) == ["x1", "x2", "town"] and found.x.dtypes["x1"] == np.float64
    assert [column.kind for column in found.columns] == ["number", "number", "category"]
    assert np.array_equal(found.x["x1"], X1) and np.array_equal(found.y, Y)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_separators_are_found(tmp_path: Path, separator: str) -> None:
    found = table(tmp_path, csv(plain(), separator))
    assert np.array_equal(found.x["x1"], X1) and told(found, "separated by")
    assert table(tmp_path, csv(plain(), separator), read={"separator": separator}).notes == ()


def test_blanks_separate_when_nothing_else_does(tmp_path: Path) -> None:
    text = "\n".join(
        "  ".join(row) for row in [["x1", "x2", "y"], *zip(*(map(str, c) for c in (X1, X2, Y)), strict=True)]
    )
    found = table(tmp_path, text, "a.txt")
    assert np.array_equal(found.x["x2"], X2) and told(found, "blanks")


def test_the_promised_separator_wins_where_both_divide(tmp_path: Path) -> None:
    text = "a;b,y\n" + "".join(f"{n};1,{n % 2}\n" for n in range(1, 30))
    assert list(table(tmp_path, text, columns={"keep": ["a;b"]}).x.columns) == ["a;b"]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_encodings(tmp_path: Path, encoding: str) -> None:
    towns = ["Köln", "Zürich", "Łódź" if encoding != "cp1252" else "Málaga", "Ulm"] * 10
    found = table(tmp_path, csv(plain(town=towns)).encode(encoding))
    assert list(found.x["town"]) == towns
    assert told(found, "not UTF-8", "cp1252") == (encoding == "cp1252")


def test_line_ends_and_blank_lines(tmp_path: Path) -> None:
    text = csv(plain())
    for other in (
        text.replace("\n", "\r\n"),
        text.replace("\n", "\r"),
        text.replace("\n", "\n\n"),
        text + "\n\n",
    ):
        assert len(table(tmp_path, other).y) == ROWS
    assert len(table(tmp_path, gzip.compress(text.encode()), "a.csv.gz").y) == ROWS


def test_lines_above_the_table_are_left_out_and_told(tmp_path: Path) -> None:
    for above in ("# made by a tool\n", "Report of March\n\n", "sep=,\n", "# a\n# b\n"):
        found = table(tmp_path, above + csv(plain()))
        assert len(found.y) == ROWS and list(found.x.columns) == ["x1", "x2"]
        assert told(found, "above the table")


def test_quoted_fields(tmp_path: Path) -> None:
    text = 'x1, "the town", y\n' + "".join(f'{n}, "a, ""b""\nc", {n % 2}\n{n}.5, "d", 1\n' for n in range(20))
    found = table(tmp_path, text)
    assert set(found.x["the town"]) == {'a, "b"\nc', "d"}
    single = table(tmp_path, text.replace('"', "'").replace("''b''", "b"), read={"quote": "'"})
    assert set(single.x["the town"]) == {"a, b\nc", "d"}


def test_the_target_is_not_guessed(tmp_path: Path) -> None:
    def find(header: str) -> Dataset:
        return table(tmp_path, csv(dict(zip(header.split(), (X1, X2, Y), strict=True))), target=None)

    for name in ("target", "Label", "CLASS", "y"):
        assert told(find(f"a b {name}"), f"the target is '{name}'")
    with pytest.raises(
        UserError, match=r"must be named, but a.csv has no column called.*; write task.target: NAME"
    ):
        find("a b price")
    with pytest.raises(UserError, match="has the columns y, label"):
        find("a y label")
    with pytest.raises(UserError, match=r"there is no 'prise'; .* similar first: price, "):
        table(tmp_path, csv({"a": X1, "price": X2}), target="prise")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; check the file"),
        ("\n\n", "is empty; check the file"),
        ("a,y\n", "rows below its header"),
        ("a\n1\n2\n", "has one column, 'a'"),
        ("x1,y,x2,y\n1,2,3,4\n", "has 'y' more than once"),
        ("a,y\n1,2\n1,2,3,4\n", "row 3 of a.csv has 4"),
        ("a,b,y\n1,2,3\n1,2\n", "row 3 of a.csv has 2"),
        ("a,y\n1,2\n1,2,3\n", "row 3 of a.csv has 3"),
        ('a,y\n1,2\n"1,2\n3,4\n5,6\n', "close its quotes"),
        (b"PK\x03\x04abc", "an Excel workbook or another zip archive; save it as .csv"),
        (b"a,y\n1,\x00\x012\n", "control character"),
        ("a,y\n" + "1,1\n1,0\n" * 20, "none of a.csv is left"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        table(tmp_path, text)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(csv(plain()).encode())
    for damaged in (whole[:40], b"a,y\n1,2\n", whole[:20] + b"\x00" * 20):
        with pytest.raises(UserError, match="must be a readable file"):
            table(tmp_path, damaged, "a.csv.gz")


def test_an_empty_last_field_is_left_out(tmp_path: Path) -> None:
    found = table(tmp_path, csv(plain(), end=","))
    assert list(found.x.columns) == ["x1", "x2"] and told(found, "ends in a separator that the header lacks")
    both = table(tmp_path, csv(plain(), end=",").replace("x2,y", "x2,y,", 1))
    assert list(both.x.columns) == ["x1", "x2"] and told(both, "every row ends in a separator")


def test_a_file_without_a_header_is_told(tmp_path: Path) -> None:
    text = csv(plain()).partition("\n")[2]
    with pytest.raises(UserError, match=r"no 'y'.* x3"):
        table(tmp_path, text)
    found = table(tmp_path, text, target="x3")
    assert len(found.y) == ROWS and told(found, "no header", "x1 … x3")
    assert (
        len(table(tmp_path, text, target=text.partition("\n")[0].split(",")[2], read={"header": True}).y)
        == ROWS - 1
    )
    years = csv({"2019": X1, "2020": X2, "y": Y})
    assert list(table(tmp_path, years, read={"header": True}).x.columns) == ["2019", "2020"]


@pytest.mark.parametrize("index", ["", "unnamed"])
def test_numbers_that_pandas_gives_to_columns_without_names_are_a_header(tmp_path: Path, index: str) -> None:
    letters = ["ab"[n % 2] for n in range(ROWS)]
    text = csv({"0": X1, "1": X2, "2": X1[::-1], "y": letters})
    if index:
        text = "".join(f"{n - 1 if n else ''},{row}\n" for n, row in enumerate(text.splitlines()))
    found = table(tmp_path, text)
    assert list(found.x.columns)[-3:] == ["0", "1", "2"] and len(found.y) == ROWS
    assert told(found, "the first row counts", "header: false")
    with pytest.raises(UserError, match="no 'y'"):
        table(tmp_path, csv({"0": X1, "1": X2, "y": letters}))


@pytest.mark.parametrize("words", [0, 1, 3])
def test_counted_names_may_stand_above_words(tmp_path: Path, words: int) -> None:
    columns = [list(X1), list(X2), list(X1[::-1])]
    columns.insert(words, ["ab"[n % 2] for n in range(ROWS)])
    found = table(tmp_path, csv({str(n): cells for n, cells in enumerate(columns)}), target=str(words))
    assert len(found.y) == ROWS and set(found.y) == {"a", "b"}
    values = table(tmp_path, csv({"0": X1, "1": X2, "2": Y}), target="x3", read={"header": False})
    assert len(values.y) == ROWS + 1, "the user knows better"


def test_headers_between_the_rows_are_left_out(tmp_path: Path) -> None:
    found = table(tmp_path, csv(plain()) * 3)
    assert len(found.y) == 3 * ROWS and told(found, "2 rows repeat the header")


def test_copies_of_rows_are_counted(tmp_path: Path) -> None:
    text = csv(plain())
    assert told(table(tmp_path, text + text.partition("\n")[2]), "40 of 80 rows are copies")


def test_groups_and_times_are_no_features(tmp_path: Path) -> None:
    text = csv(
        plain(
            patient=[f"p{n // 4}" for n in range(ROWS)],
            when=[f"2024-01-{1 + n % 28:02d}" for n in range(ROWS)],
        )
    )
    found = table(tmp_path, text, split={"group": "patient"}, columns={"drop": ["when"]})
    assert found.groups is not None and list(found.groups[:5]) == [0, 0, 0, 0, 1]
    assert list(found.x.columns) == ["x1", "x2"]
    timed = table(tmp_path, text, split={"time": "when"}, columns={"drop": ["patient"]})
    assert timed.order is not None and timed.order[1] - timed.order[0] == 1
    with pytest.raises(
        UserError, match=r"task.split.time must name a column of numbers or dates.*is category"
    ):
        table(tmp_path, text, split={"time": "patient"})
    with pytest.raises(
        UserError, match=r"task.split.group must name a column of the table, but there is no 'p'"
    ):
        table(tmp_path, text, split={"group": "p"})


@settings(max_examples=examples(60), deadline=None)
@given(data=st.data())
def test_anything_is_a_dataset_or_a_user_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Damaged bytes of a table end in a dataset or in a refusal."""
    content = bytearray(
        csv(plain(when=[f"{n}.1.2024" for n in range(ROWS)], town=['"a,b"', "c"] * 20)).encode()
    )
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["set", "cut", "double"])):
            case "set":
                content[place] = data.draw(st.integers(0, 255))
            case "cut":
                del content[place : place + data.draw(st.integers(1, 200))]
            case _:
                content[place:place] = content[: data.draw(st.integers(1, 200))]
        if not content:
            break
    folder = tmp_path_factory.mktemp("damaged")
    try:
        found = table(folder, bytes(content))
    except UserError:
        return
    assert len(found.x) == len(found.y) and isinstance(found.x, pd.DataFrame)


def test_large_tables_are_read_at_once(tmp_path: Path) -> None:
    """No part of reading takes time that grows faster than the file."""
    rows = 20_000
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(rows, 5)).round(3), columns=list("abcde"))
    frame["y"] = rng.integers(0, 2, rows)
    found = table(tmp_path, frame.to_csv(index=False))
    assert np.array_equal(found.x["a"], frame["a"])


def test_metric_of_a_task_spec_is_read() -> None:
    spec = TaskSpec(dataset="a.csv", metrics=[Metric("own", Direction.MAXIMIZE)])
    assert TaskSpec.from_json(spec.model_dump(mode="json")) == spec
