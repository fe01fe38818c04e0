"""The machines that cluster tests run on are apart, and die as a whole."""

from __future__ import annotations

import sys
import time

import pytest
from machines import Machines, wait_for, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")


def test_they_share_the_network_and_nothing_else() -> None:
    with Machines() as machines:
        first, second = machines.add("first"), machines.add("second", packaged=False)
        first.shell("echo mine > /tmp/file; mkdir -p ~/folder")
        assert first.path("/tmp/file").read_text() == "mine\n"
        assert second.shell("hostname; ls -A ~; test ! -e /tmp/file").stdout == "second\n"
        assert first.run([sys.executable, "-c", "import automl"]).returncode == 0
        assert "ModuleNotFoundError" in second.run([sys.executable, "-c", "import automl"]).stderr
        server = first.start([sys.executable, "-m", "http.server", "8000", "--bind", first.address])
        call = f"import socket; socket.create_connection(('{first.address}', 8000), 1)"
        wait_for(lambda: second.run([sys.executable, "-c", call]).returncode == 0, "a call")
        machines.cut(second)
        assert second.run([sys.executable, "-c", call]).returncode == 1
        first.kill()
        assert server.wait(10) != 0 and not first.alive
        late = machines.add("late")
        assert late.address not in (first.address, second.address)
        began = time.monotonic()
    assert time.monotonic() - began < 10 and not late.alive
