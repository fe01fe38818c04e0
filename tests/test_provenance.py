import json
import subprocess
from pathlib import Path

import pytest

from automl import provenance
from automl.provenance import DataIdentity, GitState, Provenance


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
    assert provenance.git_state(repository) == GitState(commit, dirty=False)
    (repository / "new.py").write_text("")
    assert provenance.git_state(repository) == GitState(commit, dirty=True)


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
    collected = provenance.collect(tmp_path / folder)
    assert collected.study is None
    assert collected.project is None
    assert collected.devices


@pytest.mark.parametrize("data", [None, DataIdentity("digits", "d" * 64)])
@pytest.mark.parametrize("study", [None, GitState("abc", dirty=None)])
def test_json_keeps_everything(data: DataIdentity | None, study: GitState | None) -> None:
    collected = Provenance(study=study, packages={"torch": "2"}, host="here", devices=["cpu"], data=data)
    written = json.loads(json.dumps(collected.to_json()))
    assert Provenance.from_json(written) == collected
    assert ("data" in written) == (data is not None)


def test_what_another_version_wrote_is_read_as_far_as_it_is_known() -> None:
    assert Provenance.from_json({}) == Provenance()
    assert Provenance.from_json({"commit": "abc", "host": "here"}) == Provenance(host="here")


def test_the_code_is_that_of_the_study_or_else_of_the_project() -> None:
    study, project = GitState("a", dirty=False), GitState("b", dirty=False)
    assert Provenance(study=study, project=project).code == study
    assert Provenance(project=project).code == project
    assert Provenance().code is None


def test_versions_name_what_the_project_needs() -> None:
    versions = provenance.package_versions()
    assert {"automl-orchestrator", "optuna", "torch", "ray", "mlflow", "sqlalchemy"} <= set(versions)
    assert "pytest" not in versions  # an extra
