#!/bin/sh
# Runs the tracking server of a team on its store: `AUTOML_STORE=postgresql://… mlflow/serve.sh [--auth] [options]`.
#
#   AUTOML_HOST, AUTOML_PORT   where it listens (127.0.0.1, 5000)
#   --auth                     user accounts. The first start makes the account `admin` with the password
#                              MLFLOW_AUTH_ADMIN_PASSWORD (at least 12 characters); also needed is
#                              MLFLOW_FLASK_SERVER_SECRET_KEY, any long random text that stays the same.
#                              New accounts may read; what they make is theirs.
#
# Any further options go to `mlflow server`; behind a DNS name it needs --allowed-hosts NAME.
# People and workers then set MLFLOW_TRACKING_URI=http://HOST:PORT (and MLFLOW_TRACKING_USERNAME, _PASSWORD).
set -eu
auth=false
if [ "${1:-}" = --auth ]; then
    auth=true
    shift
    : "${MLFLOW_FLASK_SERVER_SECRET_KEY:?must be set for --auth: a long random text that stays the same}"
fi
. "$(dirname "$0")/store.sh"
prepare_store

export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true
export MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false # saves eight processes and 600 MB; nothing here uses it
if [ -z "${MLFLOW_SERVER_WORKERS:-}" ]; then MLFLOW_SERVER_WORKERS=2; fi

set -- --host "${AUTOML_HOST:-127.0.0.1}" --port "${AUTOML_PORT:-5000}" --workers "$MLFLOW_SERVER_WORKERS" \
    --serve-artifacts --artifacts-destination "$AUTOML_ARTIFACT_ROOT" "$@"
if $auth; then
    MLFLOW_AUTH_CONFIG_PATH=$("$PYTHON" "$(dirname "$0")/auth.py") || exit 2
    export MLFLOW_AUTH_CONFIG_PATH
    set -- --app-name basic-auth "$@"
fi
exec "$PYTHON" -m mlflow server "$@"
