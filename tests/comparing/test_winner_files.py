"""`automl diff`: two exported winners, in every group of their values."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from in_process import automl

from automl.comparing.winners import diff
from automl.contracts import UserError
from automl.export.signing import sign
from automl.export.winner import Winner, write_winner
from automl.ledger import Store

VALUES: dict[str, Any] = {
    "version": 1,
    "name": "weekly",
    "task": {"dataset": "digits", "metrics": [{"name": "accuracy", "direction": "maximize"}]},
    "space": {"name": "mlp", "fix": {}, "narrow": {}},
    "config": {"width": 8, "rate": 0.1},
    "genotype": None,
    "training": {"name": "network", "options": {"epochs": 3}},
    "import_path": ["/home/me"],
    "certificate": {
        "campaign": "weekly-1",
        "arm": "tpe",
        "seed": 0,
        "trial": "weekly-1/tpe/0/4",
        "selected_by": "best mean",
        "metric": "accuracy",
        "direction": "maximize",
        "budget": {"device_seconds": 5.0, "trials": None, "wall_seconds": None},
        "device_seconds": {"search": 1.0, "retraining": 1.0, "all_searches": 2.0},
        "arms": ["random", "tpe"],
        "seeds": [0, 1],
        "values": {"validation": 0.9, "fresh": [0.89], "test": [0.88]},
        "baseline_beaten": None,
        "baseline": None,
        "test_openings": 4,
        "code": {"study": None, "project": None},
        "data": "a" * 64,
    },
    "provenance": {"host": "laptop", "packages": {"torch": "2.13.0"}, "identity": {"version": "1.0"}},
}
Write = Callable[..., Path]


def changed(path: str, value: Any) -> dict[str, Any]:
    """The values with one of them replaced, named by its path."""
    values: dict[str, Any] = json.loads(json.dumps(VALUES))
    *parents, last = path.split(".")
    place = values
    for parent in parents:
        place = place[parent]
    place[last] = value
    return values


@pytest.fixture
def write(tmp_path: Path, store: Store) -> Write:
    """Writes a winner, signed by the store unless told otherwise."""

    def written(name: str, values: dict[str, Any] = VALUES, *, signed: bool = True) -> Path:
        winner = Winner.model_validate_json(json.dumps(values)).sealed()
        write_winner(sign(winner, store) if signed else winner, tmp_path / name)
        return tmp_path / name

    return written


def test_equal_files_have_no_difference(write: Write, store: Store) -> None:
    found = diff(write("1.yaml"), write("2.yaml", signed=False), store)
    assert found.equal
    assert (found.before.signed_by, found.now.signed_by) == ("this store", "nobody")
    text = "\n".join(found.lines())
    assert "signed by this store" in text
    assert "its checksum fits, which anybody can make; signed by nobody" in text
    assert text.count("the same") == 6


@pytest.mark.parametrize(
    ("path", "value", "group", "line"),
    [
        ("config.width", 16, "Configuration", "config.width: from 8 to 16"),
        ("genotype", {"op": "conv"}, "Configuration", 'genotype: from nothing to {"op": "conv"}'),
        ("training.options", {"epochs": 5}, "Protocol", "training.options.epochs: from 3 to 5"),
        ("import_path", ["/srv"], "Protocol", 'import_path: from ["/home/me"] to ["/srv"]'),
        ("certificate.values.test", [0.5], "Scores", "values.test: from [0.88] to [0.5]"),
        ("certificate.seeds", [0, 1, 2], "Seeds", "seeds: from [0, 1] to [0, 1, 2]"),
        ("certificate.data", "b" * 64, "Identity", f"data: from {'a' * 12} to {'b' * 12}"),
        ("provenance.identity", {"version": "1.1"}, "Identity", "of the campaign.version: from 1.0 to 1.1"),
        ("provenance.host", "server", "Environment", "host: from laptop to server"),
    ],
)
def test_every_value_is_in_one_group(
    write: Write, store: Store, path: str, value: Any, group: str, line: str
) -> None:
    found = diff(write("1.yaml"), write("2.yaml", changed(path, value)), store)
    assert {title: [*map(str, items)] for title, items in found.groups.items() if items} == {group: [line]}
    assert not found.equal


@pytest.mark.parametrize(
    ("path", "value", "note"),
    [
        ("certificate.metric", "loss", "other metrics and do not compare"),
        ("certificate.direction", "minimize", "other metrics and do not compare"),
        ("task.dataset", "wine", "other data or another split"),
        ("task.split", {"seed": 3}, "other data or another split"),
        ("certificate.data", "b" * 64, "the data changed"),
    ],
)
def test_scores_that_do_not_compare_are_told(
    write: Write, store: Store, path: str, value: Any, note: str
) -> None:
    found = diff(write("1.yaml"), write("2.yaml", changed(path, value)), store)
    assert len(found.notes) == 1
    assert note in found.notes[0]


def test_exit_codes_are_those_of_diff(
    write: Write, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOML_STORE", str(store.folder))
    first, second = write("1.yaml"), write("2.yaml", changed("config.width", 16))
    assert automl(monkeypatch, "diff", str(first), str(first)) == 0
    assert automl(monkeypatch, "diff", str(first), str(second)) == 1
    assert "config.width: from 8 to 16" in capsys.readouterr().out
    assert automl(monkeypatch, "diff", str(first), str(second), "--json") == 1
    data = json.loads(capsys.readouterr().out)
    assert (data["equal"], data["now"]["signed_by"]) == (False, "this store")
    text = yaml.safe_load(second.read_text())
    second.write_text(yaml.safe_dump({**text, "name": "other"}))
    assert automl(monkeypatch, "diff", str(first), str(second)) == 2
    assert "checksum" in capsys.readouterr().err
    assert automl(monkeypatch, "diff", str(first), str(first.with_name("none.yaml"))) == 2


def test_a_forged_signature_is_told(write: Write, store: Store) -> None:
    path = write("1.yaml")
    data = yaml.safe_load(path.read_text())
    data["signature"]["value"] = "0" * 64
    path.write_text(yaml.safe_dump(data))
    assert "its signature does not fit; signed by somebody without the key" in "\n".join(
        diff(path, write("2.yaml"), store).lines()
    )


def test_cut_off_files_are_refused(write: Write, store: Store) -> None:
    path = write("1.yaml")
    path.write_text(path.read_text()[:200])
    with pytest.raises(UserError, match="export it again"):
        diff(path, write("2.yaml"), store)
