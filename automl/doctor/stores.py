"""The store that the environment names: whether it is there, sound, current, ours alone, and in time."""

from __future__ import annotations

import http.client
import os
import re
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from automl.doctor.finding import Finding, problem, warning
from automl.doctor.machine import existing
from automl.ledger import Ledger, Store
from automl.ledger.files import sqlite_file
from automl.ledger.state import StoreState, look
from automl.masking import mask
from automl.recorder import mlflow_marker
from automl.recorder.within import NoAnswerError, within

SKEW, MUCH_SKEW = 1.0, 30.0  # seconds between this machine's clock and the database's
ANSWER: Final = 5.0  # seconds that a tracking server may take
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
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        may = "write into" if mode & 0o022 else "read"
        text = f"others on this machine may {may} {path} (mode {mode:o})"
        yield warning("store", text, f"chmod 700 {path}, or 770 for a group that shares it")


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
        status = {row.id: opened.status(row) for row in opened.campaigns()}
    by_status = {word: [name for name in status if status[name] == word] for word in set(status.values())}
    counts = ", ".join(f"{len(names)} {word}" for word, names in sorted(by_status.items()))
    yield Finding("campaigns", counts or "none yet")
    if waiting := by_status.get("interrupted", []):
        named = f"{', '.join(waiting[:SHOWN])}{' …' if len(waiting) > SHOWN else ''}"
        yield warning(
            "campaigns", f"interrupted: {named}", "automl run STUDY continues the latest of a study"
        )


def mlflow(store: Store) -> Iterator[Finding]:
    """Whether MLflow's side is there, and by which way it is written."""
    version = metadata.version("mlflow")
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
