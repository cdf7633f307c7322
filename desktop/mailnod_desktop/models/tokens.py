"""Read what stands in a token in the open, whoever signed it."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mailnod.tokens import TOKEN_CHARS

__all__ = ["TokenFacts", "read_token"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """What a token says of itself; its signature is not looked at."""

    #: 0 to 15.
    key_id: int
    #: First moment at which hits are no longer recorded, in UTC.
    expires_at: datetime
    #: How opens and clicks are tracked, in four bits each.
    modes: int
    #: Of the delivery, in hexadecimal digits.
    delivery: str


def read_token(token: str) -> TokenFacts | None:
    """Return what a token says; None where it is none.

    :param token: 32 URL-safe characters, as :mod:`mailnod.tokens` describes them.
    """
    try:
        raw = urlsafe_b64decode(token)
    except (ValueError, binascii.Error):
        return None
    if len(token) != TOKEN_CHARS or len(raw) * 4 != TOKEN_CHARS * 3:
        return None
    last_day = int.from_bytes(raw[2:4])
    return TokenFacts(
        key_id=raw[0] & 0x0F,
        expires_at=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=last_day + 1),
        modes=raw[1],
        delivery=raw[4:12].hex(),
    )
