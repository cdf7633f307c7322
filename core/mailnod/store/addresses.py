"""How a recipient's address is normalised and hashed, so that one person has one history of consent."""

from __future__ import annotations

import hashlib
import unicodedata

__all__ = ["get_domain", "hash_address", "normalise_address"]


def normalise_address(address: str) -> str:
    """Return the one spelling of an address under which consent is kept.

    The display name goes, the domain takes its ASCII form (IDNA 2008 after UTS 46), and the whole address is
    case-folded. Servers may tell ``Ann`` from ``ann`` (RFC 5321, section 2.4), people do not: where both exist, a
    denial by one counts for both.

    :param address: a bare address, or one with a display name and angle brackets.
    """
    _, bracket, inner = address.rpartition("<")
    bare = inner.partition(">")[0] if bracket else address
    local, at, domain = unicodedata.normalize("NFC", bare.strip()).rpartition("@")
    return unicodedata.normalize("NFC", f"{local}{at}{_to_ascii(domain)}".casefold())


def get_domain(address: str) -> str:
    """Return the domain of an address, normalised; "" where it has none."""
    _, at, domain = normalise_address(address).rpartition("@")
    return domain if at else ""


def hash_address(address: str, *, key: bytes) -> bytes:
    """Return the keyed BLAKE2b hash (RFC 7693) of a normalised address.

    :param address: as :func:`normalise_address` takes it.
    :param key: the store's own key, 16 to 64 bytes; never one that signs tokens, whose rotation would lose denials.
    :returns: 16 bytes.
    """
    spelled = normalise_address(address).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(spelled, digest_size=16, key=key, person=b"mailnod-address").digest()


def _to_ascii(domain: str) -> str:
    domain = domain.rstrip(".")
    if domain.isascii():
        return domain
    import idna

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        # Not a name that DNS could hold; its own spelling still identifies it.
        return domain
