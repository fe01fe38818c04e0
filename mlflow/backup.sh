#!/bin/sh
# Saves the store: `mlflow/backup.sh FOLDER` writes FOLDER/<UTC time>/ and its name to standard output.
#
# Both databases are copied as of one moment while campaigns run (PostgreSQL: one dump; SQLite: its online backup,
# the ledger first, which the records can be rebuilt from). Artifacts and local files are copied after them, so
# what a database names is there. A backup counts once it has its final name; until then it ends in `.partial`.
set -eu
umask 077
if [ $# -ne 1 ]; then
    echo "usage: mlflow/backup.sh FOLDER" >&2
    exit 2
fi
. "$(dirname "$0")/store.sh"

target="$1/$(date -u +%Y-%m-%dT%H%M%SZ)"
partial="$target.partial"
mkdir -p "$1"
mkdir "$partial"

if [ "$AUTOML_KIND" = postgresql ]; then
    pg_dump --format=custom --no-owner --file="$partial/store.dump" \
        --schema=automl --schema=mlflow --schema='mlflow_auth*'
else
    for name in ledger mlflow accounts; do
        if [ ! -f "$AUTOML_WORK/$name.db" ]; then continue; fi
        "$PYTHON" - "$AUTOML_WORK/$name.db" "$partial/$name.db" <<'PYTHON_CODE'
import sqlite3
import sys

source, target = (sqlite3.connect(path) for path in sys.argv[1:])
source.backup(target)
target.execute("PRAGMA journal_mode=DELETE")
if target.execute("PRAGMA integrity_check").fetchone() != ("ok",):
    sys.exit(f"{sys.argv[1]} is damaged: restore it from an older backup")
PYTHON_CODE
    done
fi

if [ -d "$AUTOML_WORK" ]; then
    tar -C "$AUTOML_WORK" --exclude='./*.db' --exclude='./*.db-*' --exclude='./artifacts' \
        --exclude='./accounts.ini' --exclude='checkpoints' -czf "$partial/work.tar.gz" .
fi
case $AUTOML_ARTIFACT_ROOT in
    *://*) echo "artifacts are in $AUTOML_ARTIFACT_ROOT: back them up there" >&2 ;;
    *) if [ -d "$AUTOML_ARTIFACT_ROOT" ]; then
        tar -C "$AUTOML_ARTIFACT_ROOT" -czf "$partial/artifacts.tar.gz" .
    fi ;;
esac

(cd "$partial" && sha256sum -- * >SHA256SUMS)
mv "$partial" "$target"
sync
echo "$target"
