"""Fuzz target: any bytes, read as HTML, are edited and restored exactly, or refused, in little time."""

from __future__ import annotations

import contextlib
import time

from mailnod.errors import RewriteError
from mailnod.html.encoded import decode_html
from mailnod.html.plan import compile_plan

__all__ = ["LIMIT_S", "check"]

#: Processor time for one input, of which libFuzzer makes no longer ones than 4 KiB; honest mail needs a thousandth.
LIMIT_S = 1.0
TOKEN = "0123456789abcdefghijklmnopqrst-_"
CHARSETS = ("utf-8", "windows-1252", "utf-16-le", "shift_jis", "iso-2022-jp")


def check(data: bytes) -> None:
    """Edit one input; the first byte chooses the charset.

    :raises AssertionError: where the promise is broken.
    """
    began = time.process_time()
    with contextlib.suppress(RewriteError):
        html = decode_html(data[1:], CHARSETS[data[0] % len(CHARSETS)] if data else None)
        plan = compile_plan(
            html.text,
            base_url="https://t.example",
            tag_link=lambda index, url: f"{index:016d}",
            track_opens=True,
            track_clicks=True,
        )
        assert plan.restore(plan.fill(TOKEN)) == html.text
        assert html.reads_as(html.fill(plan, TOKEN), plan.fill(TOKEN))
    assert time.process_time() - began < LIMIT_S
