"""Pictures for the example mails, drawn here so that nobody's are needed, as PNG (ISO/IEC 15948)."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from functools import cache
from itertools import chain

__all__ = ["draw_harbour", "draw_swatch"]

_Colour = tuple[int, int, int]

_NIGHT: _Colour = (18, 38, 58)
_DUSK: _Colour = (232, 142, 92)
_SUN: _Colour = (255, 214, 150)
_LAMP: _Colour = (255, 226, 168)
_SEA: _Colour = (24, 76, 98)
_PIER: _Colour = (20, 30, 40)
_WHITE: _Colour = (255, 255, 255)


@cache
def draw_harbour(width: int = 600, height: int = 220) -> bytes:
    """Return a low sun over the sea, and a pier with lamps."""
    horizon, sun = round(height * 0.62), round(width * 0.78)
    lamps = range(width // 12, width - width // 3, width // 12)
    rows = []
    for y in range(height):
        above = y < horizon
        ground = _mix(_NIGHT, _DUSK, (y / horizon) ** 1.6) if above else _sea(y, horizon, height)
        row = [ground] * width
        # Only what the sun reaches is painted point by point.
        reach = 120 if above else round(40 + (y - horizon) * 1.4)
        for x in range(max(sun - reach, 0), min(sun + reach, width)):
            row[x] = _shine(x - sun, y - horizon + 14, ground) if above else _glitter(x, y, x - sun, reach, ground)
        for lamp in lamps:
            _light(row, lamp, y - horizon)
        if horizon + 6 <= y < horizon + 13:
            row[: round(width * 0.66)] = [_PIER] * round(width * 0.66)
        rows.append(row)
    return _encode(rows)


@cache
def draw_swatch(hue: float, width: int = 96, height: int = 72) -> bytes:
    """Return a small picture of a thing in one colour.

    :param hue: 0 to 1.
    """
    front, ground = _tint(hue, 0.55), _tint(hue, 0.9)

    rows = []
    for y in range(height):
        row = []
        for x in range(width):
            across, down = (x - width / 2) / (width * 0.3), (y - height / 2) / (height * 0.36)
            inside = abs(across) ** 3 + abs(down) ** 3 <= 1
            row.append(_mix(front, _WHITE, max(0.0, 0.35 - (across + down) * 0.25)) if inside else ground)
        rows.append(row)
    return _encode(rows)


def _shine(across: int, down: int, ground: _Colour) -> _Colour:
    """Return the sky at a distance from the sun."""
    distance = math.hypot(across, down)
    return _SUN if distance < 30 else _mix(_SUN, ground, min(1.0, (distance - 30) / 90))


def _sea(y: int, horizon: int, height: int) -> _Colour:
    return _mix(_SEA, _NIGHT, (y - horizon) / (height - horizon))


def _glitter(x: int, y: int, across: int, reach: int, ground: _Colour) -> _Colour:
    """Return the water below the sun."""
    wave = math.sin(x / 17 + y * 0.9) + math.sin(x / 41 - y * 0.35)
    return _mix(ground, _SUN, max(0.0, min(0.85, (1 - abs(across) / reach) * (0.55 + 0.25 * wave))))


def _light(row: list[_Colour], lamp: int, below: int) -> None:
    """Draw what of a lamp stands in one row.

    :param below: how far the row is below the horizon; negative above it.
    """
    for x in range(lamp - 8, lamp + 9):
        distance = math.hypot(x - lamp, below + 18)
        if distance < 9:
            row[x] = _mix(_LAMP, row[x], distance / 9)
    if -16 <= below < 6:
        row[lamp : lamp + 2] = [_PIER, _PIER]


def _mix(first: _Colour, second: _Colour, share: float) -> _Colour:
    keep = 1 - share
    return (
        round(first[0] * keep + second[0] * share),
        round(first[1] * keep + second[1] * share),
        round(first[2] * keep + second[2] * share),
    )


def _tint(hue: float, light: float) -> _Colour:
    a, b, c = (round(255 * (light + (1 - light) * 0.9 * math.cos(math.tau * (hue - third / 3)))) for third in range(3))
    return max(0, min(255, a)), max(0, min(255, b)), max(0, min(255, c))


def _encode(rows: Sequence[Sequence[_Colour]]) -> bytes:
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 2, 0, 0, 0)
    # Each row begins with the number of its filter: none.
    data = b"".join(b"\0" + bytes(chain.from_iterable(row)) for row in rows)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(data, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
