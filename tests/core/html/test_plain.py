"""Links in plain text."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnod.errors import RewriteError
from mailnod.html.plain import TextPlan, compile_text
from mailnod.model import Link

BASE = "https://track.example/t"
TOKEN = "A" * 32


def compile_it(text: str, **options: object) -> TextPlan:
    return compile_text(
        text,
        base_url=BASE,
        tag_link=lambda index, url: "B" * 16,
        first_index=3,
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("See https://a.example/x.", ["https://a.example/x"]),
        ("(https://a.example/x)", ["https://a.example/x"]),
        ("https://a.example/wiki/X_(y) and", ["https://a.example/wiki/X_(y)"]),
        ("<https://a.example/?a=1&b=2>", ["https://a.example/?a=1&b=2"]),
        ("HTTPS://A.example/x!?", ["https://A.example/x"]),
        ("[(https://a.example/(x)).]", ["https://a.example/(x)"]),
        ("https://a.example/x(", ["https://a.example/x("]),
        (f"https://a.example/{')' * 2000}.", ["https://a.example/"]),
        ("mailto:x@a.example www.a.example", []),
        ("xhttps://a.example/", []),
        ("https://", []),
        ("https://a.example/{{ x }}", []),
    ],
)
def test_links_end_where_mail_programs_end_them(text: str, urls: list[str]) -> None:
    """Closing punctuation and brackets of the sentence are not part of a link."""
    assert [link.url for link in compile_it(text).links if link.tracked] == urls


def test_everything_but_the_links_stays() -> None:
    """The text around the links is the sender's, and their positions count on."""
    plan = compile_it("A\r\nhttps://a.example/x, then https://b.example/y.\n-- \n")
    link = f"{BASE}/c/{TOKEN}.%d.{'B' * 16}?u="
    first, second = link % 3 + "https://a.example/x", link % 4 + "https://b.example/y"
    assert plan.fill(TOKEN) == f"A\r\n{first}, then {second}.\n-- \n"


@pytest.mark.parametrize("unit", ["https://", "https://a ", f"https://{')' * 1980} ", f"https://{')]}' * 99999} ", "("])
def test_hostile_text_is_fast_or_refused(unit: str) -> None:
    """A mebibyte of any repeated text is planned or refused within two seconds of processor time."""
    began = time.process_time()
    with contextlib.suppress(RewriteError):
        compile_it(unit * (2**20 // len(unit)))
    assert time.process_time() - began < 2


def test_more_links_than_a_number_can_tell_are_refused() -> None:
    """The collector reads no longer numbers than honest mail needs, so that no link may have one."""
    with pytest.raises(RewriteError, match="too many links"):
        compile_it("https://a.example/ " * 10_001)


def test_exemptions_hold_in_text_too() -> None:
    """Unsubscribe targets, excluded hosts, our own links and links that a plugin refuses stay."""
    own = f"{BASE}/c/{TOKEN}.0.{'B' * 16}?u=x"
    text = f"https://l.example/u https://sub.bank.example/ {own} https://no.example/ https://a.example/{'x' * 2000}"
    plan = compile_it(
        text,
        list_unsubscribe="<https://l.example/u>",
        excluded_hosts=(".bank.example",),
        allow_link=lambda link: "no.example" not in link.url,
    )
    assert not plan.changed
    assert [link.reason for link in plan.links] == [
        "unsubscribe link",
        "excluded host '.bank.example'",
        "already tracked",
        "refused by a plugin",
        "too long",
    ]


def test_plugin_may_change_a_destination_but_not_break_it() -> None:
    """Another destination is taken where it is a web link."""

    def change(url: str, link: Link) -> str:
        return "javascript:alert(1)" if "bad" in url else f"{url}?utm=1"

    plan = compile_it("https://a.example/ https://bad.example/", change_url=change)
    assert [link.url for link in plan.links] == ["https://a.example/?utm=1", "https://bad.example/"]


@given(st.text(alphabet="htps:/.aé()<> \n)}]", max_size=200))
def test_any_text_can_be_compiled(text: str) -> None:
    """Taking the links out of source and result leaves the same text."""
    plan = compile_it(text)
    rest, position = [], 0
    for link in plan.links:
        if link.tracked:
            rest.append(text[position : link.start])
            position = link.end
    rest.append(text[position:])
    filled = plan.fill(TOKEN)
    for piece in rest:
        assert piece in filled
    assert compile_it(filled).changed is False
