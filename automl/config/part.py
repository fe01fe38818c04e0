"""The base of the parts of a study."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from automl.contracts import Options

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="write one such as nas-digits")]


class Part(Options):
    """Base of the parts of a study: values are not converted.

    A field's description says what to write there; messages about mistakes end with it.
    """

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
