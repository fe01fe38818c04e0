#!/bin/sh
# Runs the tracking server of a team on its store: `AUTOML_STORE=postgresql://… mlflow/serve.sh [--auth] [--insecure] [options]`.
#
#   AUTOML_HOST, AUTOML_PORT   where it listens (127.0.0.1, 5000)
#   --auth                     user accounts. The first start makes the account `admin` with the password
#                              MLFLOW_AUTH_ADMIN_PASSWORD (at least 12 characters); also needed is
#                              MLFLOW_FLASK_SERVER_SECRET_KEY, any long random text that stays the same.
#                              New accounts may read; what they make is theirs.
#   --insecure                 beyond this machine it listens only when told so: it has no TLS, so everybody on
#                              the network can read passwords and data. Better is a proxy with TLS before it.
#
# Any further options go to `mlflow server`; behind a DNS name it needs --allowed-hosts NAME.
# People and workers then set MLFLOW_TRACKING_URI=http://HOST:PORT (and MLFLOW_TRACKING_USERNAME, _PASSWORD).
set -eu
auth=false insecure=false
while [ $# -gt 0 ]; do
    case "$1" in
    --auth) auth=true ;;
    --insecure) insecure=true ;;
    *) break ;;
    esac
    shift
done
if $auth; then
    : "${MLFLOW_FLASK_SERVER_SECRET_KEY:?must be set for --auth: a long random text that stays the same}"
fi
host=${AUTOML_HOST:-127.0.0.1} previous=
for word in "$@"; do
    case "$previous" in -h | --host) host=$word ;; esac
    case "$word" in --host=*) host=${word#--host=} ;; *ssl-certfile*) insecure=true ;; esac
    previous=$word
done
case "$host" in
127.* | localhost | ::1) ;;
*) if ! $insecure; then
    echo "the server must listen on this machine only, as it has no TLS, but AUTOML_HOST is $host; leave it" \
        "out and put a proxy with TLS before the server, or add --insecure" >&2
    exit 2
fi ;;
esac
. "$(dirname "$0")/store.sh"
prepare_store

export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true
export MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false
export UVICORN_APP_DIR="$AUTOML_WORK" # not the working folder, whose files would hide libraries
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
