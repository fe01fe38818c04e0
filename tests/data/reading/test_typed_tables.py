"""Tables with types: what their files say is kept, and new rows of any format fit."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import polars
import pytest
from table_examples import ROWS, X1, Y, plain, table, told

from automl.contracts import ReadSpec, UserError
from automl.data.dataset import Dataset, check_dataset
from automl.data.reading.cells import cells
from automl.data.reading.rows import features_of, reading_of

DAYS = pd.date_range("2024-01-03 06:00", periods=ROWS, freq="31h")
FRAME = pd.DataFrame(
    {
        **plain(),
        "n": [None if row % 9 == 0 else row * row / 4 for row in range(ROWS)],
        "when": DAYS,
        "town": [None if row % 7 == 0 else ("Ulm", "Bonn", "007")[row % 3] for row in range(ROWS)],
        "paid": [row % 4 == 0 for row in range(ROWS)],
    }
)


def json_lines(frame: pd.DataFrame, path: Path) -> None:
    frame.to_json(path, orient="records", lines=True, date_format="iso")


WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".parquet": lambda frame, path: frame.to_parquet(path, row_group_size=9),
    ".feather": lambda frame, path: frame.to_feather(path, chunksize=9),
    ".xlsx": lambda frame, path: frame.to_excel(path, index=False),
    ".jsonl": json_lines,
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
}


def dataset(folder: Path, ending: str, frame: pd.DataFrame = FRAME, **task: Any) -> Dataset:
    path = folder / f"a{ending}"
    WRITERS[ending](frame, path)
    return check_dataset(table(folder, path.read_bytes(), path.name, **task), path.name)


@pytest.mark.parametrize("ending", list(WRITERS))
def test_all_formats_make_the_same_features(tmp_path: Path, ending: str) -> None:
    found, expected = dataset(tmp_path, ending), dataset(tmp_path, ".csv")
    pd.testing.assert_frame_equal(found.x, expected.x, check_dtype=False)
    assert np.array_equal(found.y, expected.y) and told(found, "'when' is read as dates (ISO 8601)")
    assert {column.name: column.kind for column in found.columns} == {
        **dict.fromkeys(["x1", "x2", "n"], "number"), "when": "date", "town": "category", "paid": "category",
    }  # fmt: skip


@pytest.mark.parametrize("ending", list(WRITERS))
@pytest.mark.parametrize("made", [".csv", ".parquet", ".xlsx"])
def test_rows_of_any_format_fit_a_model_of_any_other(tmp_path: Path, made: str, ending: str) -> None:
    trained = dataset(tmp_path, made)
    reading = reading_of(trained, trained.x)
    assert reading is not None
    WRITERS[ending](FRAME.drop(columns="y"), tmp_path / f"new{ending}")
    parts = list(cells(tmp_path / f"new{ending}", ReadSpec(), 7))
    assert len(parts) > ROWS / 9
    if ending != ".xlsx":  # a sheet that a study names is none of other files
        assert len(list(cells(tmp_path / f"new{ending}", ReadSpec(sheet="sold"), ROWS))) >= 1
    read = [features_of(reading, part.frame) for part in parts]
    again = pd.concat([frame for frame, _ in read])
    pd.testing.assert_frame_equal(again, trained.x.astype(again.dtypes), check_dtype=False)
    assert not any(notes for _, notes in read)


def test_frames_of_polars_are_rows(tmp_path: Path) -> None:
    trained = dataset(tmp_path, ".csv")
    reading = reading_of(trained, trained.x)
    assert reading is not None
    again, notes = features_of(reading, polars.from_pandas(FRAME))
    pd.testing.assert_frame_equal(again, trained.x.astype(again.dtypes), check_dtype=False)
    assert notes == []
    with pytest.raises(UserError, match="rows must be a DataFrame of pandas or polars, but got PosixPath"):
        features_of(reading, Path("a"))


def test_types_of_the_file_are_kept(tmp_path: Path) -> None:
    frame = FRAME.assign(
        grade=pd.Categorical([1 + row % 3 for row in range(ROWS)]),
        price=[Decimal(f"{row}.25") for row in range(ROWS)],
        day=[datetime.date(2024, 1, 1 + row % 28) for row in range(ROWS)],
        tags=[["a", "b"]] * ROWS,
        zoned=DAYS.tz_localize("Europe/Berlin"),
        some=pd.array([None if row % 5 == 0 else row % 6 for row in range(ROWS)], "Int64"),
    )
    found = dataset(tmp_path, ".feather", frame)
    assert set(found.x["grade"]) == {"1", "2", "3"} and found.x["price"].iloc[3] == 3.25
    assert found.x["day_day"].iloc[3] == 4 and found.x["zoned_hour"].iloc[0] == 5
    assert np.isnan(found.x["some"].iloc[0]) and found.x["some"].iloc[7] == 1
    assert told(found, "'tags' is left out", "lists")


def test_texts_of_numbers_in_a_workbook_are_read_as_those_of_a_text_file(tmp_path: Path) -> None:
    mixed = ["n/a", *(row + 0.5 for row in range(1, ROWS - 1)), "1,5"]
    found = dataset(tmp_path, ".xlsx", FRAME.assign(n=["n/a", *mixed[1:-1], 3]))
    assert np.isnan(found.x["n"].iloc[0]) and told(found, "'n/a'", "'n'", "no value")
    assert dataset(tmp_path, ".xlsx", FRAME.assign(n=mixed), columns={"keep": ["n"]}).x["n"].dtype == object


def test_a_sheet_is_told_and_can_be_named(tmp_path: Path) -> None:
    with pd.ExcelWriter(tmp_path / "a.xlsx") as book:
        FRAME.to_excel(book, sheet_name="sold", index=False)
        FRAME.head(30).to_excel(book, sheet_name="more", index=False)
    data = (tmp_path / "a.xlsx").read_bytes()
    assert told(table(tmp_path, data, "a.xlsx"), "the sheet 'sold' is read; task.read.sheet names another")
    assert len(table(tmp_path, data, "a.xlsx", read={"sheet": "more"}).y) == 30
    with pytest.raises(UserError, match=r"task\.read\.sheet must be one of 'sold', 'more', but got 'other'"):
        table(tmp_path, data, "a.xlsx", read={"sheet": "other"})
    with pytest.raises(UserError, match=r"task\.read\.sheet must fit the data, but 'a\.parquet' is a table"):
        dataset(tmp_path, ".parquet", read={"sheet": "more"})
    with pytest.raises(UserError, match=r"task\.read\.quote must fit the data, but 'a\.xlsx' is a table"):
        table(tmp_path, data, "a.xlsx", read={"quote": "'"})


def test_what_is_written_beside_a_table_in_a_workbook_is_refused(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["a", "y", None], [1, 2, None], [3, 4, "see above"]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(
        UserError, match=r"every column must have a name, but a row of a\.xlsx has cells beyond"
    ):
        table(tmp_path, (tmp_path / "a.xlsx").read_bytes(), "a.xlsx")


def test_excel_without_its_package_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(
        UserError, match=r"Excel files need the package openpyxl, .*automl-orchestrator\[excel\]"
    ):
        table(tmp_path, b"PK", "a.xlsx")


@pytest.mark.parametrize("ending", [".parquet", ".feather", ".xlsx", ".jsonl"])
@pytest.mark.parametrize("damage", ["text", "torn", "empty"])
def test_a_damaged_file_is_refused(tmp_path: Path, ending: str, damage: str) -> None:
    WRITERS[ending](FRAME, tmp_path / f"a{ending}")
    data = (tmp_path / f"a{ending}").read_bytes()
    broken = {"text": b"once upon a time\n", "torn": data[: len(data) // 2], "empty": b""}[damage]
    with pytest.raises(UserError, match=r"a table must|must be a JSON object"):
        table(tmp_path, broken, f"a{ending}")


@pytest.mark.parametrize("line", ["[1, 2]", "3", '{"a": 1'])
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    text = "".join(json.dumps({"a": x, "y": int(y)}) + "\n" for x, y in zip(X1, Y, strict=True))
    with pytest.raises(UserError, match=rf"line {ROWS + 1} of a\.jsonl"):
        table(tmp_path, text + line, "a.jsonl")


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    for ending in (".parquet", ".feather", ".xlsx"):
        with pytest.raises(UserError, match="a table must have rows"):
            dataset(tmp_path, ending, FRAME.head(0))


def test_a_study_that_names_no_sheet_keeps_its_digest() -> None:
    """Campaigns of earlier versions that set another key of `task.read` go on."""
    assert (
        "sheet" not in ReadSpec(decimal=",").model_dump() and ReadSpec(sheet="a").model_dump()["sheet"] == "a"
    )
