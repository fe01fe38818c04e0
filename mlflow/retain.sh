#!/bin/sh
# Frees space: `mlflow/retain.sh DAYS [BACKUPS]`, from cron or by hand.
#
# Removed for good are: runs that a person moved to MLflow's trash more than DAYS ago, with their artifacts;
# checkpoints of trials that nothing has written to for DAYS (a finished trial needs none, and an interrupted
# one starts again); and in the folder BACKUPS all backups older than DAYS but the newest.
# Never removed: the ledger, runs that are not in the trash, trained models, registered models.
set -eu
case ${1:-} in
    '' | *[!0-9]* | 0*)
        echo "usage: mlflow/retain.sh DAYS [BACKUPS], where DAYS is a whole number above 0" >&2
        exit 2
        ;;
esac
. "$(dirname "$0")/store.sh"
export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true

prepare_store
"$PYTHON" - "${1}d" >&2 <<'PYTHON_CODE'
import os
import sys

from mlflow.cli import cli

uri, artifacts = os.environ["MLFLOW_BACKEND_STORE_URI"], os.environ["AUTOML_ARTIFACT_ROOT"]
os.environ["MLFLOW_TRACKING_URI"] = uri
options = ["--older-than", sys.argv[1], "--backend-store-uri", uri, "--artifacts-destination", artifacts]
cli(["gc", *options])
PYTHON_CODE

if [ -d "$AUTOML_WORK/work" ]; then
    find "$AUTOML_WORK/work" -depth -type d -name checkpoints -print | while IFS= read -r folder; do
        if [ -z "$(find "$folder" -mtime "-$1" -print | head -n 1)" ]; then rm -rf "$folder"; fi
    done
fi

if [ -n "${2:-}" ] && [ -d "$2" ]; then
    newest=$(find "$2" -mindepth 1 -maxdepth 1 -type d -name '????-??-??T??????Z' | sort | tail -n 1)
    find "$2" -mindepth 1 -maxdepth 1 -type d -name '????-??-??T??????Z*' -mtime "+$1" ! -path "$newest" \
        -exec rm -rf {} +
fi
