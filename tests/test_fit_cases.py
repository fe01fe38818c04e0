"""Tables as people have them, through fit and predict: each has gone wrong somewhere once."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from automl.cli.commands import app
from automl.contracts import UserError
from automl.ledger import Store

ROWS = 120
RNG = np.random.default_rng(0)
X1, X2 = RNG.normal(size=(2, ROWS)).round(4)
Y = (X1 + 0.3 * RNG.normal(size=ROWS) > 0).astype(int)
WHO = np.repeat(np.arange(24), 5)
LABEL = RNG.integers(0, 2, 24)[WHO]
WHERE = (RNG.normal(size=(24, 2))[WHO] + 0.01 * RNG.normal(size=(ROWS, 2))).round(4)
SORTED = np.argsort(Y, kind="stable")
QUICK = (
    "space={name: tabular, fix: {model: extra_trees, forest_trees: 50, forest_leaf: 1}}",
    "evaluator={pipeline: {folds: 3}}",
    "executor=local",
    "budget={trials: 1}",
)


def typed(*words: str) -> Result:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def fit(*words: str) -> Result:
    given = [word for key in QUICK for word in ("--set", key)]
    return typed("fit", "data.csv", "--progress", "quiet", *words, *given)


def predicted() -> list[str]:
    typed("predict", "data", "new.csv", "-o", "found.csv")
    with Path("found.csv").open(encoding="utf-8") as stream:
        return [row["prediction"] for row in csv.DictReader(stream)]


@pytest.fixture(autouse=True)
def folder(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOML_STORE", str(store.folder))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclass(frozen=True)
class Case:
    """A table by its header and rows; `new`: rows to predict; `right`: what they must get, of `features`."""

    header: str
    line: Callable[[int], str]
    new: str
    right: list[str]
    features: str
    target: str = "y"


CASES = {
    "an index that a data frame wrote is no feature": Case(
        ",x2,x1,y", lambda i: f"{i},{X2[SORTED[i]]},{X1[SORTED[i]]},{Y[SORTED[i]]}",
        "x1,x2\n2,0\n-2,0\n", ["1", "0"], "x2, x1",
    ),
    "a class called NA is a class": Case(
        "x1,x2,y", lambda i: f"{X1[i]},{X2[i]},{['US', 'NA'][Y[i]]}",
        "x1,x2\n2,0\n-2,0\n", ["NA", "US"], "x1, x2",
    ),
    "marks between thousands are read": Case(
        "x1,x2,y", lambda i: f'"{int((X1[i] + 10) * 10_000):,}",{X2[i]},{Y[i]}',
        'x1,x2\n"120,000",0\n"80,000",0\n', ["1", "0"], "x1, x2",
    ),
    "months are learnt from dates": Case(
        "when,x2,y", lambda i: f"2024-{1 + i % 12:02}-{1 + i % 28:02},{X2[i]},{int(i % 12 > 5)}",
        "when,x2\n2024-11-03,0\n2024-02-17,0\n", ["1", "0"], "when, x2",
    ),
    "a separator at the end of rows moves no column": Case(
        "x1,label,flag", lambda i: f"{X1[i]},{Y[i]},{int(X2[i] > 0)},",
        "x1,flag\n2,0\n-2,1\n", ["1", "0"], "x1, flag", "label",
    ),
    "semicolons and decimal commas are found": Case(
        "x1;x2;y", lambda i: f"{X1[i]};{X2[i]};{Y[i]}".replace(".", ","),
        "x1;x2\n2,0;0,1\n-2,0;0,1\n", ["1", "0"], "x1, x2",
    ),
    "blanks make no class": Case(
        "x1,x2,y", lambda i: f"{X1[i]},{X2[i]},{[' yes', 'yes'][i % 2] if Y[i] else 'no'}",
        "x1,x2\n2,0\n-2,0\n", ["yes", "no"], "x1, x2",
    ),
    "columns come in any order, beside others": Case(
        "x1,x2,y", lambda i: f"{X1[i]},{X2[i]},{Y[i]}",
        "y,other,x2,x1\n,a,0,2\n,b,0,-2\n", ["1", "0"], "x1, x2",
    ),
}  # fmt: skip


def write(case: Case) -> None:
    lines = [case.header, *(case.line(row) for row in range(ROWS))]
    Path("data.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    Path("new.csv").write_text(case.new, encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_table_gets_the_right_predictions(case: Case) -> None:
    write(case)
    done = fit("--target", case.target)
    assert f"features: {case.features}\n" in done.stderr
    assert f"{case.target}: 2 classes" in done.stderr
    assert predicted() == case.right


def test_a_target_that_is_there_twice_is_refused() -> None:
    write(Case("x1,y,x2,y", lambda i: f"{X1[i]},{Y[i]},{X2[i]},{Y[i]}", "", [], ""))
    with pytest.raises(UserError, match=r"data.csv has 'y' more than once"):
        fit("--target", "y")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--target", "Y"), r"no 'Y'; its columns, the most similar first: y"),
        (("--target", "y"), r"'rare' \(1 row\).*task\.split\.rare"),
        (
            ("--target", "x1", "--metric", "accuracy"),
            r"accuracy needs classes, but the target .* holds numbers",
        ),
    ],
    ids=["no such column", "a class of one row", "a metric of classes"],
)
def test_what_is_wrong_is_said_before_anything_runs(
    store: Store, words: tuple[str, ...], message: str
) -> None:
    write(Case("x1,x2,y", lambda i: f"{X1[i]},{X2[i]},{'rare' if i == 5 else Y[i]}", "", [], ""))
    with pytest.raises(UserError, match=message):
        fit(*words)
    assert not (store.folder / "work").exists()


@pytest.mark.slow
def test_a_rare_class_may_be_dropped_as_the_message_says() -> None:
    write(Case("x1,x2,y", lambda i: f"{X1[i]},{X2[i]},{'rare' if i == 5 else Y[i]}", "x1,x2\n2,0\n", [], ""))
    fit("--target", "y", "--set", "task.split.rare=drop")
    assert predicted() == ["1"]


@pytest.mark.slow
def test_groups_stay_whole_and_are_no_feature() -> None:
    write(
        Case(
            "patient,x1,x2,y",
            lambda i: f"p{WHO[i]:02},{WHERE[i, 0]},{WHERE[i, 1]},{LABEL[i]}",
            "x1,x2\n0.1,0.2\n",
            [],
            "",
        )
    )
    leaking = fit("--target", "y", "--name", "leaking", "--set", "task.columns.drop=[patient]")
    apart = fit("--target", "y", "--group", "patient", "--name", "data")
    assert "features: x1, x2\n" in apart.stderr
    shares = [
        float(done.stdout.split("validation: accuracy, % ")[1].split(",")[0]) for done in (leaking, apart)
    ]
    assert shares[0] > 85 > 75 > shares[1]  # rows of one patient say nothing of another one's label
    assert predicted()[0] in ("0", "1")


@pytest.mark.parametrize("name", ["photos", "arrays.npz"])
def test_images_are_sent_to_a_study(folder: Path, name: str) -> None:
    (folder / name).mkdir() if name == "photos" else (folder / name).write_bytes(b"PK")
    with pytest.raises(UserError, match=rf"automl fit needs a table .*{name}.*automl init {name}"):
        typed("fit", name)


@pytest.mark.slow
def test_dates_texts_gaps_an_id_and_a_group_in_one_table() -> None:
    """A word of the text decides; nothing else does."""
    rng = np.random.default_rng(1)
    words = [f"word{number}" for number in range(80)]
    lines = ["id,shop,sold,said,size,y"]
    for row in range(240):
        month, good = 1 + row % 12, bool(rng.integers(0, 2))
        said = " ".join([*rng.choice(words, 4), "splendid" if good else "dreadful", *rng.choice(words, 2)])
        size = "" if row % 9 == 0 else f"{rng.normal():.3f}"
        cells = (f"s{row % 24}", f"2024-{month:02}-{1 + row % 28:02}", said if row % 50 else "", size)
        lines.append(",".join([f"o-{row}", *cells, "yes" if good else "no"]))
    Path("data.csv").write_text("\n".join(lines) + "\n")
    Path("new.csv").write_text(
        "said,sold,size,id\nword1 word2 splendid word3,2024-03-01,,n1\nword9 dreadful word5,2024-03-01,1,n2\n"
        ",,,n3\n"
    )
    done = fit("--target", "y", "--group", "shop")
    assert "features: sold, said, size\n" in done.stderr
    with pytest.MonkeyPatch.context() as few:
        few.setattr("automl.export.predicting.ROWS", 2)
        assert predicted()[:2] == ["yes", "no"] and len(predicted()) == 3
    assert "extra_trees" in typed("leaderboard", "data", "--models").stdout
    shown = typed("explain", "data", "--repeats", "3", "--json")
    columns = json.loads(shown.stdout)["columns"]
    assert columns[0]["column"] == "said" and columns[0]["matters"]
