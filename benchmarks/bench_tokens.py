"""What a token costs, beside itsdangerous and pytracking2 in the same run."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from timeit import Timer

import pytracking
from itsdangerous import URLSafeSerializer

from mailnod.model import Mode
from mailnod.tokens import Key, Keyring, KeyState, new_secret

RUNS = 7
CALLS = 20_000
#: The most that a token may cost, in microseconds.
BUDGET_US = 2.0
URL = "https://example.com/spring?page=2"


def main() -> None:
    """Print a line for each way to make and to read a token."""
    keyring = Keyring([Key(id=0, state=KeyState.SIGNING, secret=new_secret())])
    delivery_id, now = secrets.token_bytes(8), datetime.now(UTC)
    expires_at = now + timedelta(days=30)
    token = keyring.sign(delivery_id, opens=Mode.INDIVIDUAL, clicks=Mode.INDIVIDUAL, expires_at=expires_at)
    tag = keyring.tag_link(3, URL)
    claims = keyring.verify(token, now=now)
    serializer = URLSafeSerializer(new_secret())
    payload = {"delivery": delivery_id.hex(), "mode": 17, "until": expires_at.date().isoformat()}
    serialized = serializer.dumps(payload)
    configuration = pytracking.Configuration(
        base_open_tracking_url="https://app.example/o/", base_click_tracking_url="https://app.example/c/"
    )
    opened = pytracking.get_open_tracking_url(payload, configuration=configuration)

    def sign() -> str:
        return keyring.sign(delivery_id, opens=Mode.INDIVIDUAL, clicks=Mode.INDIVIDUAL, expires_at=expires_at)

    signed_us = _measure(sign)
    _show("make a token", signed_us, signed_us)
    _show("  itsdangerous URLSafeSerializer.dumps", _measure(lambda: serializer.dumps(payload)), signed_us)
    _show(
        "  pytracking2 get_open_tracking_url (unsigned)",
        _measure(lambda: pytracking.get_open_tracking_url(payload, configuration=configuration)),
        signed_us,
    )
    verified_us = _measure(lambda: keyring.verify(token, now=now))
    _show("read a token", verified_us, verified_us)
    _show("  itsdangerous URLSafeSerializer.loads", _measure(lambda: serializer.loads(serialized)), verified_us)
    _show(
        "  pytracking2 get_open_tracking_result (unsigned)",
        _measure(lambda: pytracking.get_open_tracking_result(opened, configuration=configuration)),
        verified_us,
    )
    _show("seal a link, once per template", tagged_us := _measure(lambda: keyring.tag_link(3, URL)), tagged_us)
    _show("check a link", checked_us := _measure(lambda: keyring.verify_link(claims, 3, URL, tag)), checked_us)
    print(f"budget for a token: {BUDGET_US} us, {'kept' if signed_us <= BUDGET_US else 'EXCEEDED'}")


def _measure(call: Callable[[], object]) -> float:
    """Return the least time of one call, in microseconds."""
    return min(Timer(call).repeat(RUNS, CALLS)) / CALLS * 1e6


def _show(what: str, took_us: float, ours_us: float) -> None:
    print(f"{what:<50}{took_us:8.2f} us{took_us / ours_us:8.1f} x")
