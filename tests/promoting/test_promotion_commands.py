"""The commands promote, models, rollback and archive, and what the end of a run says."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from in_process import automl
from patience import PATIENCE


@pytest.fixture
def said(judged: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Calls the program: exit code, standard output, standard error."""
    monkeypatch.chdir(judged.folder)

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = automl(monkeypatch, *words)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.mark.slow
def test_a_refusal_names_its_condition_and_exits_with_1(said: Any, judged: Any) -> None:
    gate = "promote: {beats: champion, fresh_at_least: 0.45}\n"
    judged.file.write_text(judged.file.read_text() + gate)
    code, out, _ = said("promote", "gated.yaml", "--dry-run")
    assert code == 0 and out.startswith("yes beats champion: gated has no champion yet")
    code, out, _ = said("promote", "gated-1", "--dry-run")
    assert code == 1 and "beats random" in out  # the default gate: arms of equal models
    assert said("promote", "gated-3", "--force", "first one")[0] == 0
    code, out, _ = said("promote", "gated-2")
    assert code == 1 and "no  beats champion: fresh-seed validation gain" in out
    code, out, _ = said("models", "gated")
    assert code == 0 and "version 1 (champion): champion of gated-3" in out
    assert "the winner of gated-2" in out and "is not promoted" in out
    code, out, _ = said("models", "gated", "--json")
    listed = json.loads(out)
    assert [one["action"] for one in listed["decisions"]] == ["promote", "refuse"] and listed["faults"] == []
    code, _, err = said("rollback", "gated")
    assert code == 2 and "must have an earlier champion" in err
    code, _, err = said("archive", "gated", "1")
    assert code == 2 and "--champion" in err


@pytest.mark.slow
def test_an_audit_tells_what_the_registry_lacks_and_repairs_it(said: Any, judged: Any) -> None:
    """In processes of their own: MLflow keeps the file that was deleted open."""
    assert said("promote", "gated-3", "--force", "first one")[0] == 0
    for part in judged.store.folder.glob("mlflow.db*"):
        part.unlink()

    def alone(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "automl.cli", *words]
        return subprocess.run(
            command, cwd=judged.folder, capture_output=True, text=True, check=False, timeout=PATIENCE
        )

    told = alone("audit", "gated")
    assert told.returncode == 1 and "registry: gated-" in told.stdout and "has no version" in told.stdout
    repaired = alone("audit", "gated", "--repair")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    (version,) = json.loads(alone("models", "gated", "--json").stdout)["versions"]
    assert version["state"] == "champion" and version["aliases"] == ["champion"]


def test_the_end_of_a_run_tells_that_its_winner_can_be_promoted(said: Any, judged: Any) -> None:
    judged.file.write_text(judged.file.read_text() + "promote: {beats: champion}\n")
    code, _, err = said("run", "gated.yaml", "--progress", "quiet")
    assert code == 0 and "it can be promoted: automl promote gated-3" in err
    judged.file.write_text(judged.file.read_text().replace("champion}", "champion, automatically: true}"))
    code, _, err = said("run", "gated.yaml", "--progress", "quiet")
    assert code == 0 and "is the champion of gated, its first one" in err
    code, _, err = said("run", "gated.yaml", "--progress", "quiet")
    assert code == 0 and "champion" not in err
