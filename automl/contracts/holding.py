"""What trials hold, and what machines have for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Held:
    """What a trial holds, all on one machine. `ranks`: processes that divide it."""

    cpus: float
    gpus: float = 0.0
    ranks: int = 1

    @property
    def devices(self) -> float:
        """What a wall second of it costs in device-seconds: GPUs held, or CPUs when it holds none."""
        return self.gpus or self.cpus

    def __str__(self) -> str:
        return f"cpus={self.cpus:g} gpus={self.gpus:g}"


@dataclass(frozen=True)
class Room:
    """What one machine of a place has for trials."""

    cpus: float
    gpus: float = 0.0
