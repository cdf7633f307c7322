"""``mailnod serve``."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result

from mailnod import Tracker
from mailnod.collect.collector import PIXEL
from mailnod.model import EventFilter, Mode
from mailnod.store.drain import count_pending
from mailnod.testing import FrozenClock

Run = Callable[..., Result]

pytest.importorskip("granian", reason="the extra 'serve' is not installed")

CODE = "from mailnod.cli.main import cli; cli(prog_name='mailnod')"


def find_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def serving(environ: dict[str, str], *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run ``mailnod serve`` until the block ends."""
    port = find_port()
    arguments = [sys.executable, "-c", CODE, "serve", "--port", str(port), *options]
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


def get(port: int, target: str, *, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, target, headers={"User-Agent": "Mozilla/5.0", **headers})
    response = connection.getresponse()
    response.text = response.read().decode("latin-1")  # type: ignore[attr-defined]
    connection.close()
    return response


def get_raw(port: int, target: str, *, method: str = "GET") -> bytes:
    """Return every byte of a reply, less the value of the one header that is the server's clock."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n".encode())
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    return re.sub(rb"(?i)\r\ndate: [^\r]*", b"", reply)


def find_target(body: str, kind: str) -> str:
    found = re.search(rf"/t(/{kind}/[^\"]+)", body)
    assert found is not None
    return found[1].replace("&amp;", "&")


@contextmanager
def scraping(port: int) -> Iterator[Callable[[], dict[str, float]]]:
    """Give a function that returns every sample of the metrics page by its name and labels."""

    def scrape() -> dict[str, float]:
        page: str = get(port, "/-/metrics").text  # type: ignore[attr-defined]
        samples = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    yield scrape


def test_hits_are_collected_and_judged(environ: dict[str, str], mail: list[str], tracker: Tracker) -> None:
    """The collector alone answers pixel and link, judges them, and stops on SIGTERM."""
    environ["MAILNOD_SETTLE_S"] = "0"
    # The mail was sent at the frozen clock's time, and its token must still record at the server's.
    with serving(environ) as (process, port):
        assert get(port, find_target(mail[0], "o")).status == 200
        click = get(port, find_target(mail[0], "c"))
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


def test_pixel_tells_nothing(run: Run, environ: dict[str, str], mail: list[str], tracker: Tracker) -> None:
    """Every byte of the pixel's reply is the same for genuine, forged, expired and withdrawn tokens (S5, S7)."""
    expired = tracker.keyring.sign(
        b"delivery", opens=Mode.INDIVIDUAL, clicks=Mode.NONE, expires_at=tracker.clock.now() - timedelta(days=9)
    )
    untracked = tracker.keyring.sign(b"delivery", opens=Mode.NONE, clicks=Mode.NONE, expires_at=tracker.clock.now())
    genuine, withdrawn = (find_target(body, "o") for body in mail)
    assert run("consent", "withdraw", "bob@example.com").exit_code == 0
    targets = [genuine, withdrawn, f"/o/{expired}.gif", f"/o/{untracked}.gif", f"/o/{'A' * 32}.gif", "/o/x", "/o/%00"]
    with serving(environ) as (_, port):
        replies = {get_raw(port, target) for target in targets}
        heads = {get_raw(port, target, method="HEAD") for target in targets}
    (reply,) = replies
    (head,) = heads
    header, _, body = reply.partition(b"\r\n\r\n")
    assert body == PIXEL
    assert head == header + b"\r\n\r\n"
    lines = header.lower().split(b"\r\n")
    assert b"referrer-policy: no-referrer" in lines
    assert b"cache-control: no-store, max-age=0" in lines
    assert b"x-content-type-options: nosniff" in lines
    assert b"content-security-policy: default-src 'none'" in lines
    assert not any(line.startswith((b"set-cookie", b"etag", b"last-modified")) for line in lines)


def test_operators_and_crawlers_get_an_answer(environ: dict[str, str], mail: list[str]) -> None:
    """Health and readiness answer, crawlers are sent away, and no metrics stand where everybody can read them."""
    with serving(environ) as (_, port):
        assert get(port, "/-/health").status == 200
        wait_for(lambda: get(port, "/-/ready").status == 200)
        robots = get(port, "/robots.txt")
        assert robots.text == "User-agent: *\nDisallow: /\n"  # type: ignore[attr-defined]
        assert get(port, "/-/health", method="HEAD").status == 200
        for path in ("/-/metrics", "/favicon.ico", "/-/", "/-/health/"):
            assert get(port, path).status == 404, path
        assert get(port, "/-/health", method="POST").status == 405


def test_metrics_sum_up_all_processes(environ: dict[str, str], mail: list[str]) -> None:
    """Whichever process answers, the page counts the hits of all, at the public port and at one of its own."""
    own = find_port()
    options = ("--workers", "2", "--metrics", "--metrics-address", f"127.0.0.1:{own}")
    with serving(environ, *options) as (_, port), scraping(port) as scrape, scraping(own) as scrape_own:
        for _ in range(20):
            assert get(port, find_target(mail[0], "o")).status == 200
        assert get(port, "/c/forged.1.x?u=a").status == 404
        samples = scrape()
        assert samples['mailnod_hits_total{kind="open",outcome="recorded"}'] == 20
        assert samples['mailnod_hits_total{kind="click",outcome="refused"}'] == 1
        assert samples["mailnod_commit_seconds_count"] == 20
        assert samples['mailnod_commit_seconds_bucket{le="+Inf"}'] == 20
        assert samples["mailnod_hits_waiting"] == 0
        own_samples = scrape_own()
        assert {name: own_samples[name] for name in samples if "age" not in name} == {
            name: value for name, value in samples.items() if "age" not in name
        }


def test_unix_socket_is_served_and_its_proxy_believed(
    environ: dict[str, str], mail: list[str], tracker: Tracker, tmp_path: Path
) -> None:
    """Behind a Unix socket the proxy counts as 127.0.0.1, so the client's address is the one that it names."""
    path = str(tmp_path / "collector.sock")
    environ["MAILNOD_SETTLE_S"] = "0"
    target = find_target(mail[0], "o")
    request = f"GET {target} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\nConnection: close\r\n\r\n"
    arguments = [sys.executable, "-c", CODE, "serve", "--uds", path, "--proxy", "127.0.0.0/8"]
    with subprocess.Popen(arguments, env={**os.environ, **environ}) as process:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                wait_for(lambda: connection.connect(path))
                connection.sendall(request.encode())
                assert b" 200 " in connection.recv(65536)
            wait_for(lambda: len(tracker.store.get_events(EventFilter())) == 1)
        finally:
            process.terminate()
            process.wait(30)
    (record,) = tracker.store.get_events(EventFilter())
    assert record.observation.hit.ip == "203.0.113.7"


def test_hits_in_flight_are_answered_and_on_disk_when_it_stops(
    environ: dict[str, str], mail: list[str], tracker: Tracker
) -> None:
    """SIGTERM under load loses no hit that was answered."""
    target = find_target(mail[0], "o")
    answered: list[int] = []

    def load() -> None:
        done = 0
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            while True:
                connection.request("GET", target)
                assert connection.getresponse().read() == PIXEL
                done += 1
                began.set()
        answered.append(done)

    # However many hits there are until it ends, each is recorded.
    environ.update(MAILNOD_WORKER="none", MAILNOD_TOKEN_CAP="0", MAILNOD_SOURCE_CAP="0")
    began = threading.Event()
    with serving(environ, "--workers", "2") as (process, port):
        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert began.wait(30)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        for thread in threads:
            thread.join()
    assert sum(answered) <= count_pending(tracker.settings.journal_folder) <= sum(answered) + len(threads)
    assert process.returncode == 0


def test_oversized_requests_are_refused(environ: dict[str, str]) -> None:
    """A path or headers beyond any that a mail program sends end the conversation, and the server goes on (S18)."""
    with serving(environ) as (_, port):
        assert get(port, "/o/" + "a" * 100_000).status in (404, 414, 431)
        assert get(port, "/o/a.gif", Cookie="a" * 100_000).status == 431
        assert get(port, "/o/a.gif", method="POST").status == 405
        assert get(port, "/-/health").status == 200


def test_app_works_on_other_servers(environ: dict[str, str], mail: list[str], tracker: Tracker) -> None:
    """``mailnod.asgi:create_app`` is a factory for any ASGI server."""
    port = find_port()
    arguments = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "mailnod.asgi:create_app"]
    with subprocess.Popen([*arguments, "--port", str(port)], env={**os.environ, **environ}) as process:
        try:
            wait_for(lambda: get(port, "/-/ready").status == 200)
            assert get(port, find_target(mail[0], "o")).status == 200
        finally:
            process.terminate()
            process.wait(30)
    assert tracker.work_once() is not None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--proxy", "10.0.0.1/8"], "10.0.0.0/8"),
        (["--metrics-address", "9125"], "HOST:PORT"),
        (["--workers", "0"], "--workers"),
    ],
)
def test_wrong_options_are_explained(run: Run, options: list[str], said: str) -> None:
    """What cannot be served is said before anything starts."""
    result = run("serve", *options)
    assert result.exit_code == 2
    assert said in result.output


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


def test_processes_that_cannot_start_are_said(environ: dict[str, str], tmp_path: Path) -> None:
    """Where no process that answers lives, the command ends with 1 and says where to look."""
    dying = "import os, sys\nif '--multiprocessing-fork' in sys.orig_argv: os._exit(3)\n"
    (tmp_path / "sitecustomize.py").write_text(dying, encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    arguments = [sys.executable, "-c", CODE, "serve", "--port", str(find_port())]
    ended = subprocess.run(
        arguments,
        env={**os.environ, **environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "'mailnod doctor'" in ended.stderr
