"""Compiling, filling, restoring and verifying a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnod.errors import ConfigurationError, RewriteError
from mailnod.html.entities import decode_attribute
from mailnod.html.plan import CLIP_BYTES, Plan, compile_plan
from mailnod.html.scan import scan
from mailnod.model import Link

BASE = "https://t.example"
TOKEN = "0123456789abcdefghijklmnopqrst-_"


def compile_html(html: str, **options: Any) -> Plan:
    """Compile with both axes on and a tag that shows the link's position."""
    chosen: dict[str, Any] = {"base_url": BASE, "track_opens": True, "track_clicks": True, **options}
    return compile_plan(html, tag_link=lambda index, url: f"tag{index:013d}", **chosen)


def reasons(html: str, **options: Any) -> list[str]:
    """Return why each link is tracked or not."""
    return [link.reason for link in compile_html(html, **options).links]


def test_tracked_link_carries_token_position_tag_and_destination() -> None:
    """A tracked link has the token, its position among all links, its tag, and the destination."""
    plan = compile_html("<a href=\"#x\">a</a><a href='https://e.example/?a=1&amp;b=2'>b</a>", track_opens=False)
    assert plan.fill(TOKEN) == (
        f"<a href=\"#x\">a</a><a href='{BASE}/c/{TOKEN}.1.tag0000000000001?u=https://e.example/?a%3D1%26b%3D2'>b</a>"
    )
    assert plan.pixel == "none"


def test_both_axes_off_change_nothing() -> None:
    """With opens and clicks off, even our own attribute stays."""
    html = '<a data-mailnod="off" href="https://e.example/">x</a></body>'
    plan = compile_html(html, track_opens=False, track_clicks=False)
    assert plan.fill(TOKEN) == html
    assert not plan.changed
    assert [link.reason for link in plan.links] == ["clicks off"]


def test_opens_alone_leave_links_alone() -> None:
    """With clicks off, only the pixel is added."""
    plan = compile_html('<a href="https://e.example/">x</a></body>', track_clicks=False)
    filled = plan.fill(TOKEN)
    assert filled.startswith('<a href="https://e.example/">x</a><img src="https://t.example/o/')
    assert filled.endswith("></body>")


@pytest.mark.parametrize(
    ("attribute", "tracked"),
    [
        ('data-mailnod="off"', False),
        ("data-mailnod=no", False),
        ("data-mailnod", False),
        ('data-mailnod="on"', True),
        ("data-pm-no-track", False),
        ("data-no-track", False),
        ('disable-tracking="true"', False),
        ('disable-tracking="false"', True),
        ('clicktracking="OFF"', False),
        ('clicktracking="on"', True),
        ('data-msys-clicktrack="0"', False),
        ('data-skip-click="true"', False),
        ("ses:no-track", False),
        ('rel="noopener unsubscribe"', False),
        ('rel="noopener"', True),
    ],
)
def test_opt_outs(attribute: str, tracked: bool) -> None:
    """A link opts out by our attribute, another sender's, or its relation."""
    plan = compile_html(f'<a {attribute} href="https://e.example/">x</a>')
    assert [link.tracked for link in plan.links] == [tracked]
    assert (attribute in plan.fill(TOKEN)) is ("mailnod" not in attribute)


@pytest.mark.parametrize(
    ("html", "left"),
    [
        ('<a href="x" data-mailnod="off">', '<a href="x">'),
        ("<a href=x data-mailnod='off'/>", "<a href=x />"),
        ('<a\n\tdata-mailnod = "off"\thref=x>', "<a\n\thref=x>"),
        ('<a data-mailnod="off"href=x>', "<a href=x>"),
        ('<a href="x"data-mailnod="off">', '<a href="x">'),
        ('<a href="x"/data-mailnod="off"class=y>', '<a href="x"/class=y>'),
        ('<a data-mailnod="off" data-mailnod="off" href=x>', "<a href=x>"),
        ('<!--[if mso]><v:rect href="x" data-mailnod=off><![endif]-->', '<!--[if mso]><v:rect href="x"><![endif]-->'),
    ],
)
def test_own_attribute_is_taken_out_and_put_back(html: str, left: str) -> None:
    """Our attribute never leaves with the mail, and restoring brings it back."""
    plan = compile_html(html, track_opens=False)
    assert plan.fill(TOKEN) == left
    assert plan.restore(left) == html


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("<a href='tel:1'>x</a>", "scheme not http(s)"),
        ("<a href='/x'>x</a>", "relative, no destination in mail"),
        ("<a href='{{ x }}'>x</a>", "placeholder"),
        ("<a href='https://e.example/'>Click here to <b>unsubscribe</b>.</a>", "unsubscribe link"),
        ("<a href='https://e.example/'> Se d&eacute;sabonner </a>", "unsubscribe link"),
        ("<a href='https://e.example/'>Why people unsubscribe</a>", "tracked"),
        ("<a href='https://l.example/u?a=1&amp;b'>Leave</a>", "unsubscribe link"),
        ("<a href='https://l.example/u'>Leave</a>", "tracked"),
        ("<a href='https://x.docs.example/'>x</a>", "excluded host '.docs.example'"),
        ("<a data-no-track href='https://e.example/'>x</a>", "opted out by data-no-track"),
        (f"<a href='{BASE}/c/{TOKEN}.0.{'t' * 16}?u=x'>x</a>", "already tracked"),
        (f"<a href='https://e.example/{'x' * 1950}'>x</a>", "too long"),
        (f"<a href='https://e.example/{'x' * 1800}'>x</a>", "tracked"),
    ],
)
def test_reasons(html: str, reason: str) -> None:
    """Each link says in words what was done with it."""
    options = {
        "excluded_hosts": (".docs.example",),
        "list_unsubscribe": "<mailto:u@l.example>,\r\n <https://l.example/u?a=1&b>",
    }
    assert reasons(html, **options) == [reason]


def test_plugin_refuses() -> None:
    """A plugin can refuse a link that all rules let through, and is asked about no other."""
    asked: list[str] = []

    def allow(link: Link) -> bool:
        asked.append(link.url)
        return False

    html = "<a href='https://e.example/'>x</a><a href='#x'>y</a>"
    assert reasons(html, allow_link=allow)[0] == "refused by a plugin"
    assert asked == ["https://e.example/"]


@pytest.mark.parametrize(
    ("changed", "url"),
    [
        ("https://e.example/?utm_source=mail", "https://e.example/?utm_source=mail"),
        ("javascript:alert(1)", "https://e.example/"),
        ("", "https://e.example/"),
    ],
)
def test_plugin_changes_destination(changed: str, url: str) -> None:
    """A plugin's destination is used when it is a good URL, else ignored."""
    plan = compile_html("<a href='https://e.example/'>x</a>", change_url=lambda url, link: changed)
    assert [link.url for link in plan.links] == [url]
    anchor = scan(plan.fill(TOKEN)).anchors[0]
    query = urlsplit(decode_attribute(plan.fill(TOKEN)[anchor.href_start : anchor.href_end])).query
    assert parse_qs(query)["u"] == [url]


@pytest.mark.parametrize(
    ("html", "place"),
    [
        ("<body>a</body></html>", "before </body>"),
        ("<p>a</p></html>\n", "end"),
        ("<p>a</p><!-- ", "end"),
        ("", "none"),
        ("<frameset><frame src=x></frameset>", "none"),
        (f"<img src={BASE}/o/abc.gif>", "none"),
        (f"<!-- <img src='{BASE}/o/abc.gif'> -->", "end"),
        ("<img src='https://other.example/o/abc.gif'>", "end"),
        ("<body>" + "x" * CLIP_BYTES + "</body>", "top"),
        ("<body>" + "x" * (CLIP_BYTES - 250) + "</body>", "before </body>"),
        ("<body>" + "é" * (CLIP_BYTES // 2) + "</body>", "top"),
        ("<p>" + "x" * CLIP_BYTES, "top"),
        ("<html>" + "x" * CLIP_BYTES, "end"),
    ],
)
def test_pixel_place(html: str, place: str) -> None:
    """The pixel stands before the real end of the body, or at the top where Gmail would clip the end."""
    assert compile_html(html).pixel == place


def test_top_pixel_follows_body_start() -> None:
    """A pixel at the top stands right behind the body's start tag."""
    filled = compile_html("<body class='a>b'>" + "x" * CLIP_BYTES).fill(TOKEN)
    assert filled.startswith("<body class='a>b'><img src=")


def test_restore_refuses_other_texts() -> None:
    """Restoring takes back only what this plan made."""
    plan = compile_html("<a href='https://e.example/'>x</a></body>")
    assert plan.restore(plan.fill(TOKEN)) == plan.source
    for other in (plan.source, "", plan.fill(TOKEN) + " ", plan.fill(TOKEN).replace(TOKEN, "0" * 31 + "!")):
        with pytest.raises(RewriteError, match="restored"):
            plan.restore(other)


@pytest.mark.parametrize("token", ["", "x" * 31, "x" * 33, "x" * 31 + '"', "é" * 32])
def test_fill_refuses_what_is_no_token(token: str) -> None:
    """A token that could break out of an attribute is refused."""
    with pytest.raises(RewriteError, match="token"):
        compile_html("<p>").fill(token)


def test_verify_finds_a_spoilt_plan() -> None:
    """A plan whose pieces were damaged does not verify."""
    plan = compile_html("<a href='https://e.example/'>x</a><p>y</p></body>")
    spoilt = [
        replace(plan, pieces=(*plan.pieces[:-1], plan.pieces[-1] + " ")),
        replace(plan, pieces=(*plan.pieces[:-1], plan.pieces[-1] + "<a href=x>")),
        replace(plan, pieces=("<!--" + plan.pieces[0], *plan.pieces[1:])),
        replace(plan, pieces=plan.pieces[:-1]),
        replace(plan, links=(plan.links[0]._replace(url="https://evil.example/"),)),
    ]
    for damaged in spoilt:
        with pytest.raises(RewriteError):
            damaged.verify()


def test_wrong_base_url_is_a_configuration_error() -> None:
    """A base URL that is none is a wrong setup, not a mail that cannot be edited."""
    with pytest.raises(ConfigurationError, match="base_url"):
        compile_html("<p>", base_url="t.example")


FRAGMENTS = (
    *(
        "<",
        ">",
        "</",
        "/",
        "=",
        '"',
        "'",
        " ",
        "\r\n",
        "x",
        "&amp;",
        "\0",
        "é",
        "\ufeff",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
    ),
    *("<p>", "</p>", "<b>", '<div class="a>b">', "<script>", "</script>", "<style>", "</style>", "<title>", "</title>"),
    *(
        "<svg>",
        "</svg>",
        "<desc>",
        "</desc>",
        "<math>",
        "<template>",
        "</template>",
        "<plaintext>",
        "</a>",
        "<textarea>",
    ),
    *("<!--[if mso]>", "<![endif]-->", "<body>", "</body>", "</html>", "<frameset>", "</textarea>", "<!doctype html>"),
    *('<a href="https://e.example/?a=1&amp;b">', "<a href=https://e.example/x>", "<a class=y href='//e.example/z'/>"),
    *(
        "<v:rect href='https://v.example/'>",
        "<a href='#top'>",
        "<area href='https://area.example'>",
        "{{ x }}",
        "</body",
    ),
    *(f"<img src='{BASE}/o/abc.gif'>", "<a href=", "<a href='"),
)
SOUP = st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join)


@settings(max_examples=400, deadline=None)
@given(html=SOUP)
def test_tag_soup_is_restored_exactly(html: str) -> None:
    """Whatever the markup, filling and restoring give the source back, and the plan verifies."""
    plan = compile_html(html)
    assert plan.restore(plan.fill(TOKEN)) == html


@settings(max_examples=300, deadline=None)
@given(html=SOUP)
def test_rewriting_twice_changes_nothing_more(html: str) -> None:
    """A mail that already carries our links and our pixel stays as it is."""
    once = compile_html(html)
    twice = compile_html(once.fill(TOKEN))
    assert not any(link.tracked for link in twice.links)
    if once.pixel != "none":
        assert not twice.changed


@settings(max_examples=200, deadline=None)
@given(html=st.text(alphabet="<>/a href='\"=-![]&;:?\t\n", max_size=60))
def test_random_text_is_restored_exactly(html: str) -> None:
    """Random characters of markup are no error."""
    plan = compile_html(html)
    assert plan.restore(plan.fill(TOKEN)) == html


def test_short_link_leads_to_no_destination_that_is_too_long_for_a_portable_one() -> None:
    """A redirect to an address of any length would fail in proxies and servers, so such a link is left alone."""
    html = f"<a href='https://e.example/{'x' * 1990}'>x</a><a href='https://e.example/{'é' * 400}'>y</a>"
    plan = compile_html(html, link_style="short")
    assert [link.reason for link in plan.links] == ["too long", "too long"]


def test_short_links_hold_a_token_and_a_number() -> None:
    """A short link has no destination in it, is restored like any other, and is known as ours when it comes again."""
    html = (
        "<a href=https://shop.example/a>a</a><a href='mailto:x@y.example'>m</a><a href='https://shop.example/b'>b</a>"
    )
    plan = compile_html(html, link_style="short")
    filled = plan.fill(TOKEN)
    assert f"href={BASE}/c/{TOKEN}.0>" in filled
    assert f"href='{BASE}/c/{TOKEN}.2'>" in filled
    assert "shop.example" not in filled
    assert plan.restore(filled) == html
    assert [reason for reason in reasons(filled) if reason != "scheme not http(s)"] == ["already tracked"] * 2
