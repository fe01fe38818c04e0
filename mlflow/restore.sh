#!/bin/sh
# Brings a backup back: `mlflow/restore.sh FOLDER/<UTC time>`, into the store that AUTOML_STORE names.
#
# It refuses a damaged or unfinished backup, and a store that has anything in it: restore into an empty database or
# folder. A store may come back in another place: the paths in its databases follow, and its campaigns count as
# interrupted. A restore that was killed is finished by the same command. Stop every driver, schedule daemon and
# server of that store first. Afterwards: automl audit NAME --repair.
set -eu
umask 077
if [ $# -ne 1 ] || [ ! -f "$1/SHA256SUMS" ]; then
    echo "usage: mlflow/restore.sh BACKUP, where BACKUP is a folder that mlflow/backup.sh made" >&2
    exit 2
fi
. "$(dirname "$0")/store.sh"

refuse() {
    echo "$1" >&2
    exit 2
}

backup=$(cd "$1" && pwd -P)
case $backup in
    *.partial) refuse "$1 was not finished; nothing was changed; take another backup" ;;
esac
(cd "$backup" && sha256sum --check --quiet SHA256SUMS) >&2 ||
    refuse "$1 is damaged; nothing was changed; take another backup"

begun="$AUTOML_WORK/restore.begun" # names the backup while it is being restored
tables=0
if [ "$AUTOML_KIND" = postgresql ]; then
    [ -f "$backup/store.dump" ] || refuse "$1 is a backup of SQLite files, but the store is PostgreSQL"
    tables=$(psql -XAtc "select count(*) from pg_namespace where nspname in ('automl', 'mlflow', 'mlflow_auth')")
else
    [ -f "$backup/ledger.db" ] || refuse "$1 is a backup of PostgreSQL, but the store is SQLite files"
fi
if [ "$(cat "$begun" 2>/dev/null)" != "$backup" ]; then
    [ "$tables" = 0 ] || refuse "the database already has a store; nothing was changed; restore into an empty database"
    [ ! -e "$AUTOML_WORK/ledger.db" ] || refuse "$AUTOML_WORK already has a store; nothing was changed; move it away first"
    case $AUTOML_ARTIFACT_ROOT in
        *://*) ;;
        *) [ -z "$(ls -A "$AUTOML_ARTIFACT_ROOT" 2>/dev/null)" ] ||
            refuse "$AUTOML_ARTIFACT_ROOT is not empty; nothing was changed; move it away first" ;;
    esac
    mkdir -p "$AUTOML_WORK"
    printf '%s\n' "$backup" >"$begun.new"
    mv "$begun.new" "$begun"
fi

if [ -f "$backup/work.tar.gz" ]; then tar -C "$AUTOML_WORK" -xzf "$backup/work.tar.gz"; fi
if [ -f "$backup/artifacts.tar.gz" ]; then
    case $AUTOML_ARTIFACT_ROOT in
        *://*) echo "artifacts were not restored: copy $1/artifacts.tar.gz to $AUTOML_ARTIFACT_ROOT" >&2 ;;
        *)
            mkdir -p "$AUTOML_ARTIFACT_ROOT"
            tar -C "$AUTOML_ARTIFACT_ROOT" -xzf "$backup/artifacts.tar.gz"
            ;;
    esac
fi
if [ ! -f "$backup/places" ]; then
    echo "$1 does not say where its store was: restore it to the same place, or paths in it lead nowhere" >&2
fi

# The databases last, each whole or not at all: without them the store is empty.
statements() {
    "$PYTHON" - "$backup/places" "$1" <<'PYTHON_CODE'
import os
import sys
from pathlib import Path

from automl.storage import Places, restored_statements

new = Places(os.environ["AUTOML_WORK"], os.environ["AUTOML_ARTIFACT_ROOT"])
places = Path(sys.argv[1])
old = Places(*places.read_text().splitlines()) if places.exists() else new
ledger, mlflow = restored_statements(old, new, schemas=sys.argv[2] == "both")
chosen = {"ledger": ledger, "mlflow": mlflow, "both": ledger + mlflow}.get(sys.argv[2], [])
sys.stdout.write("".join(f"{statement};\n" for statement in chosen))
PYTHON_CODE
}
if [ "$AUTOML_KIND" = postgresql ]; then
    if [ "$tables" = 0 ]; then
        sql=$(statements both)
        { pg_restore --no-owner --file=- "$backup/store.dump" || echo 'SELECT 1/0;'; echo "$sql"; } |
            psql -Xq --single-transaction -v ON_ERROR_STOP=1 --output=/dev/null
    fi
else
    for name in accounts mlflow ledger; do
        if [ ! -f "$backup/$name.db" ] || [ -f "$AUTOML_WORK/$name.db" ]; then continue; fi
        cp "$backup/$name.db" "$AUTOML_WORK/$name.db.restored"
        sql=$(statements "$name")
        "$PYTHON" -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(f"BEGIN; {sys.argv[2]} COMMIT;")' \
            "$AUTOML_WORK/$name.db.restored" "$sql"
        sync
        mv "$AUTOML_WORK/$name.db.restored" "$AUTOML_WORK/$name.db"
    done
fi
rm "$begun"
echo "restored $1" >&2
