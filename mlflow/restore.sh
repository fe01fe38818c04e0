#!/bin/sh
# Brings a backup back: `mlflow/restore.sh FOLDER/<UTC time>`, into the store that AUTOML_STORE names.
#
# It refuses a damaged backup, and a store that has anything in it: restore into an empty database or folder.
# Stop every driver, schedule daemon and server of that store first. Afterwards: automl audit NAME --repair.
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

(cd "$1" && sha256sum --check --quiet SHA256SUMS) >&2 || refuse "$1 is damaged; nothing was changed; take another backup"

if [ "$AUTOML_KIND" = postgresql ]; then
    [ -f "$1/store.dump" ] || refuse "$1 is a backup of SQLite files, but the store is PostgreSQL"
    tables=$(psql -XAtc "select count(*) from pg_namespace where nspname in ('automl', 'mlflow', 'mlflow_auth')")
    [ "$tables" = 0 ] || refuse "the database already has a store; nothing was changed; restore into an empty database"
else
    [ -f "$1/ledger.db" ] || refuse "$1 is a backup of PostgreSQL, but the store is SQLite files"
    [ ! -e "$AUTOML_WORK/ledger.db" ] || refuse "$AUTOML_WORK already has a store; nothing was changed; move it away first"
fi
case $AUTOML_ARTIFACT_ROOT in
    *://*) ;;
    *) [ -z "$(ls -A "$AUTOML_ARTIFACT_ROOT" 2>/dev/null)" ] ||
        refuse "$AUTOML_ARTIFACT_ROOT is not empty; nothing was changed; move it away first" ;;
esac

mkdir -p "$AUTOML_WORK"
if [ -f "$1/work.tar.gz" ]; then tar -C "$AUTOML_WORK" -xzf "$1/work.tar.gz"; fi
if [ -f "$1/artifacts.tar.gz" ]; then
    case $AUTOML_ARTIFACT_ROOT in
        *://*) echo "artifacts were not restored: copy $1/artifacts.tar.gz to $AUTOML_ARTIFACT_ROOT" >&2 ;;
        *)
            mkdir -p "$AUTOML_ARTIFACT_ROOT"
            tar -C "$AUTOML_ARTIFACT_ROOT" -xzf "$1/artifacts.tar.gz"
            ;;
    esac
fi

# The databases last: without them the store is empty, and an interrupted restore can be run again.
if [ "$AUTOML_KIND" = postgresql ]; then
    pg_restore --exit-on-error --single-transaction --no-owner --dbname="$PGDATABASE" "$1/store.dump"
else
    for name in accounts mlflow ledger; do
        if [ -f "$1/$name.db" ]; then cp "$1/$name.db" "$AUTOML_WORK/$name.db"; fi
    done
fi
echo "restored $1" >&2
