"""The README's recipe for a cluster, word by word, on machines that share no folder."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from doc_pages import ROOT, read_page
from machines import Machine, Machines, marks

pytestmark = marks()
PAGE = read_page(ROOT / "README.md")
SMALL = "--num-cpus=1"  # the one word that is added to Ray's: three machines share the processors of this one


class Recipe:
    """The lines of the block, as they read on one of the machines."""

    def __init__(self, machines: Machines, first: Machine) -> None:
        (block,) = [block for block in PAGE.blocks if "ray start --head" in block.text]
        self.lines = [line.partition("  #")[0].strip() for line in block.text.splitlines()]
        self.machines, self.first = machines, first

    def variables(self) -> dict[str, str]:
        """What the lines with `export` set; secret and database are the user's to choose."""
        named = dict(
            re.findall(r"(\w+)=(\S+)", " ".join(one for one in self.lines if one.startswith("export")))
        )
        assert named["RAY_AUTH_TOKEN"] == "…" and named["AUTOML_STORE"].startswith("postgresql://")
        return {**named, "RAY_AUTH_TOKEN": self.machines.token, "AUTOML_STORE": self.machines.database()}

    def line(self, start: str, machine: Machine) -> str:
        """The line that begins so."""
        (line,) = [one for one in self.lines if one.startswith(start)]
        text = re.sub(r"\bFIRST\b", self.first.address, line)
        return re.sub(r"\bOWN\b", machine.address, text)


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[Recipe, list[Machine]]]:
    """Three machines with Ray as the README says; only the first one has this package."""
    with Machines() as machines:
        all_ = [machines.add("first"), *(machines.add(name, packaged=False) for name in ("second", "third"))]
        recipe = Recipe(machines, all_[0])
        for machine in all_:
            machine.environ = recipe.variables()
        starts = ["ray start --head", "ray start --address", "ray start --address"]
        for machine, start in zip(all_, starts, strict=True):
            done = machine.shell(f"{recipe.line(start, machine)} {SMALL}")
            assert done.returncode == 0, done.stdout + done.stderr
        for block in PAGE.blocks:
            if block.file in ("my_space.py", "my_code.py", "mine.yaml"):
                all_[0].write({f"work/{block.file}": block.text})
        yield recipe, all_


def report(machine: Machine) -> dict[str, Any]:
    done = machine.run(["automl", "report", "mine", "--json"])
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_study_of_ones_own_runs_over_the_cluster(cluster: tuple[Recipe, list[Machine]]) -> None:
    recipe, (first, *_) = cluster
    done = first.shell(f"cd work && {recipe.line('automl run', first)} --progress log")
    assert done.returncode == 0, done.stderr
    nodes = sorted(line.partition(":")[0] for line in done.stderr.splitlines() if line.startswith("node "))
    assert nodes == ["node first (10.77.0.1)", "node second (10.77.0.2)", "node third (10.77.0.3)"]
    arms = report(first)["arms"]
    assert {name: len(searches) for name, searches in arms.items()} == {"random": 3, "tpe": 3}
    counts = [search["trials"] for searches in arms.values() for search in searches]
    assert all(one["failed"] == 0 and sum(one.values()) == 60 for one in counts)
    audit = first.run(["automl", "audit", "mine"])
    assert audit.returncode == 0, audit.stdout + audit.stderr


@pytest.mark.skipif(not importlib.util.find_spec("aiohttp_cors"), reason="the extra submit is not installed")
def test_a_laptop_submits_it_and_it_is_the_same_campaign(cluster: tuple[Recipe, list[Machine]]) -> None:
    recipe, (first, *_) = cluster
    laptop = recipe.machines.add("laptop")  # it is no node, and has the cluster's token alone
    for name in ("my_space.py", "my_code.py", "mine.yaml"):
        laptop.write({f"work/{name}": first.path(f"work/{name}").read_text()})
    done = laptop.shell(f"cd work && {recipe.line('automl submit', laptop)}")
    assert done.returncode == 0, done.stderr
    address = ["--address", f"http://{first.address}:8265"]
    logs = laptop.run(["automl", "submit", "--logs", done.stdout.strip(), *address])
    assert logs.returncode == 0, logs.stdout + logs.stderr
    assert "mine-1 is complete: it has all that is asked for" in logs.stdout
