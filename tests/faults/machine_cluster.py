"""A Ray cluster of machines that share no folder, and what their ledger says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from machines import Machine, Machines


class Cluster:
    """A head without CPUs, and nodes with one each, of which the first lacks this package.

    `environ`: variables that every machine has before Ray starts there.
    """

    def __init__(self, machines: Machines, environ: Mapping[str, str] | None = None) -> None:
        self._machines, self._environ = machines, {**(environ or {}), "AUTOML_STORE": machines.database()}
        self.head = self._machine("head")
        self.nodes: list[Machine] = []
        machines.ray_head(self.head, cpus=0)
        self.join("one", packaged=False)
        self.join("two")

    def join(self, name: str, *, packaged: bool = True) -> Machine:
        """One more node."""
        node = self._machine(name, packaged=packaged)
        self.nodes.append(node)
        self._machines.ray_node(node, self.head)
        return node

    def _machine(self, name: str, *, packaged: bool = True) -> Machine:
        machine = self._machines.add(name, packaged=packaged)
        machine.environ |= self._environ
        return machine

    def ask(self, question: str) -> list[Any]:
        """What the ledger answers."""
        program = (
            "import json, psycopg, sys; asked = psycopg.connect(sys.argv[1]).execute(sys.argv[2]); "
            "print(json.dumps(asked.fetchall(), default=str))"
        )
        done = self.head.run(["python", "-c", program, self._machines.database(), question])
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))

    def audit(self, name: str) -> dict[str, Any]:
        """What a clean audit has counted."""
        done = self.head.run(["automl", "audit", name, "--json"])
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(json.loads(done.stdout))
