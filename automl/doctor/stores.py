"""The store that the environment names: whether it is there, sound, current, ours alone, and in time."""

from __future__ import annotations

import http.client
import os
import re
import shlex
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Final

from automl.doctor.finding import Finding, problem, warning
from automl.doctor.machine import existing
from automl.ledger import Ledger, Store
from automl.ledger.files import sqlite_file
from automl.ledger.state import StoreState, look
from automl.masking import mask
from automl.private import ALONE
from automl.recorder import mlflow_marker
from automl.recorder.within import NoAnswerError, within

SKEW, MUCH_SKEW = 1.0, 30.0  # seconds between this machine's clock and the database's
ANSWER: Final = 5.0  # seconds that a tracking server may take
LOOKED_AT: Final = 20_000  # files and folders of a store
SHOWN: Final = 3  # campaigns that are named in one line


def folder(store: Store) -> Iterator[Finding]:
    """Whether the folder can be written, and who else can."""
    path = existing(store.folder)
    if not os.access(path, os.W_OK | os.X_OK):
        text = f"the store's folder {store.folder} cannot be written by this user"
        yield problem("store", text, f"chown or chmod {path}, or name another folder in AUTOML_STORE")
        return
    if path != store.folder:
        yield Finding("store", f"{store.shown}: nothing is there yet, the first `automl run` makes it")
        return
    yield Finding("store", f"{store.shown} in {store.folder}")
    yield from _modes(store.folder)


def _modes(root: Path) -> Iterator[Finding]:
    """What is open to others: a store that was made by an earlier version, or opened by hand."""
    wide = [path for path in _some(root) if _mode(path) & ALONE]
    if not wide:
        yield Finding("store", "its files and folders are for this user alone")
        return
    may = "write" if any(_mode(path) & 0o022 for path in wide) else "read"
    named = ", ".join(f"{path} (mode {_mode(path):o})" for path in wide[:SHOWN])
    more = f" and {len(wide) - SHOWN} more" if len(wide) > SHOWN else ""
    text = f"others on this machine may {may} {named}{more}"
    advice = f"chmod -R go= {shlex.quote(str(root))}; a team shares a PostgreSQL store or a tracking server"
    yield warning("store", text, advice)


def _some(root: Path) -> Iterator[Path]:
    """A folder and what is in it, links left out, up to a number."""
    yield root
    found = (Path(top, name) for top, folders, files in os.walk(root) for name in (*folders, *files))
    yield from islice((path for path in found if not path.is_symlink()), LOOKED_AT)


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.lstat().st_mode)
    except OSError:  # it is gone
        return 0


def ledger(store: Store) -> Iterator[Finding]:
    """Whether the database answers, is sound, and has this version's tables; how far its clock is off."""
    state = look(store)
    if state.damage:
        text = f"the ledger {store.shown} is damaged: {state.damage}"
        yield problem("ledger", text, "stop what uses it, and restore a backup (mlflow/restore.sh)")
        return
    yield from _revision(store, state)
    if abs(state.skew) > SKEW:
        text = f"the database's clock is {state.skew:+.1f} s from this machine's"
        make = problem if abs(state.skew) > MUCH_SKEW else warning
        yield make("clock", text, "let both follow a time server (timedatectl set-ntp true)")
    elif not store.url.startswith("sqlite"):
        yield Finding("clock", f"the database's clock is {abs(state.skew):.1f} s from this machine's")
    if state.is_current:
        yield from _campaigns(store)


def _revision(store: Store, state: StoreState) -> Iterator[Finding]:
    if state.revision is None:
        yield Finding("ledger", f"{state.server}: no tables yet, the first `automl run` makes them")
    elif state.is_current:
        yield Finding("ledger", f"{state.server}, tables of revision {state.revision}, as this version needs")
    elif state.is_older:
        text = f"the tables are older ({state.revision}) than this version"
        yield warning("ledger", text, "stop what uses the store, then run: automl db upgrade")
    else:
        text = f"the tables are of revision {state.revision}, which only a newer version knows"
        yield problem("ledger", text, "install that version, or name another store in AUTOML_STORE")


def _campaigns(store: Store) -> Iterator[Finding]:
    with Ledger(store) as opened:
        opened.check_references()
        status = {row.id: opened.status(row) for row in opened.campaigns()}
        yield from _sources(opened, {name for name, word in status.items() if word == "interrupted"})
    by_status = {word: [name for name in status if status[name] == word] for word in set(status.values())}
    counts = ", ".join(f"{len(names)} {word}" for word, names in sorted(by_status.items()))
    yield Finding("campaigns", counts or "none yet")
    if waiting := by_status.get("interrupted", []):
        named = f"{', '.join(waiting[:SHOWN])}{' …' if len(waiting) > SHOWN else ''}"
        yield warning(
            "campaigns", f"interrupted: {named}", "automl run STUDY continues the latest of a study"
        )


def _sources(opened: Ledger, waiting: set[str]) -> Iterator[Finding]:
    """What is to run again, and whose study cannot be read."""
    places = {f"the schedule of {row.study}": Path(row.file) for row in opened.schedules() if not row.paused}
    for row in opened.campaigns():
        if row.id in waiting and "source" in row.spec:
            places[f"the interrupted {row.id}"] = Path(row.spec["source"])
    for what, path in places.items():
        if not os.access(path, os.R_OK):
            why = "cannot be read by this user" if path.exists() else "is not there"
            text = f"{what} needs {path}, which {why}"
            advice = "bring it back or chmod it; a schedule is changed by automl schedule add or remove"
            yield warning("campaigns", text, advice)


def mlflow(store: Store) -> Iterator[Finding]:
    """Whether MLflow's side is there, and by which way it is written."""
    try:
        version = metadata.version("mlflow")
    except metadata.PackageNotFoundError:
        yield problem("mlflow", "MLflow is not installed", "pip install mlflow, see the packages above")
        return
    if not mlflow_marker.is_sql(store):
        yield from _server(store.tracking_uri)
        return
    found, file, ours = (
        mlflow_marker.condition(store),
        sqlite_file(store.tracking_uri),
        sqlite_file(store.url),
    )
    if ours is not None and not ours.exists():
        yield Finding("mlflow", f"MLflow {version}")
    elif found.broken or found.away:
        text, _, advice = (found.broken or found.away).rpartition("; ")
        yield problem("mlflow", text, advice)
    elif found.absent and file is not None:
        text = f"{file.name} is gone, while the ledger is there"
        yield problem("mlflow", text, "automl audit STUDY --repair writes its runs again")
    elif not mlflow_marker.accepted(store, found.revision):
        text = f"the tables are not known to be those of MLflow {version}"
        yield warning(
            "mlflow", text, "the next `automl run` looks at them; older ones need: automl db upgrade"
        )
    else:
        yield Finding("mlflow", f"MLflow {version}, its tables are there")
    if version not in mlflow_marker.VERIFIED:
        known = ", ".join(sorted(mlflow_marker.VERIFIED))
        text = f"direct writing is not verified for MLflow {version} (but for {known}): its client is used"
        yield warning("mlflow", text, f"pip install mlflow=={known} records many times faster")


def _server(address: str) -> Iterator[Finding]:
    shown = mask(address)
    try:
        theirs = within(2 * ANSWER, lambda: _version_of(address))
    except urllib.error.HTTPError as error:
        error.close()
        advice = "check MLFLOW_TRACKING_USERNAME and _PASSWORD" if error.code in (401, 403) else "see its log"
        yield problem("mlflow", f"the tracking server {shown} answers {error.code}", advice)
    except (OSError, ValueError, NoAnswerError, http.client.HTTPException) as error:
        text = f"the tracking server {shown} does not answer: {error or type(error).__name__}"
        yield problem("mlflow", text, "start it (mlflow/serve.sh), or correct MLFLOW_TRACKING_URI")
    else:
        if not re.fullmatch(r"\d+(\.\w+)+", theirs):
            text = f"the tracking server {shown} answers, but not as MLflow does: {theirs[:40]!r}"
            yield problem("mlflow", text, "correct MLFLOW_TRACKING_URI, or what is between (a proxy)")
            return
        yield Finding("mlflow", f"the tracking server {shown} answers, MLflow {theirs}")
        if theirs.split(".")[:1] != metadata.version("mlflow").split(".")[:1]:
            text = f"the server has MLflow {theirs}, this machine {metadata.version('mlflow')}"
            yield warning("mlflow", text, "install the same major version on both")


def _version_of(address: str) -> str:
    with urllib.request.urlopen(f"{address.rstrip('/')}/version", timeout=ANSWER) as answer:
        return str(answer.read(100).decode(errors="replace").strip())


def places(store: Store) -> dict[str, Path]:
    """Where a campaign with this store writes on this machine's disks."""
    local = {} if "://" in store.artifacts else {"artifacts": Path(store.artifacts)}
    return {"the store": store.folder, **local}
