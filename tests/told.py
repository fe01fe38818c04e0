"""Progress that keeps what is told."""

from __future__ import annotations

from automl.progress import QuietProgress


class Told(QuietProgress):
    """Keeps what is told."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)
