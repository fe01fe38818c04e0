"""Lists, addresses of pages and times of day: their features in a study, and of new rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from table_examples import ROWS, csv, plain, table, told

from automl.contracts import TableReading, UserError
from automl.data.dataset import Dataset
from automl.data.reading.rows import feature_names, features_of, reading_of

TAGS = [";".join(("red", "new", "sale")[n] for n in range(3) if row >> n & 1) for row in range(ROWS)]
PAGES = [f"https://{('a.org', 'B.org')[row % 2]}/x/{'y' * (row % 3)}?id={row}" for row in range(ROWS)]
TIMES = [f"{row % 24}:{row:02}" for row in range(ROWS)]


def trained(folder: Path, cells: list[str], **task: Any) -> Dataset:
    return table(folder, csv(plain(n=cells)), **task)


def reading(dataset: Dataset) -> TableReading:
    found = reading_of(dataset, dataset.x)
    assert found is not None
    return TableReading(tuple(one for one in found.columns if one.name == "n"), "y", found.missing)


@pytest.mark.parametrize(
    ("cells", "kind", "names"),
    [
        (TAGS, "list", ["n=new", "n=red", "n=sale", "n_count"]),
        ([f'"[{tag.replace(";", ", ")}]"' for tag in TAGS], "list", ["n=new", "n=red", "n=sale", "n_count"]),
        (PAGES, "url", ["n_host", "n_depth"]),
        (TIMES, "time", ["n"]),
    ],
)
def test_new_rows_have_the_features_of_the_study(
    tmp_path: Path, cells: list[str], kind: str, names: list[str]
) -> None:
    made = trained(tmp_path, cells)
    (column,) = reading(made).columns
    assert column.kind == kind and list(feature_names(column)) == names
    assert [name for name in made.x if name not in ("x1", "x2")] == names and told(made, "'n' is read as")
    rows = pd.DataFrame({"n": [cell.strip('"') for cell in cells]})
    again, notes = features_of(reading(made), rows)
    pd.testing.assert_frame_equal(again, made.x[names])
    assert notes == []
    one, _ = features_of(reading(made), rows.iloc[[7]])
    pd.testing.assert_frame_equal(one, again.iloc[[7]], check_dtype=False)


def test_what_they_are_made_of(tmp_path: Path) -> None:
    rows = trained(tmp_path, TAGS).x
    assert list(rows["n=red"][:4]) == [0, 1, 0, 1] and list(rows["n_count"][:4]) == [0, 1, 1, 2]
    pages = trained(tmp_path, PAGES).x
    assert list(pages["n_host"][:2]) == ["a.org", "b.org"] and list(pages["n_depth"][:2]) == [1, 2]
    assert trained(tmp_path, TIMES).x["n"].iloc[30] == 6.5


def test_new_rows_of_another_kind_are_told_or_refused(tmp_path: Path) -> None:
    new = pd.DataFrame({"n": ["red;old", None]})
    found, notes = features_of(reading(trained(tmp_path, TAGS)), new)
    assert list(found["n=red"]) == [1, 0] and list(found["n_count"]) == [2, 0]
    assert notes == ["'n' has items that the model does not know; they count as none, such as 'old'"]
    found, notes = features_of(reading(trained(tmp_path, PAGES)), pd.DataFrame({"n": ["home", ""]}))
    assert found["n_host"].isna().all() and found["n_depth"].isna().all() and "'home'" in notes[0]
    times = reading(trained(tmp_path, TIMES))
    assert np.isnan(features_of(times, pd.DataFrame({"n": [""]}))[0]["n"]).all()
    with pytest.raises(UserError, match=r"'n' must hold times of day such as 13:45, .* row 2 has '24:10'"):
        features_of(times, pd.DataFrame({"n": ["9:00", "24:10"]}))


@pytest.mark.parametrize(
    "cells",
    [
        [("red;new", "new;red")[row % 2] for row in range(ROWS)],
        [f"Smith, John {row}" for row in range(ROWS)],
        [("good; but late", "bad")[row % 2] for row in range(ROWS)],
        [f"{row}:10" for row in range(ROWS)],
        ["https://a.org/x"] * 39 + [""],
    ],
)
def test_other_texts_stay_what_they_are(tmp_path: Path, cells: list[str]) -> None:
    columns = plain(n=[f'"{cell}"' for cell in cells])
    assert set(table(tmp_path, csv(columns), columns={"keep": ["n"]}).x) == {"x1", "x2", "n"}


def test_a_column_can_be_kept_as_it_is(tmp_path: Path) -> None:
    for cells in (TAGS, TIMES):
        found = trained(tmp_path, cells, columns={"categorical": ["n"], "keep": ["n"]})
        assert list(found.x) == ["x1", "x2", "n"] and found.x["n"].dtype == object


def test_lists_as_targets_stay_classes(tmp_path: Path) -> None:
    found = table(tmp_path, csv({**plain(), "n": [tag or "none" for tag in TAGS]}), target="n")
    assert len(set(found.y)) == 8 and not told(found, "'n' is read as")


def test_months_are_dates(tmp_path: Path) -> None:
    for cells in ([f"20{20 + row // 12}-{1 + row % 12:02}" for row in range(ROWS)],
                  [f"{1 + row % 12:02}/20{20 + row // 12}" for row in range(ROWS)]):  # fmt: skip
        made = trained(tmp_path, cells)
        assert list(made.x["n_month"][:3]) == [1, 2, 3] and made.x["n_year"].iloc[-1] == 2023
        again, _ = features_of(reading(made), pd.DataFrame({"n": cells}))
        pd.testing.assert_frame_equal(again, made.x[list(again)])


def test_a_feature_with_the_name_of_a_column_is_refused(tmp_path: Path) -> None:
    columns = plain(n=TAGS, n_count=[row % 5 for row in range(ROWS)])
    with pytest.raises(UserError, match=r"'n_count' is one of 'n_count' and of another column; rename"):
        table(tmp_path, csv(columns))
    assert table(tmp_path, csv(columns), columns={"drop": ["n_count"]}).x["n_count"].max() == 3
