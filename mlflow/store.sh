# Sourced by the scripts beside it. Finds the store as the `automl` commands do (AUTOML_STORE, AUTOML_FOLDER,
# AUTOML_ARTIFACTS) and sets:
#   AUTOML_KIND            sqlite or postgresql
#   AUTOML_WORK            the folder of local files (SQLite databases, checkpoints, models)
#   AUTOML_ARTIFACT_ROOT   where MLflow's artifacts are
#   MLFLOW_BACKEND_STORE_URI, and PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE for PostgreSQL's own programs.
# Passwords stay in the environment: what is on a command line, every user of the machine can read.

umask 077                  # what a server or a script writes into the store is for its user alone
export PYTHONSAFEPATH=1    # a file in the working folder hides no library
PYTHON=${PYTHON:-python3}
if [ -x "$(dirname "$0")/../.venv/bin/python" ]; then PYTHON="$(dirname "$0")/../.venv/bin/python"; fi
unset MLFLOW_TRACKING_URI # these scripts are the server's side: they open the database itself

found=$("$PYTHON" - <<'PYTHON_CODE'
import shlex
import sys

import sqlalchemy as sa

from automl.contracts import UserError
from automl.ledger import resolve_store

try:
    store = resolve_store()
except UserError as error:
    sys.exit(f"{error}")
url = sa.make_url(store.tracking_uri)
values = {
    "AUTOML_KIND": url.get_backend_name(),
    "AUTOML_WORK": str(store.folder),
    "AUTOML_ARTIFACT_ROOT": store.artifacts,
    "MLFLOW_BACKEND_STORE_URI": store.tracking_uri,
}
if url.get_backend_name() == "postgresql":
    parts = {"HOST": url.host, "PORT": url.port, "USER": url.username, "PASSWORD": url.password}
    parts |= {"HOST": url.query.get("host", url.host), "DATABASE": url.database}
    values |= {f"PG{key}": str(value) for key, value in parts.items() if value is not None}
for key, value in values.items():
    sys.stdout.write(f"export {key}={shlex.quote(value)}\n")
PYTHON_CODE
) || exit 2
eval "$found"

# Create both sides in the one locked step that `automl` uses: a server that found an empty database would race it.
prepare_store() {
    "$PYTHON" - <<'PYTHON_CODE' || exit 2
import sys

from automl.contracts import RunError, UserError
from automl.ledger import resolve_store
from automl.storage import prepare

try:
    prepare(resolve_store())
except (RunError, UserError) as error:
    sys.exit(f"{error}")
PYTHON_CODE
}
