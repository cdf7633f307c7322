"""The collector as ASGI."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from mailnod.collect.asgi import make_app, wrap_app
from mailnod.collect.collector import PIXEL_REPLY, Request
from mailnod.collect.ticks import Lane
from mailnod.model import Hit, Observation, Recorded, Reply

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HIT = Hit(kind="open", method="GET", ip=None, user_agent="", headers={}, received_at=NOW)
OBSERVATION = Observation(id=b"0123456789abcdef", hit=HIT, delivery_id=b"delivery")


class Seen:
    """Answers every request, keeps it, and has each of them recorded."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        #: How many hits each commit held.
        self.commits: list[int] = []

    def read(self, request: Request) -> tuple[Reply, Recorded | None]:
        self.requests.append(request)
        headers = (("Content-Type", "image/gif"), ("Content-Length", "1"))
        return Reply(status=200, headers=headers, body=b"x"), OBSERVATION

    def open_lane(self) -> Lane | None:
        return None

    def record(self, items: Sequence[Recorded]) -> None:
        self.commits.append(len(items))


class SlowDisk(Seen):
    """Writes nothing before it is told to.

    :param expected: how many hits it is to write.
    """

    def __init__(self, expected: int) -> None:
        super().__init__()
        self.expected = expected
        self.began, self.freed, self.finished = threading.Event(), threading.Event(), threading.Event()

    def record(self, items: Sequence[Recorded]) -> None:
        self.began.set()
        # The limit only ends a test that hangs.
        assert self.freed.wait(30)
        super().record(items)
        if sum(self.commits) == self.expected:
            self.finished.set()


async def inner(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "the app's own", "scope": scope["type"]})


def make_scope(path: str, **values: Any) -> dict[str, Any]:
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "query_string": b"", "headers": []}
    return {**scope, "client": ("203.0.113.9", 4711), **values}


def call(app: Any, path: str, **values: Any) -> list[dict[str, Any]]:
    """Return what an app sends for one request."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body of a hit is not read")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(make_scope(path, **values), receive, send))
    return sent


@pytest.mark.parametrize(
    ("path", "rest"),
    [("/t/o/a.gif", "/o/a.gif"), ("/t/c/a.1.b", "/c/a.1.b"), ("/deep/er/o/a.gif", "/o/a.gif")],
)
def test_tracking_paths_are_answered_without_the_app(path: str, rest: str) -> None:
    """Paths below a base URL's path never reach the app."""
    seen = Seen()
    start, body = call(wrap_app(inner, seen, ["https://a.example/t", "https://b.example/deep/er"]), path)
    assert (start["type"], start["status"]) == ("http.response.start", 200)
    assert start["headers"] == [(b"content-type", b"image/gif"), (b"content-length", b"1")]
    assert body == {"type": "http.response.body", "body": b"x"}
    assert seen.requests[0].path == rest


@pytest.mark.parametrize("path", ["/", "/t", "/t/", "/t/x", "/o/a.gif", "/tt/o/a.gif", "/x/t/o/a.gif", "/T/o/a.gif"])
def test_every_other_path_belongs_to_the_app(path: str) -> None:
    """Nothing outside the tracking paths is taken from the app."""
    assert call(wrap_app(inner, Seen(), ["https://a.example/t"]), path)[0]["type"] == "the app's own"


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_everything_but_http_belongs_to_the_app(kind: str) -> None:
    """Web sockets and the server's start and end are the app's, whatever their path is."""
    sent = call(wrap_app(inner, Seen(), ["https://a.example/t"]), "/t/o/a.gif", type=kind)
    assert sent == [{"type": "the app's own", "scope": kind}]


@pytest.mark.parametrize("path", ["/shop/t/o/a.gif", "/t/o/a.gif"])
def test_app_below_a_root_path_is_found_by_its_full_path(path: str) -> None:
    """The base URL's path counts from the host, whether the server puts the root path into the path or not."""
    seen = Seen()
    call(wrap_app(inner, seen, ["https://a.example/shop/t"]), path, root_path="/shop")
    assert seen.requests[0].path == "/o/a.gif"


def test_without_a_base_url_everything_belongs_to_the_app() -> None:
    """An app that has no base URL is wrapped without effect."""
    assert call(wrap_app(inner, Seen(), []), "/o/a.gif")[0]["type"] == "the app's own"


@pytest.mark.parametrize("path", ["/o/a.gif", "/any/prefix/o/a.gif", "/c/c/o/a.gif"])
def test_collector_alone_answers_under_any_prefix(path: str) -> None:
    """A proxy in front may cut the prefix or keep it."""
    seen = Seen()
    assert call(make_app(seen), path)[0]["status"] == 200
    assert seen.requests[0].path == "/o/a.gif"


def test_collector_alone_knows_no_other_path() -> None:
    """Everything else is not found, and web sockets are refused."""
    assert call(make_app(Seen()), "/favicon.ico")[0]["status"] == 404
    assert call(make_app(Seen()), "/o/a.gif", type="websocket") == []


def test_collector_alone_starts_and_ends_with_its_server() -> None:
    """The lifespan protocol is answered to its end."""
    stages = iter(["lifespan.startup", "lifespan.shutdown"])
    sent: list[str] = []
    app: Any = make_app(Seen())

    async def receive() -> dict[str, str]:
        return {"type": next(stages)}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(app({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_request_carries_what_the_client_sent() -> None:
    """Method, query, headers and peer reach the collector; a server behind a Unix socket names no peer."""
    seen = Seen()
    app = make_app(seen)
    call(app, "/c/a.1.b", query_string=b"u=x%20y", headers=[(b"user-agent", "Ümlaut".encode("latin-1"))])
    call(app, "/c/a.1.b", method="HEAD", client=None)
    first, second = seen.requests
    assert (first.method, first.query, first.peer) == ("GET", "u=x%20y", "203.0.113.9")
    assert first.headers == (("user-agent", "Ümlaut"),)
    assert (second.method, second.peer) == ("HEAD", None)


def test_forwarded_addresses_are_found_in_any_case() -> None:
    """A server that passes on the names of headers as they came hides no client behind its proxy."""
    seen = Seen()
    headers = [(b"X-Forwarded-For", b"198.51.100.1"), (b"Accept", b"*/*"), (b"x-forwarded-for", b"10.0.0.2")]
    call(make_app(seen), "/o/a.gif", headers=headers)
    (request,) = seen.requests
    assert request.forwarded == "198.51.100.1,10.0.0.2"
    assert list(request.headers) == [("Accept", "*/*")]


def test_headers_may_be_lists() -> None:
    """A server may give each header as a list, by the specification, and the proxy's are found among them too."""
    seen = Seen()
    call(make_app(seen), "/o/a.gif", headers=[[b"accept", b"*/*"], [b"x-forwarded-for", b"198.51.100.1"]])
    (request,) = seen.requests
    assert request.forwarded == "198.51.100.1"
    assert list(request.headers) == [("accept", "*/*")]


@pytest.mark.parametrize(("path", "quoted"), [("/c/a?u=x", "/c/a%3Fu%3Dx"), ("/c/ü\udcff", "/c/%C3%BC%3F")])
def test_decoded_characters_stay_in_the_path(path: str, quoted: str) -> None:
    """A percent-encoded question mark, decoded by the server, does not become a query, and no path is an error."""
    seen = Seen()
    call(make_app(seen), path)
    assert seen.requests[0].path == quoted


async def request_all(app: Any, number: int, log: list[str]) -> None:
    """Request a pixel so many times at once, and note each reply that leaves."""

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body of a hit is not read")

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            log.append("replied")

    await asyncio.gather(*(app(make_scope("/o/a.gif"), receive, send) for _ in range(number)))


def test_hits_of_one_turn_of_the_loop_share_a_commit() -> None:
    """What is ready at the same time is written at the same time."""
    seen = Seen()
    log: list[str] = []
    asyncio.run(request_all(make_app(seen), 50, log))
    assert seen.commits == [50]
    assert len(log) == 50


def test_replies_leave_after_the_commit_and_the_loop_goes_on_meanwhile() -> None:
    """While a hit is written the event loop serves others; its reply waits, and later hits share the next commit."""
    disk = SlowDisk(4)
    app = make_app(disk)
    log: list[str] = []

    async def run() -> None:
        first = asyncio.create_task(request_all(app, 1, log))
        assert await asyncio.to_thread(disk.began.wait, 30)
        others = asyncio.create_task(request_all(app, 3, log))
        await asyncio.sleep(0)
        log.append("the loop goes on")
        disk.freed.set()
        await asyncio.gather(first, others)

    asyncio.run(run())
    assert log == ["the loop goes on", *["replied"] * 4]
    assert disk.commits == [1, 3]


def test_request_that_is_cancelled_takes_no_other_one_along() -> None:
    """Hits share a commit, and a request that its server gives up leaves the others' replies to them."""
    disk = SlowDisk(2)
    app = make_app(disk)
    log: list[str] = []

    async def run() -> None:
        given_up, other = (asyncio.create_task(request_all(app, 1, log)) for _ in range(2))
        assert await asyncio.to_thread(disk.began.wait, 30)
        given_up.cancel()
        disk.freed.set()
        await other
        with pytest.raises(asyncio.CancelledError):
            await given_up

    asyncio.run(asyncio.wait_for(run(), 30))
    assert log == ["replied"]
    assert disk.commits == [2]


def test_what_is_added_around_the_app_is_for_one_client_alone() -> None:
    """A middleware that adds to a reply, such as a cookie, adds nothing to the next client's."""

    class Pixels(Seen):
        def read(self, request: Request) -> tuple[Reply, Recorded | None]:
            return PIXEL_REPLY, None

    app = make_app(Pixels())
    first, second = call(app, "/o/a.gif"), call(app, "/o/a.gif")
    first[0]["headers"].append((b"set-cookie", b"session=1"))
    first[0]["status"] = first[1]["body"] = None
    assert call(app, "/o/a.gif") == second


def test_disk_that_hangs_holds_up_no_reply() -> None:
    """Replies leave without their commit after a fifth of a second, and the hits are written once the disk can."""
    disk = SlowDisk(5)
    app = make_app(disk)
    log: list[str] = []

    async def run() -> None:
        await request_all(app, 2, log)
        await request_all(app, 3, log)
        assert not disk.commits

    asyncio.run(asyncio.wait_for(run(), 30))
    assert log == ["replied"] * 5
    disk.freed.set()
    assert disk.finished.wait(30)


class PipeLane:
    """Writes to no disk, and tells of it through a pipe, or never.

    :param outcome: what becomes of a batch; None hangs.
    """

    def __init__(self, outcome: bool | None) -> None:
        self.outcome = outcome
        self.begun: list[int] = []
        self.left = 0
        self.takes = True
        self.reader, self.writer = os.pipe()

    def fileno(self) -> int:
        return self.reader

    def begin(self, items: Sequence[Recorded]) -> bool:
        if not self.takes:
            return False
        self.begun.append(len(items))
        if self.outcome is not None:
            os.write(self.writer, b"x")
        return True

    def finish(self) -> bool | None:
        os.read(self.reader, 1)
        return self.outcome

    def leave(self) -> None:
        self.left += 1


class Laned(Seen):
    """Has a lane."""

    def __init__(self, outcome: bool | None) -> None:
        super().__init__()
        self.lane = PipeLane(outcome)

    def open_lane(self) -> Lane | None:
        return self.lane


def test_hits_in_a_lane_need_no_other_record() -> None:
    """Replies leave when the lane tells of their commit; what it does not take goes the other way."""
    seen = Laned(outcome=True)
    app = make_app(seen)
    log: list[str] = []

    async def run() -> None:
        await request_all(app, 5, log)
        seen.lane.takes = False
        await request_all(app, 4, log)

    asyncio.run(asyncio.wait_for(run(), 30))
    assert (seen.lane.begun, seen.commits, len(log)) == ([5], [4], 9)


@pytest.mark.parametrize("outcome", [False, None], ids=["fails", "hangs"])
def test_hits_whose_commit_fails_or_hangs_are_recorded_by_other_means(outcome: bool | None) -> None:
    """What a lane fails to write, or has not written after an eighth of a second, is recorded in a thread."""
    seen = Laned(outcome)
    log: list[str] = []
    asyncio.run(asyncio.wait_for(request_all(make_app(seen), 5, log), 30))
    assert (seen.lane.begun, seen.commits, len(log)) == ([5], [5], 5)
    assert seen.lane.left == (outcome is None)


def test_two_loops_at_a_time_keep_their_ways() -> None:
    """An app that is called in two loops, each in a thread of its own, opens one way for each."""
    opened = []

    class Counted(Seen):
        def open_lane(self) -> Lane | None:
            opened.append(threading.current_thread().name)
            return None

    app = make_app(Counted())

    async def run() -> None:
        for _ in range(3):
            await request_all(app, 1, [])
            await asyncio.to_thread(turns.wait, 30)

    turns = threading.Barrier(2)
    threads = [threading.Thread(target=lambda: asyncio.run(run()), name=name) for name in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(opened) == ["one", "other"]


def test_each_event_loop_has_its_own_commits() -> None:
    """An app that is called in one loop after another works in each."""
    app = make_app(seen := Seen())
    for _ in range(2):
        asyncio.run(request_all(app, 2, []))
    assert seen.commits == [2, 2]


def test_a_short_link_is_looked_up_off_the_event_loop() -> None:
    """Reading a short link's destination may wait for a disk, and so is a thread's to do."""

    class Threads(Seen):
        def read(self, request: Request) -> tuple[Reply, Recorded | None]:
            threads[request.path] = threading.current_thread() is threading.main_thread()
            return super().read(request)

    threads: dict[str, bool] = {}
    short, portable = f"/c/{'t' * 32}.3", f"/c/{'t' * 32}.3.{'g' * 16}"
    for path in (short, portable):
        assert call(make_app(Threads()), path)[0]["status"] == 200
    assert threads == {short: False, portable: True}
