"""What the lexer takes for live, and that hostile input takes linear time."""

from __future__ import annotations

import contextlib
import time

import pytest

from mailnod.errors import RewriteError
from mailnod.html.plan import compile_plan
from mailnod.html.scan import MAX_LINKS, MAX_STEPS, scan

LIVE = '<a href="live">'


def find_hrefs(html: str) -> list[str]:
    """Return the raw href of each live link."""
    return [html[anchor.href_start : anchor.href_end] for anchor in scan(html).anchors]


@pytest.mark.parametrize(
    "html",
    [
        "<!-->{}-->",
        "<!--->{}-->",
        "<!-- x --!>{}-->",
        "<!---->{}",
        "<!-- <!-- -->{}",
        "<![if mso]>{}<![endif]>",
        "<!DOCTYPE html '>{}'",
        "<?php ?>{}",
        "</ x>{}",
        "</>{}",
        "<\u017ftyle>{}",
        "<style></\u017ftyle></style>{}",
        "<style></style\f>{}",
        "<title></titles></TITLE/>{}",
        "<script><!--<script></script>--></script>{}",
        "<script><!--</script>{}",
        "<script><!--><script></script>{}",
        "<noscript>{}</noscript>",
        "<svg><title>{}</title></svg>",
        "<svg><script>{}</script></svg>",
        "<svg><style/>{}</svg>",
        "<svg/><style></style>{}",
        "<svg><p><style></style>{}",
        "<svg><foreignObject><style></style>{}</foreignObject></svg>",
        "<svg x=/><style>{}</style></svg>",
        "<math><mi>{}</mi></math>",
        "<math><annotation-xml encoding=TEXT/html>{}</annotation-xml></math>",
        "<math></p>{}",
        "<math><font color=red>{}",
        "<template><template></template></template>{}",
        "<!--[if mso]>{}<![endif]-->",
        "<!--[if mso]><td height=1 width=2><![endif]-->{}",
        "<!--[if mso]>-- >-> x{}<![endif]-->",
        "<!--[if mso]>" + "- h" * 99 + "{}<![endif]-->",
        "<!--[if mso]>-->{}",
        "<!--[if mso]>--!>{}",
        "<!--[if (gte mso 9)|(IE)]>{}<![endif]-->",
        "<!--[IF mso]><style></style>{}<![endif]-->",
        "<!--[if mso]><style><![endif]-->{}",
        "<!--[if mso]><v:rect ='><![endif]-->{}",
        '<td ="a>{}',
        '<td a=b"c>{}',
        "<td a='>'>{}",
        "< a>{}",
        "<3{}",
        "<\0>{}",
        "<a.b>{}",
    ],
)
def test_live(html: str) -> None:
    """A link that a browser (or, in conditional comments, Outlook) offers is found."""
    assert find_hrefs(html.format(LIVE)) == ["live"]


@pytest.mark.parametrize(
    "html",
    [
        "<!-- {} -->",
        "<!--- {} -->",
        "<!-- {}",
        "<! {}",
        "<![CDATA[ {}",
        "<svg><![CDATA[ > {}]]></svg>",
        "<style>{}</style>",
        "<style></styles>{}",
        "<textarea>{}</textarea>",
        "<title>{}",
        "<xmp>{}</xmp>",
        "<iframe>{}</iframe>",
        "<noembed>{}</noembed>",
        "<noframes>{}</noframes>",
        "<plaintext></plaintext>{}",
        "<script>{}</script>",
        "<script><!--<script></script>{}</script>-->",
        "<template>{}</template>",
        "<template><template></template>{}",
        "<template><!--[if mso]>{}<![endif]--></template>",
        "<math>{}</math>",
        "<svg><foreignObject><style>{}</style>",
        "<p title='{}'>",
        "<p title={}",
        "<p title='{}",
        "</p title='{}'>",
        "<!--[if mso]><!-- {} <![endif]-->",
        "<!--[if mso]><style>{}</style><![endif]-->",
        "<!--[iffy]>{}-->",
    ],
)
def test_dead(html: str) -> None:
    """Text that only looks like a link is not one."""
    assert find_hrefs(html.format("<a href=dead>")) == []


@pytest.mark.parametrize(
    ("tag", "href"),
    [
        ("<a href=x/>", ["x/"]),
        ("<a href = x\r\n>", ["x"]),
        ('<a href="x"class=y>', ["x"]),
        ("<A HREF='x>y'>", ["x>y"]),
        ("<a href href=x>", []),
        ("<a href=>", []),
        ("<a =href=x>", []),
        ("<a/href=x>", ["x"]),
        ("<a\fhref=x>", ["x"]),
        ("<a\vhref=x>", []),
        ("<a\u00a0href=x>", []),
        ("<a \u00a0href=x>", []),
        ("<area href=x>", ["x"]),
        ("<areas href=x>", []),
        ("<link href=x><base href=x>", []),
        ("<v:roundrect href=x>", ["x"]),
        ("<V:Shape HREF=x>", ["x"]),
        ("<v:fill href=x>", []),
        ("<svg><a xlink:href=x>", []),
    ],
)
def test_attributes(tag: str, href: list[str]) -> None:
    """The href is the first attribute of that name, read as the tokenizer does."""
    assert find_hrefs(tag) == href


@pytest.mark.parametrize("count", [1, 50, 99, 100, 101, 400, 401, 5000])
def test_much_of_one_kind(count: int) -> None:
    """However many attributes stand before the href, or tags before the link, it is found."""
    assert find_hrefs(f"<a {'b=c ' * count}href=x>{'<b>' * count}<a href=y>{'<a name=z>' * count}<a href=z>") == [
        *"xyz"
    ]


def test_images_are_listed_by_a_text_in_their_tag() -> None:
    """Live images with the text are listed, wherever in the tag it stands, and no others."""
    live = ('<IMG src="/o/a.gif">', "<img alt=/o/ src=b>", "<img src='/o//o/'>")
    dead = ("<!-- <img src=/o/> -->", "<p title='<img src=/o/>'>", "<style><img src=/o/></style>", "<img src=c></p>/o/")
    html = "".join((*dead, *live, *dead, "<a href='/o/'>", *live))
    assert [html[image.start : image.end] for image in scan(html, images="/o/").images] == [*live, *live]
    assert scan(html).images == ()


@pytest.mark.parametrize(
    ("html", "safe"),
    [
        ("<p>a", 4),
        ("<p><", 4),
        ("<p></", 3),
        ("<p></p", 3),
        ("<p><!", 3),
        ("<p><!-- x", 3),
        ("<p><style>x", 3),
        ("<p><style></style", 3),
        ("<p><script><!--<script></script>", 3),
        ("<p><template><p>", 3),
        ("<p><svg><g>", 3),
        ("<template><svg></template>", 26),
        ("<p><svg><g><p>", 14),
        ("<p><a href='", 3),
    ],
)
def test_safe_end(html: str, safe: int) -> None:
    """Nothing may be added behind a construct that the text never ends."""
    assert scan(html).safe_end == safe


@pytest.mark.parametrize(
    "html",
    [
        "<!--</body>-->",
        "<template></body></template>",
        "<svg><desc></body></desc></svg>",
        "<p title='</body>'>",
        "<!--[if mso]></body><![endif]-->",
        "</body",
        "</bodyy>",
    ],
)
def test_body_end_must_be_real(html: str) -> None:
    """An end tag of the body that a browser does not see is not one."""
    assert scan(html).body_end is None


HOSTILE = (
    *("<", "</", "<!", "<?", "<a ", "<a", "</a", "&amp", "&#", "=", "a=", "a= ", "/ ", '"', "'", "-", "--", "\0"),
    *("<!--", "<!-- -->", "<!--[if mso]>", "<!--[if ", "<![CDATA[", "<style>", "<style></style>", "</style", "<title>"),
    *("<script>", "<script><!--", "<script><!--<script></script>-->", "<template>", "<svg>", "<svg><g>", "<svg></b>"),
    *("<svg><desc>", "<math><mi>", "</x>", "<b>", '<a href="', "<a href='&amp;", "<a href=//", "<p><svg>", "{{"),
    *(
        '<a href="https://e.example/">',
        "<a href=https://e.example/>unsubscribe",
        "<a data-mailnod=off href=https://e.e>",
    ),
    # Many links share what follows them, which is looked at for each.
    *(
        "<a href=https://e.example/>" * 10 + tail
        for tail in (
            f"{'<' * 900}</a >",
            f"<b title='>{'<!--x>' * 140}'></a >",
            f"{'&NotEqualTilde' * 60}</a>",
            f"{'&amp' * 220}</a>",
        )
    ),
    f"<a href='https://{'é.' * 500}/'>",
)


@pytest.mark.parametrize("prefix", ["", "<svg><desc>"])
def test_hostile_input_is_fast_or_refused(prefix: str) -> None:
    """A mebibyte of any repeated construct is planned or refused within two seconds of processor time."""
    slow: list[str] = []
    for unit in HOSTILE:
        began = time.process_time()
        with contextlib.suppress(RewriteError):
            compile_plan(
                prefix + unit * (2**20 // len(unit)),
                base_url="https://t.example",
                tag_link=lambda index, url: "t" * 16,
                track_opens=True,
                track_clicks=True,
            )
        if time.process_time() - began > 2:
            slow.append(unit)
    assert slow == []


@pytest.mark.parametrize("unit", ["<a href=x>", "<style></style>"])
def test_too_much_markup_is_refused(unit: str) -> None:
    """More links or constructs than any honest mail has are refused, and the error says where."""
    with pytest.raises(RewriteError, match="too many links") as caught:
        scan(unit * (max(MAX_LINKS, MAX_STEPS) + 2))
    assert caught.value.offset
