"""Every shipped study file is valid with the plug-ins of this package."""

from pathlib import Path

import pytest

from automl.config import Study, load_study, resolve
from automl.contracts import UserError
from automl.forecast import forecast

FILES = sorted(Path(__file__).parents[2].glob("studies/*.yaml"))


@pytest.fixture(autouse=True)
def _only_our_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTOML_PLUGINS", raising=False)


def test_there_are_studies() -> None:
    assert {"quickstart.yaml", "tables.yaml"} <= {file.name for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_study_is_valid_and_named_as_its_file(file: Path) -> None:
    try:
        study = load_study(file)
    except UserError as error:
        if "AUTOML_DATA is not set" in str(error):
            pytest.skip("AUTOML_DATA is not set: the study's benchmark file is not here")
        raise
    assert study.name == file.stem.replace("_", "-")
    assert "random" in study.arms
    assert Study.from_json(study.to_json()) == study
    assert forecast(resolve(study)).searches == sum(
        arm.reference is None for arm in study.arms.values()
    ) * len(study.seeds)
    assert file.read_text(encoding="utf-8").startswith("# "), "its first line says what it shows"
