"""``mailnod serve``."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from click.testing import Result

from mailnod import Tracker
from mailnod.model import EventFilter
from mailnod.testing import FrozenClock

Run = Callable[..., Result]

pytest.importorskip("granian", reason="the extra 'serve' is not installed")

CODE = "from mailnod.cli.main import cli; cli(prog_name='mailnod')"


@contextmanager
def serving(environ: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run ``mailnod serve`` until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [sys.executable, "-c", CODE, "serve", "--port", str(port)]
    with subprocess.Popen(arguments, env={**os.environ, **environ}, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for(lambda: socket.create_connection(("127.0.0.1", port), timeout=1).close())
            yield process, port
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                process.kill()


def wait_for(attempt: Callable[[], object], *, guard_s: float = 30.0) -> None:
    """Try until it works; the guard only ends a run that hangs."""
    end = time.monotonic() + guard_s
    while True:
        try:
            if attempt() is not False:
                return
        except OSError:
            pass
        assert time.monotonic() < end, "gave up waiting"
        time.sleep(0.05)


def get(port: int, target: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", target, headers={"User-Agent": "Mozilla/5.0"})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def test_hits_are_collected_and_judged(environ: dict[str, str], mail: list[str], tracker: Tracker) -> None:
    """The collector alone answers pixel and link, judges them, and stops on SIGTERM."""
    import re

    targets = {kind: re.search(rf"/t(/{kind}/[^\"]+)", mail[0]) for kind in "oc"}
    environ["MAILNOD_SETTLE_S"] = "0"
    # The mail was sent at the frozen clock's time, and its token must still record at the server's.
    with serving(environ) as (process, port):
        assert targets["o"] is not None
        assert targets["c"] is not None
        assert get(port, targets["o"][1]).status == 200
        click = get(port, targets["c"][1].replace("&amp;", "&"))
        assert (click.status, click.headers["Location"]) == (302, "https://example.com/spring")
        assert get(port, "/").status == 404
        wait_for(lambda: len(tracker.store.get_events(EventFilter())) == 2)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert "Stopped." in process.stderr.read()
    assert process.returncode == 0


@pytest.fixture
def clock() -> FrozenClock:
    """Return a clock that stands at the present, because the server has its own."""
    from mailnod import SystemClock

    return FrozenClock(SystemClock().now())


def test_port_in_use_is_one_line(run: Run) -> None:
    """A port that another program has ends with 1 and names it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = run("serve", "--port", port)
    assert result.exit_code == 1
    assert port in result.output


def test_missing_keys_are_said_before_serving(run: Run, environ: dict[str, str]) -> None:
    """Without keys the server does not start."""
    del environ["MAILNOD_SECRET_KEYS"]
    result = run("serve")
    assert result.exit_code == 2
    assert "MAILNOD_SECRET_KEYS" in result.output


def test_missing_server_names_the_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without granian the message says what to install."""
    monkeypatch.setitem(sys.modules, "granian", None)
    result = run("serve")
    assert result.exit_code == 2
    assert "mailnod[serve]" in result.output
