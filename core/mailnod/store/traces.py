"""What is kept of a hit whose raw facts are erased: the same for every engine."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from mailnod.model import Hit, Traces

__all__ = ["hash_ip", "make_traces"]

#: Enough to tell the addresses of one store apart, and few enough to keep one with each hit.
_HASH_BYTES = 6


def make_traces(hit: Hit, *, key: bytes, name_network: Callable[[str], str | None] = lambda _: None) -> Traces:
    """Return what stays of a hit.

    :param key: a secret of the store, 16 to 64 bytes.
    :param name_network: names the class of the network of an address.
    """
    return Traces(
        ip_hash=hash_ip(hit.ip, key=key),
        user_agent_hash=_hash(hit.user_agent, key, b"user agent"),
        network=None if hit.ip is None else name_network(hit.ip),
        header_names=tuple(sorted(hit.headers or ())),
    )


def hash_ip(ip: str | None, *, key: bytes) -> bytes | None:
    """Return the hash under which an address is looked for; None where there is none."""
    return _hash(ip, key, b"ip")


def _hash(value: str | None, key: bytes, label: bytes) -> bytes | None:
    if value is None:
        return None
    # Labels keep an address from ever sharing a hash with an agent; 16 bytes are what BLAKE2b takes for one.
    return blake2b(value.encode("utf-8", "surrogatepass"), key=key, person=label, digest_size=_HASH_BYTES).digest()
