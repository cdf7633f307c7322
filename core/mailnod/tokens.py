"""Sign and verify the tokens and link tags that tracked mail carries.

A token is 24 bytes, 32 URL-safe characters: version and key id (4 bits each), the mode of opens and clicks (4 bits
each), the last day that records (2 bytes, days since 1970-01-01), the delivery id (8 bytes) and a MAC (12 bytes, keyed
BLAKE2b, RFC 7693). A link tag is a MAC of 96 bits over the link's position and its exact destination; it depends on the
template and not on the recipient, so it is computed once for a whole campaign. Neither holds an address, a name or a
campaign.
"""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64encode
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest
from hmac import digest as hmac_digest
from struct import Struct

from mailnod.errors import ConfigurationError, TokenError
from mailnod.model import Claims, Mode, TokenState

__all__ = ["MAX_KEYS", "TAG_CHARS", "TOKEN_CHARS", "Key", "KeyState", "Keyring", "new_secret"]

#: Length of a token and of a link tag, in characters.
TOKEN_CHARS = 32
TAG_CHARS = 16
#: Key ids run from 0 to 15, because a token has four bits for them.
MAX_KEYS = 16

VERSION = 1
MAC_BYTES = 12
BODY_BYTES = 12
#: A secret with fewer characters can perhaps be guessed.
MIN_SAFE_CHARS = 32
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_ORDINAL = EPOCH.toordinal()
LAST_DAY = 0xFFFF
NEW_KEYS_HINT = "make one with 'mailnod keys new'"

# base64.urlsafe_b64encode costs a third of a microsecond more than its two steps, on a path with a budget of two.
_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")
#: The way back; what is no URL-safe character, the padding among them, becomes what no base64 has.
_FROM_URLSAFE = bytes.maketrans(b"-_+/=", b"+/!!!")
_HEAD = Struct(">BBH8s")
#: The modes by their four bits.
_MODES = tuple(Mode.INDIVIDUAL if bits == Mode.INDIVIDUAL else Mode.NONE for bits in range(16))
#: What verifies with one key: the MACs of tokens and of links; and the state of a token until its last day has ended,
#: and from then on.
_Verifier = tuple[blake2b, blake2b, TokenState, TokenState]
_LISTED_KEY = re.compile(r"(\d{1,2}):([a-z]+):(\S+)", re.ASCII)


class KeyState(StrEnum):
    """What a key may still do."""

    #: Signs new mail; exactly one key has this state.
    SIGNING = "signing"
    #: Older; its mail still records.
    VERIFYING = "verifying"
    #: Its mail redirects and records nothing.
    RETIRED = "retired"
    #: Its mail gets 404, as if the key had never been: for a key that leaked.
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One secret with its id and state."""

    #: 0 to 15.
    id: int
    state: KeyState
    secret: str = field(repr=False)


def new_secret() -> str:
    """Return a fresh random secret of 256 bits, 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


class Keyring:
    """The keys that sign and verify; immutable.

    :param keys: at most 16; exactly one signs. Ids may repeat only among keys that were derived.
    :param derived: whether the keys were derived from an app's own secret.
    :raises ConfigurationError: no signing key, or more than one.
    """

    def __init__(self, keys: Sequence[Key], *, derived: bool = False) -> None:
        signing = [key for key in keys if key.state is KeyState.SIGNING]
        if len(signing) != 1:
            raise ConfigurationError(
                f"MAILNOD_SECRET_KEYS has {len(signing)} keys in state 'signing', it needs exactly one; {NEW_KEYS_HINT}"
            )
        #: All keys, in the order in which they were given.
        self.keys = tuple(keys)
        #: Whether the keys were derived from an app's own secret; rotating that without fallbacks kills sent links.
        self.derived = derived
        self._signing = signing[0]
        self._first_byte = VERSION << 4 | self._signing.id
        self._verifiers: dict[int, list[_Verifier]] = {}
        for key in (key for key in keys if key.state is not KeyState.REVOKED):
            self._verifiers.setdefault(key.id, []).append(_make_verifier(key))
        self._sign_token, self._sign_link, *_ = _make_verifier(self._signing)

    @classmethod
    def parse(cls, value: str) -> Keyring:
        """Read the setting ``MAILNOD_SECRET_KEYS``.

        :param value: ``id:state:secret`` entries separated by commas or white space, ids 0 to 15, or one bare secret
            without a colon, which is the signing key 0.
        :raises ConfigurationError: an entry cannot be read, an id repeats, or not exactly one key signs.
        """
        value = value.strip()
        if not value:
            raise ConfigurationError(f"MAILNOD_SECRET_KEYS is empty; {NEW_KEYS_HINT}")
        if ":" not in value:
            return cls([Key(id=0, state=KeyState.SIGNING, secret=value)])
        keys: dict[int, Key] = {}
        for position, entry in enumerate(re.split(r"[,\s]+", value.strip(", \t\r\n")), start=1):
            key = _parse_key(entry, position)
            if key.id in keys:
                raise ConfigurationError(f"MAILNOD_SECRET_KEYS uses the key id {key.id} twice; each needs its own")
            keys[key.id] = key
        return cls(list(keys.values()))

    @classmethod
    def derive(cls, secret_key: str | bytes, fallbacks: Sequence[str | bytes] = ()) -> Keyring:
        """Derive keys from an app's ``SECRET_KEY``, under a label of our own.

        A derived key's id comes from the key itself, so that it stays the same when the secret moves to the fallbacks.

        :param fallbacks: earlier secrets; they verify.
        """
        secrets_in_order = [secret_key, *fallbacks]
        states = [KeyState.SIGNING] + [KeyState.VERIFYING] * len(fallbacks)
        return cls([_derive_key(s, state) for s, state in zip(secrets_in_order, states, strict=True)], derived=True)

    def find_doubts(self) -> list[str]:
        """Return what is allowed and probably not meant, in words."""
        return [
            f"the secret of key {key.id} has {len(key.secret)} characters; who guesses it forges links; {NEW_KEYS_HINT}"
            for key in self.keys
            if len(key.secret) < MIN_SAFE_CHARS and key.state is not KeyState.REVOKED
        ]

    def to_setting(self) -> str:
        """Return the value of ``MAILNOD_SECRET_KEYS`` that :meth:`parse` reads back."""
        return ",".join(f"{key.id}:{key.state}:{key.secret}" for key in self.keys)

    def sign(self, delivery_id: bytes, *, opens: Mode, clicks: Mode, expires_at: datetime) -> str:
        """Return the token of a delivery.

        :param delivery_id: 8 bytes.
        :param expires_at: aware UTC; hits are recorded until this day ends, at most until 2149-06-06.
        :returns: 32 URL-safe characters.
        """
        last_day = expires_at.toordinal() - EPOCH_ORDINAL
        if last_day > LAST_DAY:
            last_day = LAST_DAY
        head = _HEAD.pack(self._first_byte, opens << 4 | clicks, last_day, delivery_id)
        mac = self._sign_token.copy()
        mac.update(head)
        return b2a_base64(head + mac.digest(), newline=False).translate(_TO_URLSAFE).decode("ascii")

    def verify(self, token: str, *, now: datetime) -> Claims:
        """Return what a genuine token says; its ``state`` tells whether a hit still records.

        A mode that this version does not know counts as none: the redirect works and nothing is recorded.

        :raises TokenError: the token is forged, cut, over-long, or its key is revoked or unknown.
        """
        raw = _decode(token, TOKEN_CHARS)
        head = raw[:BODY_BYTES]
        key_id = head[0] & 0x0F
        for token_mac, _, state, late_state in self._verifiers.get(key_id, ()):
            digest = token_mac.copy()
            digest.update(head)
            if compare_digest(digest.digest(), raw[BODY_BYTES:]) and head[0] >> 4 == VERSION:
                opens, clicks, expires_at = _read_terms(head[1:4])
                now_state = state if now < expires_at else late_state
                # What a call of the class does, in half of the time.
                return tuple.__new__(Claims, (head[4:], opens, clicks, key_id, expires_at, now_state))
        raise TokenError("the token is not genuine, or its key is revoked or unknown")

    def hide(self, text: str) -> str:
        """Return 16 hexadecimal digits that stand for a text, the same for as long as the signing key is."""
        mac = _mac(self._signing, b"mailnod-hide")
        mac.update(text.encode())
        return mac.hexdigest()[:16]

    def tag_link(self, index: int, url: str) -> str:
        """Return the tag of a link under the signing key.

        :param index: position of the link in its message, from 0.
        :param url: the exact destination.
        :returns: 16 URL-safe characters.
        """
        return urlsafe_b64encode(_tag(self._sign_link, index, url)).decode("ascii")

    def verify_link(self, claims: Claims, index: int, url: str, tag: str) -> None:
        """Check that a destination is one that we signed, with the key that the token names.

        :raises TokenError: it is not.
        """
        given = _decode(tag, TAG_CHARS)
        for _, link_mac, *_ in self._verifiers.get(claims.key_id, ()):
            if compare_digest(_tag(link_mac, index, url), given):
                return
        raise TokenError("the link's tag does not fit its destination")


def _parse_key(entry: str, position: int) -> Key:
    match = _LISTED_KEY.fullmatch(entry)
    if match is None:
        raise ConfigurationError(f"MAILNOD_SECRET_KEYS: entry {position} is not of the form id:state:secret")
    key_id, state, secret = int(match[1]), match[2], match[3]
    if key_id >= MAX_KEYS:
        raise ConfigurationError(f"MAILNOD_SECRET_KEYS: the id {key_id} of entry {position} is not in 0 to 15")
    if state not in set(KeyState):
        known = ", ".join(KeyState)
        raise ConfigurationError(f"MAILNOD_SECRET_KEYS: the state {state!r} of entry {position} is none of {known}")
    return Key(id=key_id, state=KeyState(state), secret=secret)


def _derive_key(secret: str | bytes, state: KeyState) -> Key:
    raw = secret.encode() if isinstance(secret, str) else secret
    if not raw:
        raise ConfigurationError(f"SECRET_KEY is empty and MAILNOD_SECRET_KEYS is not set; {NEW_KEYS_HINT}")
    derived = hmac_digest(b"mailnod derived key 1", raw, "sha256")
    return Key(id=derived[0] & 0x0F, state=state, secret=derived.hex())


def _mac(key: Key, label: bytes) -> blake2b:
    # A secret may have any length and BLAKE2b takes at most 64 bytes, so the secret is condensed first.
    condensed = blake2b(key.secret.encode(), person=b"mailnod-secret").digest()
    return blake2b(key=condensed, digest_size=MAC_BYTES, person=label)


def _make_verifier(key: Key) -> _Verifier:
    retired = key.state is KeyState.RETIRED
    states = (TokenState.RETIRED, TokenState.RETIRED) if retired else (TokenState.VALID, TokenState.EXPIRED)
    return _mac(key, b"mailnod-token"), _mac(key, b"mailnod-link"), *states


def _tag(link_mac: blake2b, index: int, url: str) -> bytes:
    # Destinations come from decoded HTML, where a lone surrogate is possible; the same bytes are made on both ways.
    destination = url.encode("utf-8", "surrogatepass")
    mac = link_mac.copy()
    mac.update(b"url1" + index.to_bytes(4) + len(destination).to_bytes(4) + destination)
    return mac.digest()


def _decode(text: str, chars: int) -> bytes:
    if len(text) == chars:
        try:
            # base64.urlsafe_b64decode has four calls around this one, and passes over what it does not know.
            return a2b_base64(text.encode("ascii").translate(_FROM_URLSAFE), strict_mode=True)
        except ValueError:
            pass
    raise TokenError(f"not {chars} URL-safe characters")


@lru_cache(maxsize=512)
def _read_terms(raw: bytes) -> tuple[Mode, Mode, datetime]:
    """Return the modes of opens and clicks, and when hits are no longer recorded: the same for all mail of a day."""
    expires_at = EPOCH + timedelta(days=int.from_bytes(raw[1:]) + 1)
    return _MODES[raw[0] >> 4], _MODES[raw[0] & 0x0F], expires_at
