"""Settings that must be set before mlflow is first imported; a user's values have priority."""

from __future__ import annotations

import os
from typing import Final

SETTINGS: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # the recorder repeats requests; seven retries take four minutes
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",  # which may ask to wait for an hour
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",  # seconds
}
for _key, _value in SETTINGS.items():
    os.environ.setdefault(_key, _value)
