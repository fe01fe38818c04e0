"""Commands about recurring campaigns."""

from __future__ import annotations

import typer

app = typer.Typer(
    no_args_is_help=True, help="Run studies again and again, at the times of a cron expression."
)
