"""Which storage a campaign uses, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from automl.campaign.storing import chosen_storage
from automl.contracts import UserError
from automl.executors.ray import Ray, RayOptions
from automl.progress import QuietProgress


@dataclass
class Told(QuietProgress):
    lines: list[str] = field(default_factory=list)

    def message(self, text: str) -> None:
        self.lines.append(text)


def study(storage: str | None = None, **changes: bool) -> Any:
    executor = SimpleNamespace(storage=storage, shares_folder=changes.get("shares_folder", False))
    return SimpleNamespace(executor=executor, simulated=changes.get("simulated", False))


def test_without_a_name_files_stay_in_the_store(tmp_path: Path) -> None:
    told = Told()
    assert chosen_storage(study(), told, {}) is None
    environ = {"AUTOML_STORAGE": str(tmp_path / "x")}
    assert chosen_storage(study(shares_folder=True), told, environ) is None
    assert chosen_storage(study(simulated=True), told, environ) is None
    assert told.lines == [] and not (tmp_path / "x").exists()


def test_the_executor_comes_before_the_variable_which_is_told(tmp_path: Path) -> None:
    told, environ = Told(), {"AUTOML_STORAGE": str(tmp_path / "variable")}
    assert chosen_storage(study(), told, environ) == f"file://{tmp_path}/variable"
    assert chosen_storage(study(str(tmp_path / "option")), told, environ) == f"file://{tmp_path}/option"
    assert told.lines == [
        f"storage: file://{tmp_path}/variable",
        f"storage: file://{tmp_path}/option, as the executor says, not that of AUTOML_STORAGE",
    ]


@pytest.mark.slow
def test_one_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=r"AUTOML_STORAGE: a storage must take, give back and delete a file"):
        chosen_storage(study(), Told(), {"AUTOML_STORAGE": str(tmp_path / "file")})


def test_the_option_of_ray_is_an_address() -> None:
    assert Ray(RayOptions(storage="s3://bucket/x/")).storage == "s3://bucket/x"
    assert "storage" in Ray.place_options, "a campaign may go on with another one"
    with pytest.raises(ValueError, match="storage must be a URL or an absolute path"):
        RayOptions(storage="here")
    with pytest.raises(ValueError, match="must hold no password or key"):
        RayOptions(storage="s3://key:hunter2hunter2@bucket/x")
