"""A study of an objective of one's own whose quality a file says, and its campaigns."""

from __future__ import annotations

from pathlib import Path

from automl.campaign import Wanted, run_campaign
from automl.config import Study, load_study
from automl.ledger import Store
from automl.progress import QuietProgress

CODE = '''
import json
from pathlib import Path

def score(config, context):
    """Better near x = 1; each training has its own noise; the model is the configuration."""
    quality = float((Path(__file__).parent / "quality.txt").read_text())
    noise = (context.seed % 1000) / 1e5
    if context.final:
        folder = context.workdir / "model"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config))
    return {"gain": quality + config["x"] / 10 + noise, "parameters": 1000.0}
'''
STUDY = """
name: gated
task: {metrics: {gain: maximize, parameters: minimize}}
space: "graded_code:SPACE"
evaluator: {function: {call: "graded_code:score"}}
budget: {trials: 4}
seeds: 3
final: {seeds: 4}
arms: {worst: {strategy: "graded_code:Worst"}}
"""
SPACE = """
from automl.space import Float, Space

SPACE = Space({"x": Float(0, 1)})
"""


def write_study(folder: Path, promote: str = "", *, direction: str = "maximize") -> Path:
    """The file of the study, whose key `promote` has that text, and its code."""
    (folder / "graded_code.py").write_text(CODE + SPACE)
    text = STUDY.replace('arms: {worst: {strategy: "graded_code:Worst"}}\n', "arms: {tpe: {strategy: tpe}}\n")
    text = text.replace("gain: maximize", f"gain: {direction}")
    path = folder / "gated.yaml"
    path.write_text(text + (f"promote: {promote}\n" if promote else ""))
    (folder / "quality.txt").write_text("0.5")
    return path


def campaign(store: Store, path: Path, quality: float, *, fresh: bool = True) -> tuple[Study, str]:
    """Run a new campaign of the study with models that are so good."""
    (path.parent / "quality.txt").write_text(str(quality))
    study = load_study(path)
    return study, run_campaign(study, store=store, wanted=Wanted(fresh=fresh), progress=QuietProgress())
