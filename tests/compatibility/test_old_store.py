"""A store, exports and saved models of commit 10a45bd still work: nothing in them may need old code."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from old_store import (
    CELLS,
    FINISHED,
    LEARNERS,
    Program,
    assert_same,
    certificate,
    database,
    load_model_file,
    old_report,
    rows,
)

ENDED = (
    "SELECT id, attempt, finished_at, config, \"values\" FROM trials WHERE finished_at > 0 AND id LIKE '{}%'"
)
REPORTS = (
    "SELECT trial || '@' || step, value, device_seconds, at FROM reports WHERE trial = '{}/0' AND step <= {}"
)


@pytest.mark.parametrize("study", FINISHED)
def test_the_report_is_what_the_old_commit_printed(program: Program, study: str) -> None:
    assert_same(program.json("report", study), old_report(program.home, study))


@pytest.mark.parametrize("study", FINISHED)
def test_the_report_is_drawn(program: Program, tmp_path: Path, study: str) -> None:
    program("report", study, "--html", str(tmp_path / "report.html"))
    assert f"{study}-1" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("study", FINISHED)
def test_the_audit_is_clean(program: Program, study: str) -> None:
    assert_clean(program, study)


@pytest.mark.parametrize("study", FINISHED)
def test_the_exported_certificate_is_the_old_one(program: Program, tmp_path: Path, study: str) -> None:
    program("export", study, "-o", str(tmp_path / "best.yaml"))
    new = certificate(tmp_path / "best.yaml", program.home)
    assert_same(new, certificate(program.home / f"exports/{study}.yaml", program.home))


@pytest.mark.parametrize("arm", CELLS)
def test_an_exported_network_computes_what_the_old_export_does(
    program: Program, tmp_path: Path, arm: str
) -> None:
    program("export", "cells", "--arm", arm, "--format", "torch", "-o", str(tmp_path / arm))
    new, old = load_model_file(tmp_path / arm), load_model_file(program.home / f"exports/cells-{arm}")
    images = 16 * torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = old.load_model()(old.prepare_images(images))
        computed = new.load_model()(new.prepare_images(images))
    torch.testing.assert_close(computed, expected)


@pytest.mark.parametrize("arm", LEARNERS)
def test_an_exported_learner_computes_what_the_old_export_does(
    program: Program, tmp_path: Path, arm: str
) -> None:
    program("export", "meta", "--arm", arm, "--format", "torch", "-o", str(tmp_path / arm))
    new, old = load_model_file(tmp_path / arm), load_model_file(program.home / f"exports/meta-{arm}")
    images = torch.rand(10, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(5)
    expected = old.adapt(old.prepare_images(images[:5]), labels)(old.prepare_images(images[5:]))
    computed = new.adapt(new.prepare_images(images[:5]), labels)(new.prepare_images(images[5:]))
    torch.testing.assert_close(computed, expected)


@pytest.mark.slow
@pytest.mark.parametrize("study", FINISHED)
def test_saved_models_have_their_old_scores_when_a_campaign_was_killed_before_its_test(
    fresh_program: Program, study: str
) -> None:
    """The models were left by the old commit; the study file must still be that of the campaign."""
    with database(fresh_program.home) as ledger:
        ledger.execute("DELETE FROM openings WHERE search LIKE ?", (f"{study}-1/%",))
        ledger.execute(
            "UPDATE campaigns SET state = 'running', finished_at = NULL, recorded = 1 WHERE study = ?",
            (study,),
        )
    before = rows(fresh_program.home, ENDED.format(study))
    fresh_program("run", f"studies/{study.replace('-', '_')}.yaml")
    report = fresh_program.json("report", study)
    old = old_report(fresh_program.home, study)
    assert (report["campaign"], report["status"]) == (f"{study}-1", "finished")
    assert rows(fresh_program.home, ENDED.format(study)) == before, "a finished trial changed"
    for arm, searches in old["arms"].items():
        for search, expected in zip(report["arms"][arm], searches, strict=True):
            assert search["test"] == pytest.approx(expected["test"], abs=0.01), arm
    assert report["test_openings"] == old["test_openings"]
    assert_clean(fresh_program, study)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("study", "options"), [("cells", ["--epochs=1"]), ("meta", ["--iterations=2"]), ("tables", [])]
)
def test_an_old_certificate_trains(fresh_program: Program, study: str, options: list[str]) -> None:
    trained = fresh_program.json("train", f"exports/{study}.yaml", *options)
    assert all(0 <= value <= 1 for value in trained["values"].values())
    assert (Path(trained["folder"]) / "config.json").is_file()


@pytest.mark.slow
def test_an_interrupted_function_continues(fresh_program: Program) -> None:
    before = rows(fresh_program.home, ENDED.format("function-cut"))
    fresh_program("run", "studies/function_cut.yaml")
    report = fresh_program.json("report", "function-cut")
    assert (report["campaign"], report["status"]) == ("function-cut-1", "finished")
    after = rows(fresh_program.home, ENDED.format("function-cut"))
    assert len(before) == 5 and len(after) == 12
    assert before.items() <= after.items(), "a finished trial ran again"
    assert {name: row[0] for name, row in after.items() if row[0] > 1} == {"function-cut-1/tpe/0/2": 2}
    assert_clean(fresh_program, "function-cut")


@pytest.mark.slow
@pytest.mark.parametrize("search", ["cells-cut-1/darts/0", "network-cut-1/random/0", "meta-cut-1/maml/0"])
def test_an_interrupted_training_goes_on_from_its_checkpoint(fresh_program: Program, search: str) -> None:
    study = search.partition("-1/")[0]
    last = newest_checkpoint(fresh_program.home, search)
    ended = rows(fresh_program.home, ENDED.format(study))
    reports = rows(fresh_program.home, REPORTS.format(search, last))
    fresh_program("run", f"studies/{study.replace('-', '_')}.yaml")
    report = fresh_program.json("report", study)
    assert (report["campaign"], report["status"]) == (f"{study}-1", "finished")
    assert ended.items() <= rows(fresh_program.home, ENDED.format(study)).items(), (
        "a finished trial ran again"
    )
    assert rows(fresh_program.home, REPORTS.format(search, last)) == reports, "it began again"
    assert len(rows(fresh_program.home, REPORTS.format(search, 1000))) > len(reports) > 0
    assert rows(fresh_program.home, f"SELECT id, attempt FROM trials WHERE id = '{search}/0'") == {
        f"{search}/0": (2,)
    }
    assert_clean(fresh_program, study)


def newest_checkpoint(home: Path, search: str) -> int:
    """The step of the newest checkpoint that the first trial of a search left."""
    campaign, arm, seed = search.split("/")
    folder = home / f"store/work/{campaign}/{arm}-{seed}/0/checkpoints"
    return max(int(path.stem.rpartition("-")[2]) for path in folder.glob("*.pt"))


def assert_clean(program: Program, study: str) -> None:
    """Assert that MLflow has every trial once and right; of a replayed benchmark it has the searches only."""
    audit = program.json("audit", study)
    assert audit["runs"] == (0 if study == "table-replay" else audit["trials"])
    assert [audit[key] for key in ("missing", "duplicate", "stuck", "different")] == [[], [], [], []]
