"""When a study runs again."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from automl.config.part import Part


class Schedule(Part):
    """When the study runs again. `catchup`: seconds that a missed slot may still start.

    `when`: at every time of `cron`, or only if study, code or data have changed since the last campaign.
    """

    cron: str = Field(description='write five fields, such as "0 2 * * *"')
    timezone: str = Field(default="UTC", description="write a name such as Europe/Paris")
    catchup: float = Field(default=3600, ge=0, description="write seconds, such as 3600")
    when: Literal["always", "changed"] = Field(default="always", description="write always or changed")
