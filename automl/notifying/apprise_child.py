"""Sends one message through Apprise, in a process of its own that can be killed.

Reads one JSON object from standard input, so that the address is in no list of processes; writes what
went wrong, or nothing. Knows nothing of the package: its start must not take long.
"""

from __future__ import annotations

import json
import logging
import sys


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def main() -> int:
    """0 when the message was taken, 1 when not, 3 without Apprise, 4 for an address that it does not know."""
    given = json.load(sys.stdin)
    try:
        import apprise  # an extra: its absence has a status of its own
    except ImportError:
        return 3
    kept, log = _Kept(), logging.getLogger("apprise")
    log.addHandler(kept)
    log.propagate = False
    sender = apprise.Apprise()
    if not sender.add(given["url"]):
        return 4
    if given["check"]:
        return 0
    taken = sender.notify(
        title=given["title"], body=given["body"], notify_type=given["type"], body_format="text"
    )
    if not taken:
        sys.stdout.write("; ".join(kept.lines)[:2000])
    return 0 if taken else 1


if __name__ == "__main__":
    sys.exit(main())
