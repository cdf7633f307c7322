"""Tests of how the program ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_stays_behind_when_the_program_is_told_to_end(number: signal.Signals, tmp_path: Path) -> None:
    """A Ctrl-C and the end of a session remove the folder of what was simulated, as closing the window does."""
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "TMPDIR": str(scratch), "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "mailnod_desktop.app", "--demo", "--catch", str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as program:
        try:
            # Whoever answers here has opened the window, and is ready for signals.
            while not _answers(port):
                with suppress(subprocess.TimeoutExpired):
                    program.wait(0.1)
                    pytest.fail("the program ended by itself")
            assert [path.stat().st_mode & 0o777 for path in scratch.glob("mailnod-desktop-*")] == [0o700]
            program.send_signal(number)
            assert program.wait(30) == 0
        finally:
            program.kill()
    assert list(scratch.glob("mailnod-*")) == []


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        return connection.recv(3) == b"220"
    return False
