"""What becomes of a campaign is told once to each target; a target that fails costs the campaign nothing."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from in_process import automl
from told import Told
from webhook import Webhook, webhook

from automl.campaign import Wanted, run_campaign
from automl.config import load_study
from automl.contracts import Outcome, RunError, TrialState, UserError
from automl.ledger import Ledger, NewTrial, Store
from automl.notifying import Announcer, Targets, announcer_of, check_targets, delivery

CODE = """
import os
from automl.space import Float, Space
SPACE = Space({"x": Float(0.0, 1.0)})

def f(config, context):
    if os.path.exists("broken"):
        raise ValueError("no service at " + os.environ["HOOK"])
    return config["x"] ** 2
"""
STUDY = """
name: told
task: {metric: loss, direction: minimize}
space: "told_code:SPACE"
evaluator: {function: {call: "told_code:f"}}
budget: {trials: 3}
seeds: 2
arms: {random: {strategy: random}}
notify:
  - url: ${HOOK}
  - {file: n.jsonl, on: [end]}
"""
CANARIES = [f"Kanarie{number}x9" for number in range(8)]


@pytest.fixture
def hook(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    (workspace / "told_code.py").write_text(CODE)
    (workspace / "told.yaml").write_text(STUDY)
    monkeypatch.setenv("AUTOML_HIDDEN", "")
    monkeypatch.setattr(delivery, "WAITS", (0.0, 0.0))
    with webhook() as served:
        user, password, *path = CANARIES
        monkeypatch.setenv(
            "HOOK",
            f"json://{user}:{password}@127.0.0.1:{served.port}/{'/'.join(path[:4])}?-token={path[4]}&+X={path[5]}",
        )
        yield served


def run(store: Store, told: Told, wanted: Wanted | None = None) -> str:
    study = load_study("told.yaml")
    return run_campaign(study, store=store, wanted=wanted or Wanted(), progress=told)


@pytest.mark.slow
def test_the_end_is_told_once_also_when_the_campaign_is_run_again(store: Store, hook: Webhook) -> None:
    told = Told()
    campaign = run(store, told)
    assert hook.events == ["has ended"]
    body = hook.received[0]["message"]
    assert "best loss:" in body and f"automl report {campaign}" in body and "used" in body
    (line,) = Path("n.jsonl").read_text().splitlines()
    sent = json.loads(line)
    assert sent["event"] == "end" and sent["facts"]["best"]["arm"] == "random" and f"id: {sent['id']}" in body
    run(store, told)
    assert hook.events == ["has ended"] and "is complete" in told.lines[-1]
    Path("told.yaml").write_text(STUDY.replace("trials: 3", "trials: 4"))
    run(store, told)  # it grows: that is another end
    assert hook.events == ["has ended"] * 2
    assert "id: " + sent["id"] not in hook.received[1]["message"]


class Killed(BaseException):
    """Ends a driver as a kill does: nothing handles it."""


def killed(*_: object) -> None:
    raise Killed


@pytest.mark.slow
def test_what_a_killed_driver_has_left_is_told_with_the_same_id(
    store: Store, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(delivery, "deliver", killed)
        with pytest.raises(Killed):
            run(store, Told())
    with Ledger(store) as ledger:
        owed = ledger.owed("told-1")
        assert [row.target for row in owed] == ["$HOOK", "file n.jsonl"]
    run(store, Told())
    assert hook.events == ["has ended"] and f"id: {owed[0].message}" in hook.received[0]["message"]
    with Ledger(store) as ledger:
        assert ledger.owed("told-1") == [] and {row.state for row in ledger.notices()} == {"sent"}


@pytest.mark.slow
def test_a_driver_that_is_killed_before_it_wrote_anything_down_is_made_up_for(
    store: Store, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Announcer, "ended", killed)
        with pytest.raises(Killed):
            run(store, Told())
    with Ledger(store) as ledger:
        row = ledger.campaign("told-1")
        assert row is not None and row.state == "finished" and ledger.notices() == []
    run(store, Told())
    assert hook.events == ["has ended"]


@pytest.mark.slow
def test_a_campaign_that_finds_nothing_and_an_error_are_failures(
    store: Store, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("broken").touch()
    run(store, Told())
    assert hook.events == ["has failed"] and "it found nothing" in hook.received[0]["message"]
    Path("broken").unlink()

    def away(*_: object, **__: object) -> None:
        raise RunError("the disk is full")

    with monkeypatch.context() as patch, pytest.raises(RunError, match="disk is full"):
        patch.setattr("automl.campaign.run.plan_searches", away)
        run(store, Told())
    assert hook.events == ["has failed"] * 2 and "the disk is full" in hook.received[1]["message"]
    run(store, Told())  # goes on, and ends
    assert hook.events == ["has failed"] * 2 + ["has ended"]


@pytest.mark.slow
def test_a_target_that_fails_is_tried_again_then_told_and_noted(store: Store, hook: Webhook) -> None:
    hook.statuses = [500, 503]
    run(store, Told())
    assert hook.events == ["has ended"]
    hook.statuses = [500] * 9
    told = Told()
    run(store, told, Wanted(fresh=True))
    assert len(hook.received) == 1
    (warning,) = [line for line in told.lines if line.startswith("warning: $HOOK was not told")]
    assert "told-2 (end)" in warning and "3 tries" in warning
    with Ledger(store) as ledger:
        states = {row.target: (row.state, row.tries) for row in ledger.notices(campaign="told-2")}
        assert states == {"$HOOK": ("failed", 3), "file n.jsonl": ("sent", 1)}
        row = ledger.campaign("told-2")
        assert row is not None and row.state == "finished" and row.recorded == 2


def test_what_cannot_be_told_is_told_before_anything_runs(
    store: Store, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOK")
    Path("told.yaml").write_text(STUDY.replace("n.jsonl", "absent/n.jsonl"))
    with pytest.raises(UserError) as caught:
        run(store, Told())
    first, second = str(caught.value).splitlines()
    assert "notify: $HOOK: the environment variable HOOK must hold an address" in first
    assert "notify: file absent/n.jsonl: the file" in second
    with Ledger(store) as ledger:
        assert ledger.campaigns() == []


@pytest.mark.slow
def test_a_promotion_is_told_to_those_whom_the_campaign_names(store: Store, hook: Webhook) -> None:
    campaign = run(store, Told())
    with Ledger(store) as ledger:
        row = ledger.campaign(campaign)
        assert row is not None
        for version in (3, 3, 4):
            sentence = f"version {version} is the champion"
            announcer_of(ledger, store, row, print).promoted(campaign, str(version), sentence, {"v": version})
    assert hook.events == ["has ended", "promotion", "promotion"]
    assert "version 4 is the champion" in hook.received[2]["message"]


def test_a_collapse_is_told_when_its_alarm_has_rung(store: Store, hook: Webhook) -> None:
    study = load_study("told.yaml")
    spec = {**study.to_json(), "arms": {"darts": {"evaluator": {"name": "supernet", "options": {}}}}}
    metrics = {"search_collapsed": 1.0, "search_collapse_epoch": 7.0, "search_alarm_skips": 7.0}
    told: list[str] = []
    with Ledger(store) as ledger:
        row = ledger.create_campaign("told", spec, "d", {})
        token = ledger.acquire(row.id, "here:1:x")
        search = ledger.add_search(row.id, "darts", 0)
        announcer = Announcer(ledger, store, Targets.of(study), told.append)
        with announcer.following(row, token):
            trial = ledger.start_trial(search.id, NewTrial("trial", 0, {}, 1, 0, str(store.folder)))
            outcome = Outcome(TrialState.COMPLETE, 1.0, values=[0.5], metrics=metrics)
            ledger.finish_trial(trial.id, trial.token, outcome, told=0, attributes={})
        with announcer.following(row, token):
            pass
    assert hook.events == ["collapse alarm"] and told == []
    body = hook.received[0]["message"]
    assert "darts, seed 0: collapsed after epoch 7 (skip connections)" in body


@pytest.mark.slow
def test_no_secret_is_anywhere(
    hook: Webhook, workspace: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of an address with eight: in the store, MLflow, logs, reports, errors, and what is printed."""
    monkeypatch.setenv("AUTOML_STORE", str(workspace / "store"))
    Path("broken").touch()
    hook.statuses = [500] * 9
    seen = [automl(monkeypatch, *words.split()) for words in ("check told.yaml", "notify test told.yaml")]
    hook.statuses = []
    seen += [automl(monkeypatch, "run", "told.yaml")]
    Path("broken").unlink()
    seen += [automl(monkeypatch, "run", "told.yaml")]
    for words in (
        "report told --html r.html",
        "report told --json",
        "notify log --json",
        "audit told --json",
    ):
        seen.append(automl(monkeypatch, *words.split()))
    seen.append(
        automl(monkeypatch, "notify", "test", "told.yaml", "--set", f'notify=[{{"url": "{CANARIES[0]}"}}]')
    )
    assert seen == [0, 1, 1, 0, 0, 0, 0, 0, 2]
    assert hook.events[-1] == "has ended" and CANARIES[2] in hook.paths[-1], "the address was used"
    shown = "".join(capfd.readouterr())
    assert "***" in shown
    written = b"".join(path.read_bytes() for path in workspace.rglob("*") if path.is_file())
    assert len(CANARIES) == 8 and os.environ["HOOK"].count("Kanarie") == 8
    assert [one for one in CANARIES if one in shown or one.encode() in written] == []


def test_faults_are_all_told_at_once_and_none_where_all_is_well(hook: Webhook) -> None:
    check_targets(load_study("told.yaml"))
    Path("two.yaml").write_text(
        textwrap.dedent(STUDY).replace("${HOOK}", "${NONE_A}").replace("n.jsonl", "/dev/full")
    )
    with pytest.raises(UserError, match=r"(?s)\$NONE_A.*/dev/full"):
        check_targets(load_study("two.yaml"))
