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

mkdir -p "$1"
folder=$(cd "$1" && pwd -P)
for saved in "$AUTOML_WORK" "$AUTOML_ARTIFACT_ROOT"; do
    if [ ! -d "$saved" ]; then continue; fi
    case $folder/ in
        "$(cd "$saved" && pwd -P)"/*)
            echo "backups must be kept outside of what they save, but $1 is in $saved; name another folder" >&2
            exit 2
            ;;
    esac
done
target="$folder/$(date -u +%Y-%m-%dT%H%M%SZ)"
partial="$target.partial"
mkdir "$partial"

# tar ends with 1 when files changed or went away meanwhile, as those of running trials do, with 2 when it failed.
pack() {
    from=$1
    to=$2
    shift 2
    tar -C "$from" "$@" -czf "$to" . || [ $? -eq 1 ] || return 2
}

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
    pack "$AUTOML_WORK" "$partial/work.tar.gz" --exclude='./*.db' --exclude='./*.db-*' --exclude='./*.db.*' \
        --exclude='./artifacts' --exclude='./accounts.ini' --exclude='checkpoints'
fi
case $AUTOML_ARTIFACT_ROOT in
    *://*) echo "artifacts are in $AUTOML_ARTIFACT_ROOT: back them up there" >&2 ;;
    *) if [ -d "$AUTOML_ARTIFACT_ROOT" ]; then pack "$AUTOML_ARTIFACT_ROOT" "$partial/artifacts.tar.gz"; fi ;;
esac
printf '%s\n' "$AUTOML_WORK" "$AUTOML_ARTIFACT_ROOT" >"$partial/places"

(cd "$partial" && sha256sum -- * >.sums && mv .sums SHA256SUMS)
sync
mv "$partial" "$target"
sync
echo "$target"
