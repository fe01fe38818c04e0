"""Writes the README's tables of plug-ins, from the first line of each file. Run it by `make readme`."""

from __future__ import annotations

from pathlib import Path

from automl import plugins

README = Path(__file__).parents[1] / "README.md"
START, END = "<!-- plugins -->", "<!-- end of plugins -->"


def tables() -> str:
    """A table for each kind of plug-in."""
    parts = []
    for kind in plugins.PACKAGES:
        rows = [f"| `{name}` | {summary} |" for name, summary in plugins.summaries(kind).items()]
        parts.append("\n".join([f"| {plugins.SINGULAR[kind]} | |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def current(text: str) -> str:
    """`text` with the tables as they are now."""
    before, _, rest = text.partition(START)
    return f"{before}{START}\n{tables()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    README.write_text(current(README.read_text(encoding="utf-8")), encoding="utf-8")
