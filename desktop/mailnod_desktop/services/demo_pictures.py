"""Pictures for the example mails, drawn here so that nobody's are needed, as PNG (ISO/IEC 15948)."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable
from functools import cache

__all__ = ["draw_harbour", "draw_swatch"]

_Colour = tuple[int, int, int]

_NIGHT: _Colour = (18, 38, 58)
_DUSK: _Colour = (232, 142, 92)
_SUN: _Colour = (255, 214, 150)
_LAMP: _Colour = (255, 226, 168)
_SEA: _Colour = (24, 76, 98)


@cache
def draw_harbour(width: int = 600, height: int = 220) -> bytes:
    """Return a low sun over the sea, and a pier with lamps."""
    horizon = round(height * 0.62)
    pier_top, pier_bottom = horizon + 6, horizon + 13
    lamps = range(width // 12, width - width // 3, width // 12)

    def paint(x: int, y: int) -> _Colour:
        if pier_top <= y < pier_bottom and x < width * 0.66:
            return 20, 30, 40
        for lamp in lamps:
            if x - lamp in (0, 1) and horizon - 16 <= y < pier_top:
                return 20, 30, 40
            distance = math.hypot(x - lamp, y - horizon + 18)
            if distance < 9:
                return _mix(_LAMP, _sky(y, horizon), min(1.0, distance / 9))
        if y < horizon:
            distance = math.hypot(x - width * 0.78, y - horizon + 14)
            return _SUN if distance < 30 else _mix(_SUN, _sky(y, horizon), min(1.0, (distance - 30) / 90))
        wave = math.sin(x / 17 + y * 0.9) + math.sin(x / 41 - y * 0.35)
        glow = max(0.0, 1 - abs(x - width * 0.78) / (40 + (y - horizon) * 1.4)) * (0.55 + 0.25 * wave)
        return _mix(_mix(_SEA, _NIGHT, (y - horizon) / (height - horizon)), _SUN, max(0.0, min(0.85, glow)))

    return _encode(width, height, paint)


@cache
def draw_swatch(hue: float, width: int = 96, height: int = 72) -> bytes:
    """Return a small picture of a thing in one colour.

    :param hue: 0 to 1.
    """
    front, ground = _tint(hue, 0.55), _tint(hue, 0.9)

    def paint(x: int, y: int) -> _Colour:
        across, down = (x - width / 2) / (width * 0.3), (y - height / 2) / (height * 0.36)
        inside = abs(across) ** 3 + abs(down) ** 3
        if inside > 1:
            return ground
        return _mix(front, (255, 255, 255), max(0.0, 0.35 - (across + down) * 0.25))

    return _encode(width, height, paint)


def _sky(y: int, horizon: int) -> _Colour:
    return _mix(_NIGHT, _DUSK, (y / horizon) ** 1.6)


def _mix(first: _Colour, second: _Colour, share: float) -> _Colour:
    a, b, c = (round(one + (other - one) * share) for one, other in zip(first, second, strict=True))
    return a, b, c


def _tint(hue: float, light: float) -> _Colour:
    a, b, c = (round(255 * (light + (1 - light) * 0.9 * math.cos(math.tau * (hue - third / 3)))) for third in range(3))
    return max(0, min(255, a)), max(0, min(255, b)), max(0, min(255, c))


def _encode(width: int, height: int, paint: Callable[[int, int], _Colour]) -> bytes:
    rows = b"".join(b"\0" + bytes(value for x in range(width) for value in paint(x, y)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
