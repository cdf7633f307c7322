"""Mails and cases that the tests of the inspector's services share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

from mailnod.settings import Settings
from mailnod_desktop.services.model import Form, Inspection, Mail, Wishes
from mailnod_desktop.services.parsing import parse
from mailnod_desktop.services.rewriting import Rewriter

__all__ = ["CASES", "HTML", "inspect_html", "inspect_mail", "make_html_mail", "make_message", "walk_corpus"]

CASES: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parents[1] / "data" / "cases.jsonl").read_text().splitlines()
]

HTML = """<!DOCTYPE html>
<html>
<head><title>News</title></head>
<body>
<h1>Spring</h1>
<p><a href="https://shop.example/spring?a=1&amp;b=2">See the sale</a></p>
<p><a href="https://shop.example/second">Second</a> <a href="mailto:a@example.com">Write</a></p>
<p>one</p>
<p>two</p>
<p>three</p>
<p>four</p>
<p>five</p>
<p>six</p>
<p>seven</p>
<p>eight</p>
<p><a href="https://shop.example/unsubscribe">Unsubscribe</a></p>
</body>
</html>
"""


def make_message(
    html: str = HTML,
    *,
    text: str = "Hello",
    to: str = "a@example.com, B <b@example.com>",
    headers: Mapping[str, str] | None = None,
    key: str = "mail",
) -> Mail:
    """Return a message as an app sends it."""
    message = EmailMessage(policy=SMTP)
    message["From"] = "News <news@example.com>"
    if to:
        message["To"] = to
    message["Subject"] = "Spring sale"
    message["Date"] = "Mon, 02 Nov 2026 10:00:00 +0100"
    for name, value in (headers or {}).items():
        message[name] = value
    if text:
        message.set_content(text)
        message.add_alternative(html, subtype="html")
    else:
        message.set_content(html, subtype="html")
    return Mail(key=key, name="news.eml", origin="file", data=bytes(message))


def make_html_mail(html: str, *, key: str = "page") -> Mail:
    """Return a bare page."""
    return Mail(key=key, name="page.html", origin="file", form="html", data=html.encode("utf-8", "surrogateescape"))


def inspect_mail(mail: Mail, wishes: Wishes | None = None, *, rewriter: Rewriter | None = None) -> Inspection:
    """Take a mail apart and rewrite it."""
    return (rewriter or Rewriter(Settings(), None)).inspect(parse(mail), wishes or Wishes())


def inspect_html(html: str, wishes: Wishes | None = None) -> Inspection:
    """Rewrite a bare page."""
    return inspect_mail(make_html_mail(html), wishes)


def walk_corpus(shared: Path) -> Iterator[Mail]:
    """Yield every message and every page of the shared corpus."""
    folders: tuple[tuple[str, Form], ...] = (("eml", "message"), ("html", "html"))
    for folder, form in folders:
        for path in sorted((shared / "data" / "corpus" / folder).iterdir()):
            yield Mail(key=path.name, name=path.name, origin="file", form=form, data=path.read_bytes())
