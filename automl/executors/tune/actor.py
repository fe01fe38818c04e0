"""The actor of a lane: a Tune trial that lives as long as the run, and takes one job after another."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Mapping
from typing import Any, Final

import ray
from ray import tune

from automl.executors.tune.desk import Desk

NODE: Final = "ray.io/node-id"  # the label that Ray gives every node
GROUPS: Final = {"given": 1}  # threads of the actor besides the one of `step`


class Actor(tune.Trainable):
    """Each `step` waits until there is something to tell, and tells it all; `give` comes in meanwhile."""

    def setup(self, config: dict[str, Any]) -> None:
        """Tune's name for starting."""
        self._desk = Desk(waits=config["waits"])
        self._notice_sigterm()

    def step(self) -> dict[str, Any]:
        """Messages as JSON; `done` once the lane was closed."""
        messages = self._desk.messages()
        return {"messages": json.dumps(messages), "done": self._desk.closed}

    @ray.method(concurrency_group=next(iter(GROUPS)))
    def give(self, text: str) -> None:
        """Take messages of the driver as JSON, in the order in which it sends them."""
        self._desk.take(json.loads(text))

    def _notice_sigterm(self) -> None:
        """Hear in a thread that this machine is taken away: the main thread runs no Python, so no handler."""
        if threading.current_thread() is not threading.main_thread():
            return
        read, write = os.pipe()
        os.set_blocking(write, False)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)

        def listen() -> None:
            while signal.SIGTERM not in os.read(read, 64):
                pass
            self._desk.leave()

        threading.Thread(target=listen, name="notice", daemon=True).start()


def placed(config: Mapping[str, Any]) -> tune.PlacementGroupFactory:
    """What a lane holds, on its node, or on one that may get trials."""
    avoid = ",".join(config["avoid"])
    chosen = config["node"] or (f"!in({avoid})" if avoid else "")
    where: Any = {"bundle_label_selector": [{NODE: chosen}]} if chosen else {}
    return tune.PlacementGroupFactory([config["holds"]], **where)
