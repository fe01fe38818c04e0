"""A study whose trials leave checkpoints, artifacts and models that are scored, small enough for seconds."""

from __future__ import annotations

from pathlib import Path

CODE = """
import json, os, time
from pathlib import Path

from automl.contracts import Evaluator, Result
from automl.space import Float, Space

SPACE = Space({"x": Float(-1.0, 1.0)})
HERE = Path("FOLDER")


def note(file, *words):
    with (HERE / file).open("a") as opened:
        print(*words, file=opened)


class Kept(Evaluator):
    needs_data = True
    uses_mlflow = False

    def evaluate(self, config, context):
        found = context.checkpoint.load()
        note("places", context.workdir)
        begin = found[0] + 1 if found else 1
        note("begun", "/".join(context.workdir.parts[-2:]), begin)
        for step in range(begin, 4):
            context.checkpoint.save(step, {"x": config["x"]})
            context.report(step, 1 - config["x"] ** 2 / step)
            while step == 2 and (HERE / "wait").exists():
                time.sleep(0.05)
        context.artifact("notes.json").write_text(json.dumps(config))
        if context.final:
            folder = context.workdir / "model"
            folder.mkdir()
            (folder / "config.json").write_text(json.dumps({**config, "seed": context.seed}))
        return Result({"accuracy": 1 - config["x"] ** 2})

    def score(self, model, task, data, metrics):
        return {"accuracy": 1 - json.loads((model / "config.json").read_text())["x"] ** 2}


PLUGIN = Kept
"""
STUDY = """
name: stored
task: {dataset: iris, metric: accuracy}
space: "stored_code:SPACE"
evaluator: "stored_code:PLUGIN"
budget: {trials: 3}
seeds: 1
arms: {random: {strategy: random}}
executor: %s
final: {seeds: 2}
"""


def write(folder: Path, executor: str = "local") -> Path:
    """The study file, with its code beside it."""
    (folder / "stored_code.py").write_text(CODE.replace("FOLDER", str(folder)))
    path = folder / "stored.yaml"
    path.write_text(STUDY % executor)
    return path
