"""Tables as people have them: what is found out is right and told, what is not clear is refused."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples

from automl.contracts import Direction, Metric, TaskSpec, UserError
from automl.data.dataset import Dataset, check_dataset
from automl.data.reading import read

ROWS = 40
RNG = np.random.default_rng(0)
X1 = RNG.normal(size=ROWS).round(4)
X2 = RNG.normal(size=ROWS).round(4)
Y = np.arange(ROWS) // 3 % 2


def table(folder: Path, text: str | bytes, name: str = "a.csv", **task: Any) -> Dataset:
    """The dataset of a file with this content; the target is `y`."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    spec = {
        "dataset": str(path),
        "target": "y",
        "metrics": [{"name": "own", "direction": "maximize"}],
        **task,
    }
    return check_dataset(read(path, TaskSpec.from_json(spec)), name)


def csv(columns: dict[str, Any], separator: str = ",", end: str = "") -> str:
    rows = zip(*columns.values(), strict=True)
    lines = [separator.join(columns), *(separator.join(map(str, row)) + end for row in rows)]
    return "\n".join(lines) + "\n"


def plain(**more: Any) -> dict[str, Any]:
    return {"x1": X1, "x2": X2, **more, "y": Y}


def told(dataset: Dataset, *words: str) -> bool:
    return any(all(word in note for word in words) for note in dataset.notes)


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


@pytest.mark.parametrize(
    ("cells", "values", "words"),
    [
        ([f'"{n},257"' for n in range(1, 41)], [n * 1000 + 257 for n in range(1, 41)], ("thousands",)),
        ([f"{n}'257.5" for n in range(1, 41)], [n * 1000 + 257.5 for n in range(1, 41)], ("thousands",)),
        ([f"1 {n}" for n in range(100, 900, 20)], range(1100, 1900, 20), ("thousands",)),
        ([f"{n} %" for n in range(0, 80, 2)], range(0, 80, 2), ("units", "%")),
        ([f"${n}.50" for n in range(1, 80, 2)], [n + 0.5 for n in range(1, 80, 2)], ("units", "$")),
        ([f"{n} €" for n in range(1, 80, 2)], range(1, 80, 2), ("units", "€")),
        ([f"({n})" for n in range(1, 80, 2)], [-n for n in range(1, 80, 2)], ("brackets",)),
        ([f"−{n}" for n in range(1, 80, 2)], [-n for n in range(1, 80, 2)], ()),
        ([f"{n}e3" for n in range(1, 80, 2)], [n * 1000 for n in range(1, 80, 2)], ()),
    ],
)
def test_numbers_as_people_write_them(
    tmp_path: Path, cells: list[str], values: Any, words: tuple[str, ...]
) -> None:
    found = table(tmp_path, csv(plain(n=cells)))
    assert np.array_equal(found.x["n"], np.array(values, float))
    assert not words or told(found, "'n'", *words)


@pytest.mark.parametrize("token", ["?", "NA", "n/a", "-", "null", "#DIV/0!", ""])
def test_one_missing_cell_keeps_a_column_of_numbers(tmp_path: Path, token: str) -> None:
    found = table(tmp_path, csv(plain(n=[token, *range(3, 81, 2)])))
    assert found.x["n"].isna().sum() == 1 and found.x["n"].iloc[1] == 3
    assert told(found, "'n'", "no value") == (token != "")
    assert next(column for column in found.columns if column.name == "n").missing == 1 / ROWS


def test_a_text_among_numbers_is_told(tmp_path: Path) -> None:
    cells = ["many", *range(3, 81, 2)]
    found = table(tmp_path, csv(plain(n=cells)), columns={"keep": ["n"]})
    assert found.x["n"].iloc[0] == "many" and told(
        found, "'n' is read as categories", "'many'", "task.read.missing"
    )
    assert table(tmp_path, csv(plain(n=cells)), read={"missing": ["many"]}).x["n"].isna().sum() == 1


def test_codes_with_leading_zeros_are_categories(tmp_path: Path) -> None:
    found = table(tmp_path, csv(plain(zip=[f"0{n % 7}123" for n in range(ROWS)])))
    assert found.x["zip"].iloc[0] == "00123" and told(found, "'zip' is read as categories")
    again = table(
        tmp_path, csv(plain(grade=[n % 7 for n in range(ROWS)])), columns={"categorical": ["grade"]}
    )
    assert again.x["grade"].iloc[3] == "3"


def test_decimal_commas(tmp_path: Path) -> None:
    comma = [str(value).replace(".", ",") for value in X1]
    found = table(tmp_path, csv({"x1": comma, "big": [f"{n}.500,25" for n in range(1, 41)], "y": Y}, ";"))
    assert np.array_equal(found.x["x1"], X1) and found.x["big"].iloc[0] == 1500.25
    assert told(found, "decimal sign is a comma")
    quoted = table(tmp_path, csv({"x1": [f'"{cell}"' for cell in comma], "y": Y}))
    assert np.array_equal(quoted.x["x1"], X1)


def test_commas_that_may_be_either_are_told_and_can_be_set(tmp_path: Path) -> None:
    cells = [f"{n},{n + 100}" for n in range(1, 41)]
    found = table(tmp_path, csv({"n": cells, "y": Y}, ";"))
    assert found.x["n"].iloc[0] == 1.101 and told(found, "1,234", "decimal signs", "task.read.decimal")
    point = table(tmp_path, csv({"n": cells, "y": Y}, ";"), read={"decimal": "."})
    assert point.x["n"].iloc[0] == 1101


def test_classes_called_na_stay_apart_from_empty_cells(tmp_path: Path) -> None:
    for name in ("NA", "None", "null", "nan", "N/A"):
        found = table(
            tmp_path, csv({"x1": X1, "country": [name, "US"] * 20, "y": [name, "US", "US", name] * 10})
        )
        assert set(found.y) == {name, "US"} and set(found.x["country"]) == {name, "US"}
    empty = table(tmp_path, csv(plain(country=["NA", "", "US", "DE"] * 10)))
    assert empty.x["country"].isna().sum() == 10


def test_blanks_around_labels(tmp_path: Path) -> None:
    found = table(tmp_path, csv({"x1": X1, "y": [" yes", "no", "yes", "no "] * 10}))
    assert set(found.y) == {"yes", "no"} and told(found, "blanks around the cells of 'y'")
    assert told(
        table(tmp_path, csv({"x1": X1, "y": ["Yes", "no", "yes", "no"] * 10})), "'Yes', 'yes'", "case"
    )


def test_quoted_fields(tmp_path: Path) -> None:
    text = 'x1, "the town", y\n' + "".join(f'{n}, "a, ""b""\nc", {n % 2}\n{n}.5, "d", 1\n' for n in range(20))
    found = table(tmp_path, text)
    assert set(found.x["the town"]) == {'a, "b"\nc', "d"}
    single = table(tmp_path, text.replace('"', "'").replace("''b''", "b"), read={"quote": "'"})
    assert set(single.x["the town"]) == {"a, b\nc", "d"}


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        ([f"2024-{m:02d}-{d:02d}" for m in range(1, 11) for d in (3, 14, 25, 28)], "ISO"),
        ([f"2024-{m:02d}-{d:02d}T12:30:00Z" for m in range(1, 11) for d in (3, 14, 25, 28)], "ISO"),
        ([f"{d}.{m}.2024" for m in range(1, 11) for d in (3, 14, 25, 28)], "%d.%m.%Y"),
        ([f"{m}/{d}/2024" for m in range(1, 11) for d in (3, 14, 25, 28)], "%m/%d/%Y"),
        ([f"{d} {m} 2024" for m in ("Jan", "Mar", "Apr", "Dec") for d in range(3, 13)], "%d %b %Y"),
    ],
)
def test_dates_become_numbers(tmp_path: Path, cells: list[str], form: str) -> None:
    found = table(tmp_path, csv(plain(when=cells)))
    assert {"when_year", "when_month", "when_day", "when_weekday", "when_elapsed"} <= set(found.x.columns)
    assert found.x["when_day"].iloc[0] == 3 and found.x["when_month"].iloc[0] == 1
    assert ("when_hour" in found.x.columns) == ("T12" in cells[0])
    assert told(found, "'when' is read as dates", form) and "when" not in found.x.columns
    assert found.x["when_elapsed"].iloc[0] == pytest.approx(19725, abs=1)


def test_dates_that_may_be_either_are_told_and_can_be_set(tmp_path: Path) -> None:
    cells = [f"{a}/{b}/2024" for a in range(1, 9) for b in (1, 4, 6, 9, 12)]
    assert told(table(tmp_path, csv(plain(when=cells))), "%m/%d/%Y fits as well", "task.columns.date")
    found = table(tmp_path, csv(plain(when=cells)), columns={"date": {"when": "%m/%d/%Y"}})
    assert found.x["when_day"].iloc[1] == 4 and found.notes == ()
    with pytest.raises(UserError, match=r"task.columns.date must hold dates, but 'x1'.*, such as"):
        table(tmp_path, csv(plain()), columns={"date": ["x1"]})


def test_a_missing_date_is_missing(tmp_path: Path) -> None:
    cells = ["", *(f"2024-01-{1 + n % 28:02d}" for n in range(ROWS - 1))]
    found = table(tmp_path, csv(plain(when=cells)))
    assert found.x["when_year"].isna().sum() == found.x["when_elapsed"].isna().sum() == 1


@pytest.mark.parametrize(
    ("name", "cells", "why"),
    [
        ("", range(ROWS), "counts the rows"),
        ("day", range(1, ROWS + 1), "counts the rows"),
        ("down", range(ROWS, 0, -1), "counts the rows"),
        ("id", [n * 17 % 41 for n in range(1, ROWS + 1)], "names the rows"),
        ("customer", [f"c{n * 7 % 41}" for n in range(1, ROWS + 1)], "names the rows"),
        ("same", ["a"] * ROWS, "one value alone"),
        ("nothing", [""] * ROWS, "is empty"),
        ("said", [f"it was the best of times {n}" for n in range(ROWS)], "free text"),
    ],
)
def test_columns_that_are_no_features(tmp_path: Path, name: str, cells: Any, why: str) -> None:
    found = table(tmp_path, csv({name: cells, "x1": X1, "y": Y}))
    shown = name or "column_1"
    assert list(found.x.columns) == ["x1"] and told(found, f"'{shown}' is left out", why, f"keep: [{shown}]")
    if why != "is empty":
        assert shown in table(tmp_path, csv({name: cells, "x1": X1, "y": Y}), columns={"keep": [shown]}).x


def test_numbers_that_differ_are_features(tmp_path: Path) -> None:
    found = table(tmp_path, csv(plain(size=[n * 17 % 41 for n in range(1, ROWS + 1)])))
    assert "size" in found.x.columns and found.notes == ()
    assert list(table(tmp_path, csv(plain()), columns={"drop": ["x1"]}).x.columns) == ["x2"]


@pytest.mark.parametrize(
    "copy", [Y, 1 - Y, ["no" if value else "yes" for value in Y]], ids=["equal", "turned", "words"]
)
def test_the_target_under_another_name_is_refused(tmp_path: Path, copy: Any) -> None:
    with pytest.raises(
        UserError, match=r"'again' has one value for each value of 'y'; write task.columns.drop"
    ):
        table(tmp_path, csv(plain(again=copy)))
    assert "again" in table(tmp_path, csv(plain(again=copy)), columns={"keep": ["again"]}).x.columns
    assert "again" not in table(tmp_path, csv(plain(again=copy)), columns={"drop": ["again"]}).x.columns


def test_a_number_that_equals_the_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'price' has one value for each value of 'y'"):
        table(tmp_path, csv({"x1": X1, "price": X2, "y": X2}))


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
