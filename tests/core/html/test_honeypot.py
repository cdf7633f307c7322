"""The hidden link in a body."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnod.errors import RewriteError
from mailnod.html.encoded import decode_html
from mailnod.html.plan import CLIP_BYTES, Plan, compile_plan
from mailnod.html.scan import scan

BASE = "https://t.example"
TOKEN = "0123456789abcdefghijklmnopqrst-_"
HIDDEN = (
    f'<a href="{BASE}/c/{TOKEN}.999999.tag0000000999999" style="display:none;mso-hide:all" aria-hidden="true" '
    'tabindex="-1"></a>'
)
LINK = '<a href="https://e.example/">x</a>'


def compile_html(html: str, **options: Any) -> Plan:
    """Compile with both axes and the hidden link on."""
    chosen: dict[str, Any] = {"base_url": BASE, "track_opens": True, "track_clicks": True, "honeypot": True, **options}
    return compile_plan(html, tag_link=lambda index, url: f"tag{index:013d}", **chosen)


@pytest.mark.parametrize("html", [f"<p>{LINK}</p></body></html>", f"<p>{LINK}</p></html>", f"<p>{LINK}</p>"])
def test_hidden_link_stands_at_the_end_before_the_pixel(html: str) -> None:
    """It is the last thing in the body but the pixel, has no text, and is taken back exactly."""
    plan = compile_html(html)
    filled = plan.fill(TOKEN)
    assert f"</p>{HIDDEN}<img src=" in filled.replace("</p></html>", "</p>")
    assert plan.restore(filled) == html
    assert [link.index for link in plan.links] == [0]
    assert len(scan(filled).anchors) == 2


def test_it_seals_no_destination() -> None:
    """It leads to no place of the sender's, and the tag seals just that."""
    sealed: list[tuple[int, str]] = []

    def tag_link(index: int, url: str) -> str:
        sealed.append((index, url))
        return "t" * 16

    compile_plan(LINK, base_url=BASE, tag_link=tag_link, track_opens=False, track_clicks=True, honeypot=True)
    assert (999_999, "") in sealed


@pytest.mark.parametrize(
    ("html", "options"),
    [
        (LINK, {"honeypot": False}),
        (LINK, {"track_clicks": False}),
        ("<p>no link</p>", {}),
        ('<a href="#top">x</a>', {}),
        ("<frameset><frame></frameset>" + LINK, {}),
        (LINK + HIDDEN, {}),
        (LINK + HIDDEN.replace("&", "&amp;").replace("https:", "HTTPS:"), {}),
        (LINK + "x" * (CLIP_BYTES - 300), {}),
    ],
)
def test_no_hidden_link_where_it_has_no_use_or_does_harm(html: str, options: dict[str, Any]) -> None:
    """None is added unasked, without a tracked link, to a frameset, a second time, or where Gmail would then clip."""
    plan = compile_html(html, **options)
    assert plan.honeypot is None
    assert plan.fill(TOKEN).count("mso-hide") == html.count("mso-hide")


def test_mail_below_the_clip_stays_below_it() -> None:
    """The largest body that gets a hidden link still fits with its pixel at the end."""
    room = CLIP_BYTES - len(compile_html(LINK).fill(TOKEN))
    plan = compile_html(LINK + "x" * room)
    assert plan.honeypot is not None
    assert len(plan.fill(TOKEN)) == CLIP_BYTES
    assert plan.pixel == "end"
    larger = compile_html(LINK + "x" * (room + 1))
    assert (larger.honeypot, larger.pixel) == (None, "end")


def test_short_links_have_one_too() -> None:
    """The hidden link holds its tag in every style, because no store knows it."""
    assert HIDDEN in compile_html(LINK, link_style="short").fill(TOKEN)


@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "iso-2022-jp", "cp1252"])
def test_hidden_link_is_written_in_every_charset(charset: str) -> None:
    """The bytes read as the plan says."""
    encoded = decode_html(f"<p>{LINK}</p>".encode(charset), charset)
    plan = compile_html(encoded.text)
    assert encoded.fill(plan, TOKEN).decode(encoded.codec).lstrip("\ufeff") == plan.fill(TOKEN).lstrip("\ufeff")


def test_verify_knows_the_hidden_link() -> None:
    """A plan whose hidden link is missing, doubled or another than planned is refused."""
    plan = compile_html(f"<p>{LINK}</p>")
    plan.verify()
    assert plan.honeypot is not None
    for spoilt in (
        replace(plan, honeypot=None),
        replace(plan, honeypot=plan.honeypot._replace(after=plan.honeypot.after.replace("hidden", "shown"))),
        replace(plan, pieces=(*plan.pieces[:-1], plan.pieces[-1] + HIDDEN.replace(TOKEN, "A" * 32))),
    ):
        with pytest.raises(RewriteError):
            spoilt.verify()


@settings(max_examples=200)
@given(st.lists(st.sampled_from([LINK, "</body>", "</html>", "<!--", "-->", "<a href=x>", "<svg>", "<b", "é", "<p>"])))
def test_whatever_stands_at_the_end_is_restored(pieces: list[str]) -> None:
    """Either the plan verifies and gives back the source, or it is refused."""
    html = "".join(pieces)
    try:
        plan = compile_html(html)
    except RewriteError:
        return
    assert plan.restore(plan.fill(TOKEN)) == html
    assert (plan.honeypot is not None) == any(link.tracked for link in plan.links)
