"""Promote, refuse, roll back, archive: in the ledger first, then in MLflow's registry."""

from __future__ import annotations

import json
from typing import Any

import pytest
from promoting_example import campaign, write_study

from automl.config import Promote
from automl.contracts import RunError, UserError
from automl.export import export_config, read_winner
from automl.ledger import Ledger, Store
from automl.promoting import archive, promote, rollback
from automl.promoting.deciding import Wanted
from automl.promoting.decision import Content, decision_of
from automl.promoting.listing import listing
from automl.promoting.registry import faults, folder_of, models, settle
from automl.recorder.experiments import make_client
from automl.storage import open_ledger, prepare

GATE = Promote(beats=["champion"], fresh_at_least=0.45, seeds_at_least=3, size_at_most=2000)
WANTED = Wanted(GATE)


def aliases(store: Store) -> dict[str, str]:
    return {
        alias: str(version)
        for alias, version in make_client(store).get_registered_model("gated").aliases.items()
    }


@pytest.mark.slow
def test_the_first_winner_becomes_the_champion(judged: Any, judged_ledger: Ledger) -> None:
    decision = promote(judged_ledger, judged.store, "gated-1", WANTED)
    assert (decision.action, decision.version, decision.previous) == ("promote", 1, None)
    assert "gated has no champion yet" in decision.conditions[0].figure
    assert [one.name for one in decision.conditions] == [
        "beats champion",
        "fresh at least 0.45",
        "seeds at least 3",
        "size at most 2,000",
    ]
    assert aliases(judged.store) == {"champion": "1"}
    version = make_client(judged.store).get_model_version("gated", "1")
    assert version.tags["automl.gate"] == "passed"
    assert version.tags["automl.gate.size_at_most_2000"].endswith("1,000 parameters: yes")


def test_a_worse_winner_is_refused_with_the_failing_condition(judged: Any, judged_ledger: Ledger) -> None:
    promote(judged_ledger, judged.store, "gated-1", WANTED)
    decision = promote(judged_ledger, judged.store, "gated-2", WANTED)
    assert decision.action == "refuse"
    assert [one.name for one in decision.failing] == ["beats champion"]
    (failing,) = decision.failing
    assert failing.difference is not None and failing.difference < 0 and failing.interval is not None
    assert "beats champion" in decision.sentence and "version 1 (gated-1)" in decision.sentence
    assert aliases(judged.store) == {"champion": "1"}
    assert decision_of(judged_ledger.promotions("gated")[-1], 1) == decision


def test_a_better_one_moves_the_champion_and_rollback_brings_the_last_one_back(
    judged: Any, judged_ledger: Ledger
) -> None:
    promote(judged_ledger, judged.store, "gated-1", WANTED)
    decision = promote(judged_ledger, judged.store, "gated-3", WANTED)
    assert (decision.action, decision.version, decision.previous) == ("promote", 2, 1)
    assert aliases(judged.store) == {"champion": "2", "previous": "1"}
    back = rollback(judged_ledger, judged.store, "gated", "worse on Mondays")
    assert (back.action, back.version) == ("rollback", 1)
    assert back.sentence == "version 1 of gated is the champion again, after version 2: worse on Mondays"
    assert aliases(judged.store) == {"champion": "1"}
    with pytest.raises(
        UserError, match="must have an earlier champion to go back to, but gated has version 1"
    ):
        rollback(judged_ledger, judged.store, "gated")
    states = {one.version: one.state for one in listing(judged_ledger, judged.store, "gated").versions}
    assert states == {1: "champion", 2: "left"}


def test_the_champion_is_kept_when_it_wins_again(judged: Any, judged_ledger: Ledger) -> None:
    promote(judged_ledger, judged.store, "gated-1", WANTED)
    again = promote(judged_ledger, judged.store, "gated-1", WANTED)
    assert (again.action, again.version, again.conditions) == ("keep", 1, ())
    assert len(listing(judged_ledger, judged.store, "gated").versions) == 1


def test_a_dry_run_changes_nothing(judged: Any, judged_ledger: Ledger) -> None:
    decision = promote(judged_ledger, judged.store, "gated-1", Wanted(GATE, dry=True))
    assert decision.action == "promote" and decision.dry and decision.version is None
    assert not judged_ledger.promotions() and not (judged.store.folder / "models").exists()


def test_a_secret_in_a_reason_is_kept_nowhere(judged: Any, judged_ledger: Ledger) -> None:
    secret = "postgresql://ann:hunter2-secret@db/automl"
    promote(judged_ledger, judged.store, "gated-1", WANTED)
    promote(judged_ledger, judged.store, "gated-2", Wanted(GATE, force=f"see {secret}"))
    rollback(judged_ledger, judged.store, "gated", secret)
    archive(judged_ledger, judged.store, "gated", 2, secret)
    told = json.dumps([row.content for row in judged_ledger.promotions("gated")])
    tags = make_client(judged.store).get_model_version("gated", "2").tags
    assert "hunter2" not in told + json.dumps(dict(tags)) and "postgresql://" in told


def test_what_the_gate_refuses_can_be_forced_with_a_reason_that_is_kept(
    judged: Any, judged_ledger: Ledger
) -> None:
    promote(judged_ledger, judged.store, "gated-3", WANTED)
    decision = promote(judged_ledger, judged.store, "gated-2", Wanted(GATE, force="the law changed"))
    assert decision.action == "promote" and decision.forced == "the law changed"
    assert "against the gate (beats champion)" in decision.sentence
    version = make_client(judged.store).get_model_version("gated", "2")
    assert version.tags["automl.gate"] == "forced: the law changed"
    passed = promote(judged_ledger, judged.store, "gated-3", Wanted(GATE, force="not needed"))
    assert passed.action == "promote" and not passed.forced and passed.version == 1


@pytest.mark.parametrize(
    ("gate", "figure"),
    [
        (Promote(beats=["worst"]), "gated-1 has no arm worst"),
        (Promote(beats=["random", "tpe"]), "the winner is of"),
        (Promote(beats=[], fresh_at_least=0.9), "gain 0.6"),
        (Promote(beats=[], test_at_least=0.1), "the winner has no test value"),
        (Promote(beats=[], seeds_at_least=4), "has 3 searches with a result"),
        (Promote(beats=[], size_at_most=999), "1,000 parameters"),
    ],
)
def test_each_condition_can_fail(gate: Promote, figure: str, judged: Any, judged_ledger: Ledger) -> None:
    decision = promote(judged_ledger, judged.store, "gated-1", Wanted(gate, dry=True))
    assert decision.action == "refuse"
    assert figure in "; ".join(one.figure for one in decision.failing)
    assert all(one.name in decision.sentence for one in decision.failing)


def test_a_champion_of_other_code_cannot_be_compared_and_is_not_beaten(
    judged: Any, judged_ledger: Ledger
) -> None:
    promote(judged_ledger, judged.store, "gated-1", WANTED)
    (row,) = judged_ledger.promotions("gated")
    measured = row.content["measured"]
    key = json.loads(measured["key"])
    for name, other, words in (
        ("data", "0" * 64, "other data"),
        ("without", None, "another evaluator or other code"),
        ("metric", ["loss", "minimize"], "another metric"),
    ):
        changed = {**row.content, "measured": {**measured, "key": json.dumps({**key, name: other})}}
        known = Content.of(type(row)(**{**vars(row), "content": changed})).measured
        assert known is not None
        decision = _against(judged_ledger, judged.store, changed)
        assert (
            not decision.passed
            and f"cannot be compared with version 1 (gated-1): that one was measured on {words}"
            in decision.figure
        )


def _against(ledger: Ledger, store: Store, content: dict[str, Any]) -> Any:
    """The condition `beats champion` when the ledger has another content of the champion."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(store.folder / "ledger.db")) as database, database:
        database.execute("UPDATE promotions SET content = ?", (json.dumps(content),))
    return promote(ledger, store, "gated-3", Wanted(GATE, dry=True)).conditions[0]


def test_archived_versions_are_never_brought_back(judged: Any, judged_ledger: Ledger) -> None:
    store = judged.store
    promote(judged_ledger, store, "gated-1", WANTED)
    promote(judged_ledger, store, "gated-3", WANTED)
    with pytest.raises(UserError, match="VERSION must be one that was promoted, but got 7; known: 1, 2"):
        archive(judged_ledger, store, "gated", 7)
    with pytest.raises(UserError, match=r"version 2 of gated is the champion; go back first .*--champion"):
        archive(judged_ledger, store, "gated", 2)
    archive(judged_ledger, store, "gated", 1, "old data")
    assert aliases(store) == {"champion": "2"}
    tags = make_client(store).get_model_version("gated", "1").tags
    assert "old data" in tags["automl.archived"]
    with pytest.raises(UserError, match="archived once"):
        archive(judged_ledger, store, "gated", 1)
    decision = archive(judged_ledger, store, "gated", 2, champion=True)
    assert "gated has no champion now" in decision.sentence and aliases(store) == {}
    assert models(judged_ledger, "gated").champion is None


def test_the_certificate_holds_the_record_of_the_gate(judged: Any, judged_ledger: Ledger) -> None:
    decision = promote(judged_ledger, judged.store, "gated-1", WANTED)
    path = judged.folder / "best.yaml"
    export_config(judged_ledger, "gated-1", path, store=judged.store)
    kept = read_winner(folder_of(judged.store, "gated", decision.model or "") / "winner.yaml")
    for winner in (read_winner(path), kept):
        gate = winner.certificate.gate
        assert gate is not None and gate.action == "promote"
        assert [(one.name, one.passed) for one in gate.conditions] == [
            (one.name, one.passed) for one in decision.conditions
        ]


def test_a_decision_without_its_registry_is_completed_by_the_next_command(
    judged: Any, judged_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise RunError("MLflow is away")

    monkeypatch.setattr("automl.recorder.versions.register", away)
    with pytest.raises(RunError, match="MLflow is away"):
        promote(judged_ledger, judged.store, "gated-1", WANTED)
    assert [row.done_at for row in judged_ledger.promotions("gated")] == [None]
    monkeypatch.undo()
    assert faults(judged.store, judged_ledger, "gated")
    settle(judged.store, judged_ledger, "gated")
    assert aliases(judged.store) == {"champion": "1"} and not faults(judged.store, judged_ledger, "gated")


def test_a_registry_that_somebody_changed_is_made_anew(judged: Any, judged_ledger: Ledger) -> None:
    for name in ("gated-1", "gated-3"):
        promote(judged_ledger, judged.store, name, WANTED)
    client = make_client(judged.store)
    client.set_registered_model_alias("gated", "champion", "1")
    client.set_model_version_tag("gated", "2", "automl.gate", "passed, believe me")
    assert faults(judged.store, judged_ledger, "gated") == [
        "version 2 has other tags",
        "champion is version 1, but must be version 2",
    ]
    settle(judged.store, judged_ledger, "gated", always=True)
    assert not faults(judged.store, judged_ledger, "gated")
    client.delete_registered_model("gated")
    assert len(faults(judged.store, judged_ledger, "gated")) == 4
    settle(judged.store, judged_ledger, "gated", always=True)
    assert not faults(judged.store, judged_ledger, "gated")
    assert aliases(judged.store) == {"champion": "2", "previous": "1"}


def test_a_decision_that_another_command_overtook_is_refused(judged: Any, judged_ledger: Ledger) -> None:
    from automl.ledger.promotions import Deciding

    first = Deciding("gated", "refuse", 0, {}, "ann@host", 1.0)
    assert judged_ledger.decide(first) == judged_ledger.decide(first)
    with pytest.raises(RunError, match="another command has decided in the meantime"):
        judged_ledger.decide(Deciding("gated", "refuse", 0, {}, "bob@host", 2.0))


@pytest.mark.slow
def test_smaller_is_better_where_the_metric_says_so(any_store: Store) -> None:
    folder = any_store.folder.parent
    file = write_study(folder, direction="minimize")
    prepare(any_store)
    gate = Promote(beats=["champion"], fresh_at_least=0.6)
    with open_ledger(any_store) as ledger:
        campaign(any_store, file, 0.5)
        first = promote(ledger, any_store, "gated-1", Wanted(gate))
        assert first.action == "promote" and first.conditions[1].name == "fresh at most 0.6"
        campaign(any_store, file, 0.7)
        worse = promote(ledger, any_store, "gated-2", Wanted(gate))
        assert [one.name for one in worse.failing] == ["beats champion", "fresh at most 0.6"]
        campaign(any_store, file, 0.3)
        better = promote(ledger, any_store, "gated-3", Wanted(gate))
        assert (better.action, better.version, better.previous) == ("promote", 2, 1)
        assert rollback(ledger, any_store, "gated").version == 1
        assert archive(ledger, any_store, "gated", 2).action == "archive"
        assert [row.action for row in ledger.promotions("gated")] == [
            "promote",
            "refuse",
            "promote",
            "rollback",
            "archive",
        ]
