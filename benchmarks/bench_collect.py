"""What a synced hit costs: ``mailnod serve`` beside its own server's constant reply, nginx and Django, measured by wrk.

wrk and nginx come from the distribution (``apt-get install wrk nginx-light``); without wrk nothing can be measured.
Rounds alternate and ratios are of their medians, so that whatever else the machine does falls on all of them.
The time that the processors take for each hit is the sturdier figure where others use them too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from threading import Event, Thread

from mailnod.collect.collector import PIXEL
from mailnod.model import Mode
from mailnod.settings import Settings
from mailnod.tokens import Keyring
from mailnod.tracker import Tracker

#: How many ask at once: as the figures were asked for, and as a campaign comes in.
CONNECTIONS = 32
MANY_CONNECTIONS = 128
ROUNDS = 5
ROUND_S = 3
START_LIMIT_S = 30
TOKENS = 1000
CROWD = 10_000
KEYS = "k" * 43
OURS = "mailnod serve, synced"
ASKED = {
    "granian ASGI, constant": 0.65,
    "nginx, static file": 0.35,
    "pytracking2 in Django, no storage": 25.0,
    "Django ORM, insert per hit": 500.0,
}
#: The process that serves on each port.
_SERVERS: dict[int, int] = {}
#: What a phone's mail program sends; without it there would be nothing to keep.
HEADERS = {
    "User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "Accept": "image/webp,image/avif,image/*;q=0.8,*/*;q=0.5",
    "Accept-Language": "en-GB,en;q=0.9",
    "Accept-Encoding": "gzip, deflate, br",
    "Sec-Fetch-Dest": "image",
    "Sec-Fetch-Mode": "no-cors",
}
CONSTANT = f'''
HEADERS = [(b"content-type", b"image/gif"), (b"content-length", b"43"), (b"cache-control", b"no-store, max-age=0")]
BODY = bytes.fromhex("{PIXEL.hex()}")

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for stage in ("startup", "shutdown"):
            await receive()
            await send({{"type": f"lifespan.{{stage}}.complete"}})
        return
    await send({{"type": "http.response.start", "status": 200, "headers": HEADERS}})
    await send({{"type": "http.response.body", "body": BODY}})
'''
#: What stands between the constant reply and ours without a line of ours: one write, synced, to a place that is there
#: already, for all that ask in one turn of the loop. Nothing is verified, read or told apart, and the loop waits.
SYNCED = """
import asyncio, os
from constant import BODY, HEADERS, app as constant

LINE = b"x" * 350 + b"\\n"
file = os.open("synced", os.O_RDWR | os.O_CREAT | os.O_DSYNC)
os.pwrite(file, bytes(1 << 26), 0)
waiting, at = [], 0

def write():
    global waiting, at
    replies, waiting = waiting, []
    at = (at + os.pwrite(file, LINE * len(replies), at)) % (1 << 25)
    for reply in replies:
        reply.set_result(None)

async def app(scope, receive, send):
    if scope["type"] == "http":
        loop = asyncio.get_running_loop()
        reply = loop.create_future()
        if not waiting:
            loop.call_soon(write)
        waiting.append(reply)
        await reply
    await constant(scope, receive, send)
"""
DJANGO = """
import base64, sys
from pathlib import Path
import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.http import HttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY="x" * 50, ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, INSTALLED_APPS=[],
    PYTRACKING_CONFIGURATION={"base_open_tracking_url": "http://a.example/pytracking/"},
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(__file__).with_name("orm.db"))}},
)
django.setup()
from pytracking.django import OpenTrackingView

class Open(models.Model):
    token = models.CharField(max_length=64)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.TextField()
    opened_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "bench"

class View(OpenTrackingView):
    def notify_tracking_event(self, tracking_result):
        pass

def insert(request):
    Open.objects.create(
        token=request.path, ip=request.META["REMOTE_ADDR"], user_agent=request.headers.get("User-Agent", "")
    )
    return HttpResponse(b"x" * 43, content_type="image/gif")

urlpatterns = [path("pytracking/<path:path>", View.as_view()), path("orm/", insert)]
application = get_wsgi_application()
try:
    with connection.schema_editor() as editor:
        editor.create_model(Open)
except django.db.OperationalError:
    # Another process was here first.
    pass
connection.close()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What wrk saw."""

    hits_s: float
    p50_ms: float
    p99_ms: float
    #: What the server's processes used of the processors for each hit, in microseconds; 0 where that is not known.
    cpu_us: float = 0.0


def main() -> None:
    """Print hits per second of each server, and the ratios that matter."""
    if shutil.which("wrk") is None:
        print("skipped: wrk is not installed")
        return
    with tempfile.TemporaryDirectory(prefix="mailnod-bench-") as name:
        folder = Path(name)
        write_inputs(folder)
        _measure_speed(folder)
        _measure_busy_disk(folder)
        _measure_crowd(folder)


def write_inputs(folder: Path) -> None:
    """Write what servers and wrk read."""
    (folder / "constant.py").write_text(CONSTANT)
    (folder / "synced.py").write_text(SYNCED)
    (folder / "django_app.py").write_text(DJANGO)
    (folder / "tokens.lua").write_text(_write_script())


def measure_hits(folder: Path, *, database: Path) -> float:
    """Return how many hits ``mailnod serve`` answers in a second beside a store."""
    with _mailnod(folder, database=database) as port:
        return _hit(port, script=folder / "tokens.lua").hits_s


def _measure_speed(folder: Path) -> None:
    script = folder / "tokens.lua"
    with contextlib.ExitStack() as stack:
        servers: dict[str, Callable[[int], Round]] = {}
        port = stack.enter_context(_mailnod(folder))
        servers[OURS] = lambda many: _hit(port, script=script, connections=many)
        constant = stack.enter_context(_granian(folder, "constant:app", "asgi"))
        servers["granian ASGI, constant"] = lambda many: _hit(constant, script=script, connections=many)
        synced = stack.enter_context(_granian(folder, "synced:app", "asgi"))
        servers["the same, any bytes synced"] = lambda many: _hit(synced, script=script, connections=many)
        nginx = stack.enter_context(_nginx(folder))
        if nginx is not None:
            servers["nginx, static file"] = lambda many: _hit(nginx, script=script, connections=many)
        django = stack.enter_context(_gunicorn(folder))
        if django is not None:
            path = _pytracking_path()
            servers["pytracking2 in Django, no storage"] = lambda many: _hit(django, path=path, connections=many)
            servers["Django ORM, insert per hit"] = lambda many: _hit(django, path="/orm/", connections=many)
        for connections in (CONNECTIONS, MANY_CONNECTIONS):
            rounds: dict[str, list[Round]] = {name: [] for name in servers}
            for _ in range(ROUNDS):
                for name, hit in servers.items():
                    rounds[name].append(hit(connections))
            _print_speed(rounds, connections)


def _print_speed(rounds: dict[str, list[Round]], connections: int) -> None:
    speeds = {name: median(r.hits_s for r in taken) for name, taken in rounds.items()}
    fastest = max(speeds.values())
    print(f"  {connections} connections, {ROUNDS} rounds of {ROUND_S} s each in turn, medians")
    for name, taken in rounds.items():
        speed = speeds[name]
        p50, p99, cpu = (median(getattr(r, field) for r in taken) for field in ("p50_ms", "p99_ms", "cpu_us"))
        ratio = ""
        if name in ASKED and speed:
            asked = f"asked {ASKED[name]:g}; the fastest here is {fastest / speed:.3g} x"
            ratio = f"{speeds[OURS] / speed:8.2f} x of it ({asked})"
        print(f"  {name:<34}{speed:9,.0f} hits/s{cpu:9.1f} us CPU   p50 {p50:6.1f} ms   p99 {p99:7.1f} ms{ratio}")


def _measure_busy_disk(folder: Path) -> None:
    """Print the p99 of replies beside that of an fsync, while another process syncs all the time."""
    script = folder / "tokens.lua"
    ratios, syncs = [], []
    with _mailnod(folder) as port:
        for _ in range(ROUNDS):
            with _busy_disk(folder) as taken_s:
                seen = _hit(port, script=script)
            p99_ms = sorted(taken_s)[int(len(taken_s) * 0.99)] * 1000
            ratios.append(seen.p99_ms / p99_ms)
            syncs.append((seen.p99_ms, p99_ms))
    reply, sync = (median(pair[i] for pair in syncs) for i in (0, 1))
    print(
        f"  busy disk: p99 of a reply {reply:.1f} ms, of an fsync in the same seconds {sync:.1f} ms, "
        f"{median(ratios):.1f} x (asked at most 3)"
    )


def _measure_crowd(folder: Path) -> None:
    """Print how many of the hits of a crowd, each on a connection of its own, were answered and are on disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < CROWD + 1000:
        print(f"  crowd: skipped, because this system grants {hard} open files")
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    place = folder / "crowd"
    place.mkdir()
    with _mailnod(place) as port:
        process = _find_server(port)
        before = _read_memory(process)
        began = time.perf_counter()
        answered = asyncio.run(_send_crowd(port))
        took_s = time.perf_counter() - began
        after = _read_memory(process)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    # With so long a time to settle, hits come into the store and are not judged.
    settings = Settings(database=place / "mailnod.db", worker="none", settle_s=86_400)
    tracker = Tracker(settings, keyring=Keyring.parse(KEYS), load_entry_points=False)
    tracker.work_once()
    stored = tracker.store.count_waiting()
    tracker.close()
    lost = max(answered - stored, 0)
    print(
        f"  crowd: {CROWD:,} connections at once, {answered:,} answered in {took_s:.1f} s, {lost} of these lost; "
        f"memory {before:.0f} MB before, {after:.0f} MB at most"
    )


async def _send_crowd(port: int) -> int:
    """Open all connections first, then let each ask for a pixel; return how many got one."""
    tokens = make_tokens()
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CROWD)]

    async def ask(number: int) -> bool:
        reader, writer = streams[number]
        path = f"/o/{tokens[number % len(tokens)]}.gif"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n".encode())
        reply = await reader.read()
        writer.close()
        return reply.startswith(b"HTTP/1.1 200") and reply.endswith(PIXEL)

    return sum(await asyncio.gather(*map(ask, range(CROWD))))


def _find_server(port: int) -> int:
    """Return the id of the process that answers on a port: the one of ours that has most memory."""
    return max(_find_processes(port), key=_read_memory)


def _read_memory(process: int) -> float:
    """Return the most memory that a process has had, in megabytes."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


@contextlib.contextmanager
def _busy_disk(folder: Path) -> Iterator[list[float]]:
    """Write and sync without pause meanwhile, and give how long each sync took, in seconds."""
    stop = Event()
    taken_s: list[float] = []

    def work() -> None:
        with (folder / "busy").open("r+b" if (folder / "busy").exists() else "w+b", buffering=0) as file:
            while not stop.is_set():
                file.seek(0)
                file.write(os.urandom(65536))
                began = time.perf_counter()
                os.fsync(file.fileno())
                taken_s.append(time.perf_counter() - began)

    thread = Thread(target=work)
    thread.start()
    try:
        yield taken_s
    finally:
        stop.set()
        thread.join()


def _hit(port: int, *, script: Path | None = None, path: str = "/", connections: int = CONNECTIONS) -> Round:
    headers = [part for name, value in HEADERS.items() for part in ("-H", f"{name}: {value}")]
    extra = ["-s", str(script)] if script else []
    command = ["wrk", "-t1", f"-c{connections}", f"-d{ROUND_S}s", "--latency", *extra, *headers]
    processes = _find_processes(port)
    before_s = _read_cpu(processes)
    output = subprocess.run([*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True)
    text = output.stdout
    if "Non-2xx" in text:
        print(f"  port {port} answered errors: {text.splitlines()[-3]}", file=sys.stderr)
    speed = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert speed is not None, text
    number = re.search(r"(\d+) requests in", text)
    assert number is not None, text
    cpu_us = (_read_cpu(processes) - before_s) / max(int(number[1]), 1) * 1e6
    return Round(hits_s=float(speed[1]), p50_ms=_read_ms(text, "50%"), p99_ms=_read_ms(text, "99%"), cpu_us=cpu_us)


def _find_processes(port: int) -> list[int]:
    """Return the ids of our child that serves on a port and of all processes below it."""
    rows = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout.splitlines()
    pairs = [tuple(map(int, row.split())) for row in rows]
    found = [_SERVERS[port]]
    for process in found:
        found += [child for child, parent in pairs if parent == process]
    return found


def _read_cpu(processes: Sequence[int]) -> float:
    """Return how many seconds processes have used of the processors."""
    ticks = 0
    for process in processes:
        with contextlib.suppress(OSError):
            # After the name, which may hold anything, the 12th and 13th fields (proc(5)).
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _read_ms(text: str, percent: str) -> float:
    found = re.search(rf"{percent}\s+([\d.]+)(us|ms|s|m)\b", text)
    return 0.0 if found is None else float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[found[2]]


def make_tokens() -> list[str]:
    """Return the tokens of many mails, signed with :data:`KEYS`."""
    keyring = Keyring.parse(KEYS)
    expires_at = datetime.now(UTC) + timedelta(days=30)
    return [
        keyring.sign(number.to_bytes(8), opens=Mode.INDIVIDUAL, clicks=Mode.NONE, expires_at=expires_at)
        for number in range(TOKENS)
    ]


def _write_script() -> str:
    """Return wrk's script: every request has another of many tokens, as mail has."""
    listed = ",".join(f'"/o/{token}.gif"' for token in make_tokens())
    return (
        f"local paths = {{{listed}}}\nlocal at = 0\nlocal requests = {{}}\n"
        "init = function() for i, path in ipairs(paths) do requests[i] = wrk.format('GET', path) end end\n"
        "request = function() at = at % #requests + 1; return requests[at] end\n"
    )


def _pytracking_path() -> str:
    from pytracking import Configuration
    from pytracking.tracking import get_open_tracking_url

    url = get_open_tracking_url(
        {"to": "reader@example.com"}, configuration=Configuration(base_open_tracking_url="http://a.example/pytracking/")
    )
    return str(url).removeprefix("http://a.example")


@contextlib.contextmanager
def _mailnod(folder: Path, *, database: Path | None = None) -> Iterator[int]:
    port = _find_port()
    environ = {
        "MAILNOD_SECRET_KEYS": KEYS,
        "MAILNOD_DATABASE": str(database or folder / "mailnod.db"),
        # All hits come from one address, and some thousands from each mail.
        "MAILNOD_TOKEN_CAP": "0",
        "MAILNOD_SOURCE_CAP": "0",
        "MAILNOD_WORKER": "none",
    }
    code = "from mailnod.cli.main import cli; cli(prog_name='mailnod')"
    with _running([sys.executable, "-c", code, "serve", "--port", str(port)], port, folder, **environ):
        yield port


@contextlib.contextmanager
def _granian(folder: Path, app: str, interface: str) -> Iterator[int]:
    port = _find_port()
    command = [sys.executable, "-m", "granian", "--interface", interface, "--http", "1", "--no-ws", "--no-log", app]
    with _running([*command, "--port", str(port)], port, folder):
        yield port


@contextlib.contextmanager
def _gunicorn(folder: Path) -> Iterator[int | None]:
    if any(_is_missing(name) for name in ("pytracking", "django", "gunicorn")):
        print("  without Django: pytracking2, django or gunicorn is not installed")
        yield None
        return
    port = _find_port()
    command = [sys.executable, "-m", "gunicorn", "--workers", "2", "--threads", "8", "django_app:application"]
    with _running([*command, "--bind", f"127.0.0.1:{port}", "--log-level", "error"], port, folder):
        yield port


@contextlib.contextmanager
def _nginx(folder: Path) -> Iterator[int | None]:
    if shutil.which("nginx") is None:
        print("  without nginx: it is not installed")
        yield None
        return
    port = _find_port()
    (folder / "pixel.gif").write_bytes(PIXEL)
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit;"
        f"events {{ worker_connections 1024; }} http {{ access_log off; keepalive_requests 100000000; "
        f"client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3; "
        f"uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5; server {{ listen 127.0.0.1:{port}; "
        f"location / {{ root {folder}; try_files /pixel.gif =404; types {{ }} default_type image/gif; }} }} }}\n"
    )
    folder.chmod(0o755)
    with _running(["nginx", "-c", str(folder / "nginx.conf")], port, folder):
        yield port


@contextlib.contextmanager
def _running(command: Sequence[str], port: int, folder: Path, **environ: str) -> Iterator[None]:
    """Run a server in a folder until the block ends, from when it takes connections."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), **environ}
    with subprocess.Popen(command, cwd=folder, env=variables, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for_port(port, process)
            _SERVERS[port] = process.pid
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(START_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_LIMIT_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{process.args!r} does not start")
        time.sleep(0.05)


def _find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _is_missing(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is None


if __name__ == "__main__":
    main()
