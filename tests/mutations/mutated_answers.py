"""Answers of MLflow's tracking server, mutated between the real server and the program.

Whatever a server says: a command that ends with 0 has left MLflow right, or says that it has not.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any, NamedTuple, Self

from endings import Case, Ending, Played, call
from stored_campaigns import Stored
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Response

from automl.recorder import Recorder
from automl.recorder.environment import SETTINGS

Change = Callable[[int, bytes, random.Random], tuple[int, bytes]]
STATUSES = [204, 301, 400, 401, 403, 404, 405, 409, 418, 429, 500, 501, 502, 503, 504]
TEXTS = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"17",
    b'"ok"',
    b"<html><body>Bad gateway</body></html>",
    b"\xff\xfe\x00",
    b"[" * 50_000,
    b'{"runs": {}}',
    b'{"error_code": 7}',
    b'{"error_code": "NO_SUCH_CODE", "message": null}',
    b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"}',
    b'{"error_code": "RESOURCE_ALREADY_EXISTS", "message": "yes"}',
    b"x" * 2_000_000,
]
JUNK: list[Any] = [None, 0, -1, 1e400, "", "x", "é" * 5000, [], {}, [None], {"a": []}, True, 2**70]


def status(_code: int, body: bytes, rng: random.Random) -> tuple[int, bytes]:
    """Another status, with the body or a page of a proxy."""
    return rng.choice(STATUSES), rng.choice([body, b"", TEXTS[6]])


def text(code: int, _body: bytes, rng: random.Random) -> tuple[int, bytes]:
    """Another body."""
    return code, rng.choice(TEXTS)


def cut(code: int, body: bytes, rng: random.Random) -> tuple[int, bytes]:
    """The beginning of the body."""
    return code, body[: rng.randrange(len(body) + 1)]


def value(code: int, body: bytes, rng: random.Random) -> tuple[int, bytes]:
    """A value somewhere in the JSON becomes junk, or is missing."""
    data = _parsed(body)
    known = list(places(data))
    if known:
        owner, key = rng.choice(known)
        if rng.random() < 0.4:
            del owner[key]
        else:
            owner[key] = rng.choice(JUNK)
    return code, json.dumps(data).encode()


def identity(code: int, body: bytes, rng: random.Random) -> tuple[int, bytes]:
    """Ids and names become others."""
    data = _parsed(body)
    names = [(owner, key) for owner, key in places(data) if isinstance(owner[key], str) and owner[key]]
    names = [place for place in names if str(place[1]).endswith(("id", "uuid", "name", "stage", "key"))]
    if names:
        owner, key = rng.choice(names)
        owner[key] = rng.choice(["0", "1", "f" * 32, owner[key][::-1], f"{owner[key]}x"])
    return code, json.dumps(data).encode()


CHANGES: list[Change] = [status, text, cut, value, value, identity]


def places(data: Any) -> Iterable[tuple[Any, Any]]:
    """Every dictionary or list with each of its keys, at all depths."""
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, inner in list(entries):
        yield data, key
        yield from places(inner)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}")
    except ValueError:  # a page of the server itself
        return {}


class Plan(NamedTuple):
    """Which answers change: those from `first` to `last`, counted from 1, to paths with `part`."""

    change: Change
    first: int
    last: int
    part: str
    seed: int


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Say nothing."""


class Server:
    """MLflow's server in this process, on the file of a stored campaign, with a plan for its answers."""

    def __init__(self, stored: Stored) -> None:
        file = f"sqlite:///{stored.home / 'store/mlflow.db'}"
        os.environ.update(_MLFLOW_SERVER_FILE_STORE=file, _MLFLOW_SERVER_REGISTRY_STORE=file)
        os.environ.update(_MLFLOW_SERVER_ARTIFACT_ROOT=str(stored.home / "store/artifacts"))
        from mlflow.server import app  # reads the environment

        self._app, self._count = app.wsgi_app, 0
        self.plan: Plan | None = None
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def _answer(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        parts, code, headers = run_wsgi_app(self._app, environ, buffered=True)
        status_code, body = int(code.split()[0]), b"".join(parts)
        plan = self.plan
        if plan is not None and plan.part in environ["PATH_INFO"]:
            self._count += 1
            if plan.first <= self._count <= plan.last:
                rng = random.Random(plan.seed + self._count)
                status_code, body = plan.change(status_code, body, rng)
        answer = Response(body, status_code, content_type=headers.get("Content-Type"))
        return answer(environ, start)

    def use(self, plan: Plan | None) -> None:
        """Change answers by this plan from now on."""
        self.plan, self._count = plan, 0
        os.environ["MLFLOW_TRACKING_URI"] = self.url  # the server's own code sets another one

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        os.environ.pop("MLFLOW_TRACKING_URI", None)


PATHS = [
    "",
    "",
    "",
    "get-by-name",
    "experiments/get",
    "runs/search",
    "runs/create",
    "log-batch",
    "runs/update",
]
COMMANDS = [["audit", "cut"], ["audit", "cut", "--repair"], ["run", "cut.yaml", "--progress", "quiet"]]
TOLD = "automl audit cut --repair"


class MutatedAnswers:
    """Tries plans on a stored campaign: its records are right, or one run of a trial is in MLflow's trash."""

    def __init__(self, stored: Stored, server: Server) -> None:
        self._stored, self._server = stored, server
        os.environ.update(SETTINGS)  # which the tests' own clean environment lacks: no retries inside a call
        Recorder.drain.__defaults__ = (1.0, 60.0)  # seconds until a campaign ends without its records
        server.use(None)
        self._call(COMMANDS[0])  # the first call imports

    def case(self, seed: int) -> Case:
        """See `Mutator.case`."""
        rng = random.Random(seed)
        words = rng.choice([*COMMANDS[:2], *COMMANDS])
        first = rng.choice([1, 1, 2, 3, rng.randint(1, 30)])
        return {
            "change": rng.choice(CHANGES).__name__,
            "first": first,
            "last": rng.choice([first, first, first + 1, 10**6]),
            "part": rng.choice(PATHS),
            "seed": seed,
            "lost": words[0] == "audit" and rng.random() < 0.5,
            "words": words,
        }

    def play(self, case: Case) -> Played:
        """See `Mutator.play`; after a success it asks for the truth."""
        if case["lost"]:
            self._lose_a_run()
        changes = {change.__name__: change for change in CHANGES}
        self._server.use(Plan(changes[case["change"]], *(case[key] for key in Plan._fields[1:])))
        ending = self._call(case["words"])
        self._server.use(None)
        fault = ""
        if ending.code == 0:
            truth = self._call(COMMANDS[0])
            if truth.code != 0 and TOLD not in ending.errors:
                fault = f"said success, but the truth is: {truth.output.strip()[:300]}"
        self._stored.restore()
        return Played([ending], fault)

    def _call(self, words: list[str]) -> Ending:
        home = self._stored.home
        return call(*(str(home / word) if word.endswith(".yaml") else word for word in words))

    def _lose_a_run(self) -> None:
        with closing(sqlite3.connect(self._stored.home / "store/mlflow.db", timeout=60)) as opened, opened:
            chosen = "SELECT run_uuid FROM tags WHERE key = 'automl.id' AND value = 'cut-1/random/0/1'"
            opened.execute(f"UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid IN ({chosen})")
