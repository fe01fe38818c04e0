"""Why a cluster cannot be joined, in words of its user's."""

from __future__ import annotations

import platform
from typing import Final

from automl.contracts import UserError

CLIENT: Final = "ray://"


def check_address(address: str | None) -> None:
    """Raise `UserError` for the address of a Ray Client server, through which no campaign is driven."""
    if address is not None and address.startswith(CLIENT):
        raise UserError(
            f"executor.ray.address must name a cluster as host:port (6379) or auto, but got {address!r}: Ray "
            "Client would send the driver, with the ledger's address, to the cluster; run on one of its "
            "nodes, or let its head run it: automl submit FILE --address http://HEAD:8265"
        )


def not_started(error: Exception) -> str:
    """The rule, the value, and what to do, where Ray does not start here."""
    text = " ".join(str(error).split())
    return (
        f"Ray must start on this machine, but: {text}; finished trials are safe; run again, when the machine "
        "is less busy if Ray was too slow, or with `executor: local`"
    )


def refusal(address: str, error: Exception) -> str:
    """The rule, the value, and what to do, where a cluster could not be joined."""
    rule = f"executor.ray.address must name a running Ray cluster, but got {address!r}"
    if "Version mismatch" in str(error):
        lines = " ".join(str(error).split())
        return (
            f"{rule}, which runs other versions than this process: {lines}; install the same Ray and the "
            f"same Python ({platform.python_version()} is here) on every node"
        )
    return (
        f"{rule}: {error}; start one with `ray start --head` and give every node and this process "
        "RAY_AUTH_MODE=token and the same RAY_AUTH_TOKEN, or leave the address out"
    )
