"""Fuzz target: no string passes for a token or a tag that was not made here, and each is judged in little time."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime, timedelta

from mailnod.errors import TokenError
from mailnod.model import Mode
from mailnod.tokens import Key, Keyring, KeyState

__all__ = ["LIMIT_S", "check"]

#: Processor time for one input.
LIMIT_S = 0.5
NOW = datetime(2026, 1, 1, tzinfo=UTC)
URL = "https://e.example/?a=1"
KEYRING = Keyring([Key(id=0, state=KeyState.SIGNING, secret="0123456789abcdefghijklmnopqrstuvwxyzABCDEFG")])
TOKEN = KEYRING.sign(b"8 octets", opens=Mode.INDIVIDUAL, clicks=Mode.NONE, expires_at=NOW + timedelta(days=30))
CLAIMS = KEYRING.verify(TOKEN, now=NOW)
TAG = KEYRING.tag_link(0, URL)


def check(data: bytes) -> None:
    """Judge one input as a token and as a tag.

    :raises AssertionError: where a forgery passes.
    """
    text = data.decode("utf-8", "surrogateescape")
    began = time.process_time()
    with contextlib.suppress(TokenError):
        KEYRING.verify(text, now=NOW)
        assert text == TOKEN
    with contextlib.suppress(TokenError):
        KEYRING.verify_link(CLAIMS, 0, URL, text)
        assert text == TAG
    assert time.process_time() - began < LIMIT_S
