import json
import subprocess
from pathlib import Path

import pytest

from automl import provenance


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "study.yaml").write_text("name: a\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def test_commit_and_dirt_of_the_study(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert provenance.git_state(repository) == {"commit": commit, "dirty": False}
    (repository / "new.py").write_text("")
    assert provenance.git_state(repository) == {"commit": commit, "dirty": True}


def test_an_installed_package_is_not_the_checkout_around_it(repository: Path) -> None:
    (repository / "provenance.py").write_text("")
    assert provenance.git_state(repository, "provenance.py") is None
    assert provenance.git_state(repository, "study.yaml") is not None


def test_a_hook_does_not_redirect_git(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    assert provenance.git_state(tmp_path_factory.mktemp("outside")) is None


@pytest.mark.parametrize("folder", ["no/such/folder", "."])
def test_collect_never_fails(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # neither git nor nvidia-smi
    found = provenance.collect(tmp_path / folder)
    assert found["study"] is None
    assert found["project"] is None
    assert found["devices"]
    assert json.loads(json.dumps(found)) == found


def test_versions_name_what_the_project_needs() -> None:
    versions = provenance.package_versions()
    assert {"automl-orchestrator", "optuna", "torch", "ray", "mlflow", "sqlalchemy"} <= set(versions)
    assert "pytest" not in versions  # an extra


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("postgresql+psycopg://u:p@ssword@db:5432/x", "postgresql+psycopg://u:***@db:5432/x"),
        ("https://me:hunter2@example.org/a", "https://me:***@example.org/a"),
        ("https://example.org/a?api_key=hunter2&b=1", "https://example.org/a?api_key=***&b=1"),
        ({"db": {"password": "hunter2", "port": 1}}, {"db": {"password": "***", "port": 1}}),
        (
            {"tokens": 12, "list": ["x", "AUTH_TOKEN=hunter2"]},
            {"tokens": 12, "list": ["x", "AUTH_TOKEN=***"]},
        ),
        ("http://localhost:5000/a@b", "http://localhost:5000/a@b"),
        ("accuracy 0.9", "accuracy 0.9"),
    ],
)
def test_mask(value: object, masked: object) -> None:
    assert provenance.mask(value) == masked
