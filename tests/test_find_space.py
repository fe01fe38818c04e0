"""Spaces by name: plug-ins, benchmark files, restricted ones, and what is refused."""

from pathlib import Path

import pytest
import toy_benchmark

from automl.contracts import UserError
from automl.spaces import find_space, is_table, load_space


def test_a_space_is_a_plug_in_restricted_by_its_spec() -> None:
    space = load_space({"name": "mlp", "fix": {"layer_1": "relu"}, "narrow": None})
    assert space.size() == find_space("mlp").size() / 4
    assert space.default_config()["layer_1"] == "relu"


def test_a_benchmark_file_is_a_space(tmp_path: Path) -> None:
    file = str(toy_benchmark.write(tmp_path / "toy.npz"))
    assert is_table(file)
    assert not is_table("my.module:PLUGIN.npz")
    assert find_space(file).size() > 1


def test_what_is_no_space_is_refused() -> None:
    with pytest.raises(UserError, match="must name a Space, but 'os:sep' is of type str"):
        find_space("os:sep")
    with pytest.raises(UserError, match="search space must be one of those there are"):
        load_space({"name": "darst"})
