"""Fill an HTML part as it stands on the wire, instead of encoding it afresh for each recipient.

A framework encodes a body for the way (quoted-printable, base64, or nothing at all) by rules of its own, at a cost that
grows with the body. All filled texts of one plan differ in their tokens alone, whose characters every encoding treats
alike, so that the framework is asked once, and its bytes are filled from then on.
"""

from __future__ import annotations

import re
import secrets
import threading
from binascii import a2b_base64, b2a_base64
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from string import ascii_lowercase, ascii_uppercase
from typing import Final, NamedTuple

from mailnod.html.plan import Plan
from mailnod.tokens import TOKEN_CHARS

__all__ = ["PLACEHOLDER", "WirePlan", "WirePlans", "compile_wire"]

#: What stands in for the HTML in a message whose bytes are to be completed; nobody can know it and write it into one.
PLACEHOLDER: Final = f"mailnod{secrets.token_hex(16)}"

#: How many parts a process keeps, and of plans of what length at most.
_KEPT = 16
_MAX_CHARS = 256 * 1024

_FIRST, _SECOND = "A" * TOKEN_CHARS, "B" * TOKEN_CHARS
#: Between them they hold every character of a token.
_PROOFS: Final = (f"{ascii_lowercase}012345", f"{ascii_uppercase}6789_-")
_DIFFERENT = re.compile(rb"[^\0]+")
_BASE64 = re.compile(rb"^content-transfer-encoding:[ \t]*base64[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_BLANK_LINE = re.compile(rb"\r?\n(\r?\n)")


class _Slot(NamedTuple):
    """A place for a token, which line breaks may cut."""

    #: None where the token stands as it is; else what is encoded in base64 before and behind it.
    around: tuple[bytes, bytes] | None
    #: The ranges of the encoded text that stand between the pieces, in order.
    cuts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WirePlan:
    """One part on the wire, with its own headers, ready to be filled."""

    pieces: tuple[bytes, ...]
    slots: tuple[_Slot, ...]
    #: The same part with :data:`PLACEHOLDER` for its text.
    placeholder: bytes

    def fill(self, token: str) -> bytes:
        """Return the part for one delivery.

        :param token: 32 characters of the URL-safe base64 alphabet.
        """
        raw = token.encode("ascii")
        pieces = iter(self.pieces)
        filled = [next(pieces)]
        for around, cuts in self.slots:
            text = raw if around is None else b2a_base64(around[0] + raw + around[1], newline=False)
            for start, end in cuts:
                filled += (text[start:end], next(pieces))
        return b"".join(filled)

    def complete(self, message: bytes, token: str) -> bytes | None:
        """Put the part for one delivery into a message that was made with :data:`PLACEHOLDER` in its place.

        :returns: the whole message; None where the place is not found, and the message must be made as ever.
        """
        before, found, after = message.partition(self.placeholder)
        return b"".join((before, self.fill(token), after)) if found and self.placeholder not in after else None


class WirePlans:
    """The parts of plans that come again; safe for threads, and bounded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # An entry holds its plan, so that no other plan can have the same id.
        self._entries: OrderedDict[Hashable, tuple[Plan, WirePlan | None, bool]] = OrderedDict()

    def find(self, plan: Plan, framing: Hashable, encode: Callable[[str], bytes]) -> WirePlan | None:
        """Return the part that a plan becomes on the wire; None for one that is met first, or cannot be filled so.

        :param framing: what the encoding depends on besides the text.
        :param encode: returns a text as the framework would send it: one part with its headers.
        """
        if len(plan.source) > _MAX_CHARS:
            return None
        key = (id(plan), framing)
        with self._lock:
            known = self._entries.get(key)
            if known is not None:
                self._entries.move_to_end(key)
        if known is None:
            # To compile costs several times what it saves, so it is not done for a body that may never come again.
            self._keep(key, (plan, None, False))
            return None
        if not known[2]:
            known = (plan, compile_wire(plan, encode), True)
            self._keep(key, known)
        return known[1]

    def _keep(self, key: Hashable, entry: tuple[Plan, WirePlan | None, bool]) -> None:
        with self._lock:
            self._entries[key] = entry
            while len(self._entries) > _KEPT:
                self._entries.popitem(last=False)


def compile_wire(plan: Plan, encode: Callable[[str], bytes]) -> WirePlan | None:
    """Learn from a framework how a plan's text stands on the wire, and prove it on each character of a token.

    :param encode: as for :meth:`WirePlans.find`.
    :returns: None where the encoding of one token depends on more than that token.
    """
    first, second = encode(plan.fill(_FIRST)), encode(plan.fill(_SECOND))
    blank = _BLANK_LINE.search(first)
    if blank is None or len(first) != len(second):
        return None
    body = blank.end()
    if _BASE64.search(first, 0, body):
        ranges = _find_base64_slots(first[body:], second[body:])
    else:
        ranges = _find_slots(first[body:], second[body:])
    if ranges is None or len(ranges) != len(plan.pieces) - 1 or first[:body] != second[:body]:
        return None
    slots, pieces, position = [], [], 0
    for around, places in ranges:
        offset, cuts = 0, []
        for start, end in places:
            pieces.append(first[position : body + start])
            position = body + end
            cuts.append((offset, offset + end - start))
            offset += end - start
        slots.append(_Slot(around, tuple(cuts)))
    pieces.append(first[position:])
    wire = WirePlan(pieces=tuple(pieces), slots=tuple(slots), placeholder=encode(PLACEHOLDER))
    return wire if all(wire.fill(token) == encode(plan.fill(token)) for token in _PROOFS) else None


#: Slots as they are found: what is encoded around the token, and the ranges of the body that it takes.
_Found = list[tuple[tuple[bytes, bytes] | None, list[tuple[int, int]]]]


def _find_slots(first: bytes, second: bytes) -> _Found | None:
    """Find the tokens in a body that shows them as they are, but for line breaks between their characters."""
    found: _Found = []
    filled = TOKEN_CHARS
    for start, end in _differ(first, second):
        if filled == TOKEN_CHARS:
            found.append((None, []))
            filled = 0
        found[-1][1].append((start, end))
        filled += end - start
        if filled > TOKEN_CHARS:
            return None
    return found if filled == TOKEN_CHARS else None


def _find_base64_slots(first: bytes, second: bytes) -> _Found | None:
    """Find the groups of base64 that tokens are part of; each stands for three bytes."""
    lines = first.splitlines(keepends=True)
    width = len(lines[0].rstrip())
    feed = len(lines[0]) - width
    decoded, other = a2b_base64(first), a2b_base64(second)
    found: _Found = []
    last = 0
    for start, end in _differ(decoded, other):
        group_start, group_end = start // 3 * 3, min(-(-end // 3) * 3, len(decoded))
        if end - start != TOKEN_CHARS or group_start < last:
            return None
        last = group_end
        around = decoded[group_start:start], decoded[end:group_end]
        begins, ends = group_start // 3 * 4, -(-group_end // 3) * 4
        # Line breaks cut the encoded text at multiples of its width.
        cuts = [begins, *range((begins // width + 1) * width, ends, width), ends]
        places = [(cut + cut // width * feed, cut + cut // width * feed + after - cut) for cut, after in pairwise(cuts)]
        found.append((around, places))
    return found


def _differ(first: bytes, second: bytes) -> Iterator[tuple[int, int]]:
    """Yield the ranges in which two texts of one length differ."""
    different = int.from_bytes(first) ^ int.from_bytes(second)
    for match in _DIFFERENT.finditer(different.to_bytes(len(first))):
        yield match.span()
