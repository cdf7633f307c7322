"""Where the time of one hit goes in Python: the steps that ``mailnod serve`` takes beyond its server's own work."""

from __future__ import annotations

import tempfile
import timeit
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.bench_collect import CONNECTIONS, HEADERS, KEYS, make_tokens

from mailnod.collect.requests import Request, keep_headers
from mailnod.model import Observation
from mailnod.settings import Settings
from mailnod.store.ids import new_id
from mailnod.store.rows import write_observation
from mailnod.tokens import Keyring
from mailnod.tracker import Tracker


def main() -> None:
    """Print the least time of many that each step takes."""
    keyring = Keyring.parse(KEYS)
    token = make_tokens()[0]
    now = datetime.now(UTC)
    raw = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
    with tempfile.TemporaryDirectory(prefix="mailnod-bench-") as name:
        settings = Settings(database=Path(name) / "mailnod.db", worker="none", token_cap=0, source_cap=0)
        tracker = Tracker(settings, keyring=keyring, load_entry_points=False)
        request = Request(method="GET", path=f"/o/{token}.gif", query="", headers=headers, peer="192.0.2.1")
        item = tracker.read(request)[1]
        assert isinstance(item, Observation)
        steps: dict[str, Callable[[], object]] = {
            "decode the headers": lambda: [(n.decode("latin-1"), v.decode("latin-1")) for n, v in raw],
            "read a hit, all in all": lambda: tracker.read(request),
            "  of it: verify the token": lambda: keyring.verify(token, now=now),
            "  of it: keep headers": lambda: keep_headers(headers),
            "  of it: make an id": lambda: new_id(now),
            "make its row": lambda: write_observation(item),
        }
        for step, work in steps.items():
            print(f"  {step:<36}{min(timeit.repeat(work, number=20, repeat=1000)) / 20 * 1e6:10.1f} us")
        batch = [item] * CONNECTIONS
        took_s = min(timeit.repeat(lambda: tracker.record(batch), number=1, repeat=200)) / CONNECTIONS
        print(f"  {f'write and sync it, {CONNECTIONS} at once':<36}{took_s * 1e6:10.1f} us")
        tracker.close()


if __name__ == "__main__":
    main()
