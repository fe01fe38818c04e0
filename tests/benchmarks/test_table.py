"""Benchmark files: three layouts, columns, and the messages for wrong files."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
import toy_benchmark
from toy_benchmark import CONFIG, OPTIONS, PLACES, ROW, ROWS

from automl import plugins
from automl.benchmarks import find_file, load_table
from automl.benchmarks.layouts import EDGES, OPERATIONS
from automl.contracts import UserError
from automl.space import Choice, Float, Int, Parameter, Space
from automl.spaces import load_space

DATA = os.environ.get("AUTOML_DATA", "")
needs_data = pytest.mark.skipif(not DATA, reason="AUTOML_DATA does not say where the benchmark files are")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return toy_benchmark.write(tmp_path / "toy.npz")


def test_each_configuration_has_its_row(file: Path) -> None:
    table = load_table(str(file))
    assert len(table) == ROWS
    assert table.row(CONFIG) == ROW
    for row, places in enumerate(PLACES):
        config = {name: values[i] for (name, values), i in zip(OPTIONS.items(), places, strict=True)}
        assert table.row(config) == row
    with pytest.raises(UserError, match="no row for"):
        table.row({**CONFIG, "depth": 4})
    with pytest.raises(UserError, match="no row for"):
        table.row({**CONFIG, "depth": True})  # not the option 1


def test_columns_and_seeds_with_gaps(file: Path) -> None:
    table = load_table(str(file))
    truth = toy_benchmark.arrays()
    assert table.column("value_1").at(ROW, 12345) == truth["value_1"][ROW]
    seeds = truth["fresh_seeds"]
    column = table.column("fresh_seeds")
    assert column.all(ROW) == [seeds[ROW, 0], seeds[ROW, 2]]
    assert [column.at(ROW, seed) for seed in range(4)] == 2 * [seeds[ROW, 0], seeds[ROW, 2]]
    assert [column.at(ROW + 1, seed) for seed in range(3)] == list(seeds[ROW + 1])


def test_a_table_is_its_own_space(file: Path) -> None:
    space = load_space({"name": str(file), "fix": {"act": "relu"}})
    assert space.size() == 6
    table = load_table(str(file))
    rng = random.Random(0)
    assert {table.row(space.sample(rng)) for _ in range(100)} == {0, 1, 4, 5, 8, 9}


def test_hpobench_layout(tmp_path: Path) -> None:
    arrays = {"config": PLACES, "val_acc": np.arange(ROWS * 5.0).reshape(ROWS, 5)}
    toy_benchmark.save(tmp_path / "car.npz", arrays)
    (tmp_path / "search_space.json").write_text(json.dumps(OPTIONS))
    table = load_table(str(tmp_path / "car.npz"))
    assert table.columns == ["val_acc"]
    assert table.column("val_acc").at(table.row(CONFIG), 3) == 5 * ROW + 3
    (tmp_path / "search_space.json").unlink()
    (tmp_path / "other.npz").write_bytes((tmp_path / "car.npz").read_bytes())
    with pytest.raises(UserError, match="give it parameters, options and config"):
        load_table(str(tmp_path / "other.npz"))


def cells() -> dict[str, np.ndarray]:
    index = np.array([[0, 1, 2, 3, 4, 0], [3, 3, 3, 3, 3, 3]], dtype=np.int8)
    text = ["|none~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|"]
    text.append("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|" + "nor_conv_3x3~{}|" * 3)
    text[1] = text[1].format(0, 1, 2)
    return {"arch_str": np.array(text), "op_index": index, "ops": np.array(OPERATIONS)}


@pytest.mark.parametrize("left_out", ["", "arch_str", "op_index"])
def test_nasbench201_layout(left_out: str, tmp_path: Path) -> None:
    from automl.searchspaces.nasbench201 import from_arch_string

    arrays = {name: array for name, array in cells().items() if name != left_out}
    toy_benchmark.save(tmp_path / "cells.npz", {"cifar100_val12": np.array([1.0, 2.0]), **arrays})
    table = load_table(str(tmp_path / "cells.npz"))
    assert (table.columns, table.space_name) == (["cifar100_val12"], "nasbench201")
    for row, text in enumerate(cells()["arch_str"]):
        assert table.row(from_arch_string(str(text))) == row


def test_the_cell_layout_is_that_of_the_space() -> None:
    space = plugins.load("spaces", "nasbench201")
    assert tuple(space.parameters) == EDGES
    assert all(set(parameter.options) == set(OPERATIONS) for parameter in space.parameters.values())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"arch_str": np.array(["|conv~0|", "|none~0|"])}, "arch_str must read"),
        ({"op_index": np.full((2, 6), 4)}, "they differ"),
        ({"op_index": np.full((2, 5), 4)}, "must be (n, 6)"),
        ({"op_index": np.full((2, 6), 5)}, "point into ops"),
        ({"ops": np.array(["none", "pool"])}, "point into ops"),
    ],
)
def test_cells_that_are_none(changed: dict[str, np.ndarray], words: str, tmp_path: Path) -> None:
    toy_benchmark.save(tmp_path / "cells.npz", {**cells(), **changed})
    with pytest.raises(UserError, match=words.replace("(", r"\(").replace(")", r"\)")):
        load_table(str(tmp_path / "cells.npz"))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"config": PLACES[:, :2]}, "a column for each of"),
        ({"config": PLACES + 1}, "outside of them"),
        ({"config": PLACES - 1}, "outside of them"),
        ({"config": PLACES.astype(float)}, "must be integers"),
        ({"config": np.zeros_like(PLACES)}, "one row, but some have several"),
        ({"options": np.array(["[1]", "[2]"])}, "have options each"),
        ({"options": np.array(["[1, 1]", "[2]", "[3]"])}, "different plain values"),
        ({"options": np.array(["[[1]]", "[2]", "[3]"])}, "different plain values"),
        ({"options": np.array(["[", "[2]", "[3]"])}, "JSON list"),
        ({"parameters": np.array(["depth", "depth", "rate"])}, "must differ"),
        ({"parameters": None}, "which configurations it holds"),
    ],
)
def test_configurations_that_do_not_make_a_table(
    changed: dict[str, np.ndarray | None], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words):
        load_table(str(toy_benchmark.write(tmp_path / "toy.npz", **changed)))


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (np.zeros(ROWS - 1), "must have the shape"),
        (np.zeros((ROWS, 2, 2)), "must have the shape"),
        (np.zeros((ROWS, 0)), "must have the shape"),
        (np.array(["x"] * ROWS), "must hold numbers"),
        (np.where(np.arange(ROWS) == 4, np.nan, 1.0), "1 of 12 have none, the first in row 4"),
        (np.where(np.arange(ROWS) == 4, np.inf, 1.0), "finite number"),
    ],
)
def test_columns_that_cannot_be_used(column: np.ndarray, words: str, tmp_path: Path) -> None:
    table = load_table(str(toy_benchmark.write(tmp_path / "toy.npz", value_1=column)))
    with pytest.raises(UserError, match=words):
        table.column("value_1")
    with pytest.raises(UserError, match="known: cost_1, cost_2"):
        table.column("value_4")
    with pytest.raises(UserError, match="known: "):
        table.column("config")


@pytest.mark.parametrize("cost", [0.0, -1.0])
def test_costs_are_above_zero(cost: float, tmp_path: Path) -> None:
    table = load_table(str(toy_benchmark.write(tmp_path / "toy.npz", cost_1=np.full(ROWS, cost))))
    with pytest.raises(UserError, match="above 0 seconds"):
        table.column("cost_1", positive=True)


def test_damaged_files(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    for number, length in enumerate((0, 10, len(whole) // 2, len(whole) - 30)):
        cut = tmp_path / f"cut{number}.npz"
        cut.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"must be a readable \.npz file"):
            load_table(str(cut))
    damaged = bytearray(whole)
    damaged[len(whole) // 3 : len(whole) // 3 + 200] = bytes(200)
    (tmp_path / "damaged.npz").write_bytes(damaged)
    with pytest.raises(UserError, match=r"must be a readable \.npz file"):
        table = load_table(str(tmp_path / "damaged.npz"))
        for name in table.columns:
            table.column(name)
    toy_benchmark.save(tmp_path / "objects.npz", {"arch_str": np.array([{}], dtype=object)})
    with pytest.raises(UserError, match=r"must be a readable \.npz file"):
        load_table(str(tmp_path / "objects.npz"))


def test_a_file_that_changes_is_read_again(file: Path) -> None:
    before = load_table(str(file)).column("value_1").at(0, 0)
    toy_benchmark.write(file, value_1=np.full(ROWS, before + 1))
    os.utime(file, ns=(1, 1))
    assert load_table(str(file)).column("value_1").at(0, 0) == before + 1


def test_where_files_are_found(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTOML_DATA", raising=False)
    assert find_file(str(file)) == file
    with pytest.raises(UserError, match="AUTOML_DATA is not set"):
        find_file("toy.npz")
    for folder in ("a/nested", "b/nested"):
        toy_benchmark.write(tmp_path / "data" / folder / "deep.npz")
    monkeypatch.setenv("AUTOML_DATA", f"{tmp_path / 'data/a'}{os.pathsep}{tmp_path / 'missing'}")
    assert find_file("deep.npz") == find_file("nested/deep.npz")
    monkeypatch.setenv("AUTOML_DATA", f"{tmp_path / 'data/a'}{os.pathsep}{tmp_path / 'data/b'}")
    with pytest.raises(UserError, match="must mean one file"):
        find_file("deep.npz")


PARAMETERS: dict[str, Parameter] = {
    "depth": Int(1, 3),
    "act": Choice(("relu", "gelu")),
    "rate": Choice((0.1, 0.01)),
}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, None),
        ({"rate": Float(0.1, 0.1)}, None),
        ({"act": Choice(("gelu",))}, None),
        ({"rate": Float(0.01, 0.1)}, "single values"),
        ({"depth": Int(1, 4)}, "may be 4"),
        ({"act": Choice(("tanh",))}, "may be 'tanh'"),
        ({"width": Int(1, 2)}, "must be those of the table"),
        ({"rate": Choice((0.1,), when={"act": "relu"})}, "conditional"),
    ],
)
def test_which_spaces_fit(changed: dict[str, Parameter], words: str | None, file: Path) -> None:
    found = load_table(str(file)).misfit(Space({**PARAMETERS, **changed}))
    assert found is None if words is None else words in str(found)


def test_a_space_with_configurations_that_have_no_row(tmp_path: Path) -> None:
    changed = {name: array[:-1] for name, array in toy_benchmark.arrays().items()}
    table = load_table(str(toy_benchmark.write(tmp_path / "toy.npz", config=PLACES[:-1], **changed)))
    assert "1 have none" in str(table.misfit(Space(PARAMETERS)))
    assert table.misfit(Space(PARAMETERS).fix({"depth": 1})) is None


@needs_data
def test_the_real_nasbench201_file() -> None:
    from automl.searchspaces.nasbench201 import PLUGIN, arch_string

    table = load_table("nb201_cifar10.npz")
    raw = np.load(find_file("nb201_cifar10.npz"))
    assert len(table) == 15_625
    assert table.misfit(PLUGIN) is None
    rng = random.Random(0)
    for config in [*(PLUGIN.sample(rng) for _ in range(50)), dict.fromkeys(EDGES, "skip_connect")]:
        row = table.row(config)
        assert raw["arch_str"][row] == arch_string(config)
        assert table.column("cifar10_val12").at(row, 7) == float(raw["cifar10_val12"][row])
    assert table.column("cifar10_test200").at(row, 0) == pytest.approx(54.30, abs=0.01)  # all skips


@needs_data
def test_a_real_hpobench_file() -> None:
    table = load_table("car.npz")
    raw = np.load(find_file("car.npz"))
    options = json.loads((find_file("car.npz").parent / "search_space.json").read_text())
    assert {name: list(values) for name, values in table.options.items()} == options
    rng, space = random.Random(0), table.own_space()
    assert (space.size(), table.misfit(space)) == (30_000, None)
    for _ in range(20):
        config = space.sample(rng)
        row = table.row(config)
        for place, (name, values) in zip(raw["config"][row], options.items(), strict=True):
            assert values[place] == config[name]
        assert table.column("val_acc").all(row) == [float(value) for value in raw["val_acc"][row]]
