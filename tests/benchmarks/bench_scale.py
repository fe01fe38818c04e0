"""What a campaign of very many trials costs beside its trials: seconds, processor seconds, peak memory.

    python tests/benchmarks/bench_scale.py [--trials 100000] [--points 10] [--record searches] [--postgres]
                                           [--folder FOLDER] [--only report audit …]

Writes the campaign into a ledger at once, then runs each command in a process of its own, as a user would:

- `rebuild`: the searches of the interrupted campaign from the ledger, all that a restart does before a trial
- `continue`: `automl run`, two trials short of the end of each search, and its recording into MLflow
- `again`: the same command when everything is there

Prints Markdown. Run it alone on a machine.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from large_campaign import Size, fill, write_study  # noqa: E402 - beside the folders above

from automl.ledger import resolve_store  # noqa: E402
from automl.storage import open_ledger  # noqa: E402

AUTOML = str(Path(sys.executable).with_name("automl"))
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


def commands(folder: Path, file: Path) -> Iterator[tuple[str, list[str]]]:
    """By name, in an order in which each finds what it needs."""
    yield "rebuild", [sys.executable, str(Path(__file__).with_name("large_campaign.py")), str(file)]
    for name, arguments in _of_users(folder, file):
        yield name, [AUTOML, *arguments]


def _of_users(folder: Path, file: Path) -> Iterator[tuple[str, list[str]]]:
    yield "continue", ["run", str(file)]
    yield "again", ["run", str(file)]
    yield "report", ["report", "large"]
    yield "report --json", ["report", "large", "--json"]
    yield "report --html", ["report", "large", "--html", str(folder / "report.html")]
    yield "audit", ["audit", "large"]
    yield "leaderboard", ["leaderboard", "large"]
    yield "watch", ["watch", "large"]
    yield "export", ["export", "large", "-o", str(folder / "best.yaml")]


def measured(arguments: list[str], environ: Mapping[str, str], output: Path) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak MiB of a command. Raises `SystemExit` when it fails."""
    with output.open("wb") as file:
        began = time.monotonic()
        pid = os.posix_spawn(
            arguments[0],
            arguments,
            dict(environ),
            file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), 1), (os.POSIX_SPAWN_DUP2, file.fileno(), 2)],
        )
        _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{output.read_text()[-2000:]}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--points", type=int, default=10)
    parser.add_argument("--record", choices=("trials", "searches"), default="trials")
    parser.add_argument("--pruner", default="")
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--folder", type=Path, help="kept, and used again where it is there")
    parser.add_argument("--only", nargs="+")
    given = parser.parse_args()
    size = Size(given.trials, given.points, record=given.record, pruner=given.pruner)
    with ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environ = {**os.environ, **QUIET, "AUTOML_STORE": str(folder / "store")}
        if given.postgres:
            from postgres_server import PostgresServer

            url = stack.enter_context(PostgresServer()).url
            environ |= {"AUTOML_STORE": url, "AUTOML_FOLDER": str(folder / "store")}
        fresh = given.postgres or not (folder / "large.yaml").exists()
        file = write_study(folder, size)
        if fresh:
            began = time.monotonic()
            with open_ledger(resolve_store(environ)) as ledger:
                fill(ledger, file, size, finished=False)
            sys.stdout.write(f"written in {time.monotonic() - began:.0f} s\n\n")
        file = write_study(folder, size, more=2)
        sys.stdout.write("| command | s | processor s | peak MiB |\n|---|---|---|---|\n")
        for name, arguments in commands(folder, file):
            if given.only is None or name in given.only:
                wall, cpu, peak = measured(arguments, environ, folder / f"{name}.txt")
                sys.stdout.write(f"| `{name}` | {wall:.1f} | {cpu:.1f} | {peak:.0f} |\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
