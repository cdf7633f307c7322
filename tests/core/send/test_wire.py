"""Filling an HTML part as it stands on the wire."""

from __future__ import annotations

import email.message
import email.policy
import re
from collections.abc import Callable
from email.charset import BASE64, QP, Charset
from email.mime.text import MIMEText

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnod.html.plan import Plan, compile_plan
from mailnod.send.wire import PLACEHOLDER, WirePlans, compile_wire

TOKENS = ("0123456789abcdefghijklmnopqrst-_", "_" * 32, "-" * 32, "Az09" * 8)
LINK = '<a href="https://shop.example/{}?a=1&amp;b=2">{}</a>\n'
Encode = Callable[[str], bytes]


def make_plan(text: str = "Grüße", links: int = 5) -> Plan:
    """Compile a text with links, a pixel, and lines of many lengths."""
    rows = "".join(LINK.format(number, text * number) for number in range(links))
    return compile_plan(
        f"<html><body>{rows}</body></html>\n",
        base_url="https://t.example",
        tag_link=lambda index, url: "t" * 16,
        track_opens=True,
        track_clicks=True,
    )


def make_encode(charset: str, body_encoding: int | None, linesep: str = "\r\n") -> Encode:
    """Return an encoding as the classes of email.mime make it."""
    described = Charset(charset)
    described.body_encoding = body_encoding  # type: ignore[assignment]  # None is 7bit or 8bit.
    policy = email.policy.compat32.clone(linesep=linesep)
    return lambda html: MIMEText(html, "html", described).as_bytes(policy=policy)  # type: ignore[arg-type]


def encode_modern(html: str) -> bytes:
    """Encode as email.message.EmailMessage does, which chooses by what the text holds."""
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message.set_content(html, subtype="html")
    return message.as_bytes()


ENCODINGS = {
    "quoted-printable": make_encode("utf-8", QP),
    "base64": make_encode("utf-8", BASE64),
    "base64 with LF": make_encode("utf-8", BASE64, "\n"),
    "8bit": make_encode("utf-8", None),
    "Latin-1": make_encode("iso-8859-1", QP),
    "modern": encode_modern,
}


@pytest.mark.parametrize("name", ENCODINGS)
@settings(max_examples=25, deadline=None)
@given(
    text=st.text(st.characters(codec="iso-8859-1", exclude_characters="\r\n\x85"), max_size=90), links=st.integers(0, 5)
)
def test_filled_bytes_are_those_of_the_framework(name: str, text: str, links: int) -> None:
    """Whatever the encoding and wherever lines break, a filled part is what encoding the filled text gives."""
    plan = make_plan(text.replace("<", "").replace("&", ""), links)
    wire = compile_wire(plan, ENCODINGS[name])
    assert wire is not None
    for token in TOKENS:
        assert wire.fill(token) == ENCODINGS[name](plan.fill(token))


@pytest.mark.parametrize("text", ["Предложения", "plain", "日本語のメール"])
def test_modern_choice_of_encoding_is_the_frameworks(text: str) -> None:
    """Where the framework chooses base64 or quoted-printable by the text, the same is filled."""
    plan = make_plan(text)
    wire = compile_wire(plan, encode_modern)
    assert wire is not None
    assert [wire.fill(token) for token in TOKENS] == [encode_modern(plan.fill(token)) for token in TOKENS]


def test_part_takes_its_place_in_a_message() -> None:
    """A message that was made with the placeholder gets the part, and every other byte stays."""
    plan, encode = make_plan(), ENCODINGS["quoted-printable"]
    wire = compile_wire(plan, encode)
    assert wire is not None
    message = b"--x\r\n" + encode(PLACEHOLDER) + b"\r\n--x--"
    assert wire.complete(message, TOKENS[0]) == b"--x\r\n" + encode(plan.fill(TOKENS[0])) + b"\r\n--x--"


def test_message_without_one_place_is_left_to_the_framework() -> None:
    """A message in which the placeholder is missing, doubled, or encoded in another way is not completed."""
    encode = ENCODINGS["8bit"]
    wire = compile_wire(make_plan(), encode)
    assert wire is not None
    place = encode(PLACEHOLDER)
    for message in (b"", place + place, ENCODINGS["base64"](PLACEHOLDER)):
        assert wire.complete(message, TOKENS[0]) is None


@pytest.mark.parametrize(
    "encode",
    [
        lambda html: b"Type: x\n\n" + html.encode("utf-16"),
        lambda html: b"Type: x\n\n" + html.upper().encode(),
        lambda html: b"Type: x\n\n" + html.replace("B", "BB").encode(),
        lambda html: b"Type: " + html[-90:-80].encode() + b"\n\n" + html.encode(),
        lambda html: html.replace("\n", "").encode(),
        lambda html: b"Type: x\n\n" + html.replace("_", "=5F").encode(),
    ],
    ids=["two bytes each", "changes case", "grows", "headers differ", "no headers", "escapes some"],
)
def test_encoding_that_is_not_linear_is_not_used(encode: Encode) -> None:
    """Where the bytes of a token depend on more than that token, nothing is filled."""
    plan = make_plan()
    wire = compile_wire(plan, encode)
    assert wire is None or all(wire.fill(token) == encode(plan.fill(token)) for token in TOKENS)


@pytest.mark.parametrize("character", "-_09azAZ")
def test_every_character_of_a_token_is_tried(character: str) -> None:
    """An encoding that treats one character of tokens otherwise than all others is not used."""

    def encode(html: str) -> bytes:
        return (
            b"Type: x\n\n"
            + re.sub(r"(?<=/[co]/)[\w-]{32}", lambda token: token[0].replace(character, "#"), html).encode()
        )

    assert compile_wire(make_plan(), encode) is None


def test_body_that_comes_again_is_compiled_once() -> None:
    """The first mail of a body is encoded as ever, the second compiles its part, and then none is encoded again."""
    calls: list[str] = []

    def encode(html: str) -> bytes:
        calls.append(html)
        return ENCODINGS["8bit"](html)

    plans, plan = WirePlans(), make_plan()
    assert plans.find(plan, "utf-8", encode) is None
    assert calls == []
    wire = plans.find(plan, "utf-8", encode)
    assert wire is not None
    count = len(calls)
    assert plans.find(plan, "utf-8", encode) is wire
    assert plans.find(plan, "latin-1", encode) is None
    assert plans.find(make_plan(), "utf-8", encode) is None
    assert len(calls) == count


def test_number_of_parts_is_bounded() -> None:
    """A part that has not come again for long is forgotten."""
    plans, first = WirePlans(), make_plan()
    others = [make_plan() for _ in range(20)]
    for plan in (first, *others):
        assert plans.find(plan, "utf-8", ENCODINGS["8bit"]) is None
    assert plans.find(first, "utf-8", ENCODINGS["8bit"]) is None
