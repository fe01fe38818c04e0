"""How much a study asks for: of each search, and of the whole campaign."""

from __future__ import annotations

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from automl.config.part import Part
from automl.contracts import Json


class Budget(Part):
    """What each search may use; the first part of it that is used up ends the search."""

    device_seconds: float | None = Field(default=None, gt=0, description="write a number such as 120")
    trials: int | None = Field(default=None, ge=1, description="write an integer such as 60")
    wall_seconds: float | None = Field(default=None, gt=0, description="write a number such as 600")


class Limits(Part):
    """What the whole campaign may use: queueing, retrainings and retries included. The first one ends it.

    `reserve`: searches end in time for retrainings and the test to fit into `wall_seconds`.
    """

    wall_seconds: float | None = Field(default=None, gt=0, description="write a number such as 3600")
    device_seconds: float | None = Field(default=None, gt=0, description="write a number such as 7200")
    trials: int | None = Field(default=None, ge=1, description="write an integer such as 500")
    reserve: bool = Field(default=False, description="write true or false")

    @model_serializer(mode="wrap")
    def _without_default(self, handler: SerializerFunctionWrapHandler) -> Json:
        """As before there was `reserve`, where it changes nothing."""
        data: Json = handler(self)
        return data if self.reserve else {key: value for key, value in data.items() if key != "reserve"}
