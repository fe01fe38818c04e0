"""What the processes of a test listen on, as the system says it (Linux: /proc)."""

from __future__ import annotations

from pathlib import Path

LISTENS = "0A"
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


def below(parent: int) -> set[int]:
    """The processes that this one has started, and theirs."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has just ended
    found = {parent}
    while more := {pid for pid, above in parents.items() if above in found} - found:
        found |= more
    return found - {parent}


def listening(pids: set[int]) -> set[str]:
    """The addresses, as the kernel writes them, on which these processes wait for connections by TCP."""
    mine = _sockets(pids)
    return {
        fields[1].partition(":")[0]
        for kind in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]
        if (fields := line.split())[3] == LISTENS and fields[9] in mine
    }


def _sockets(pids: set[int]) -> set[str]:
    found = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                found.add(str(link.readlink()).removeprefix("socket:[").removesuffix("]"))
            except OSError:
                continue
    return found
