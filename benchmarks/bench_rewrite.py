"""Compare rewriting with pytracking2 and BeautifulSoup in one run; ratios travel between machines, times do not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mailnod.html.plan import compile_plan

BASE = "https://track.example.com"
TOKEN = "0123456789abcdefghijklmnopqrstuv"
#: How long each design is run on each set of texts.
BUDGET_S = 1.0

Edit = Callable[[str], object]


def make_template(links: int = 15, size: int = 22_000) -> str:
    """Build a newsletter of tables with tracked links, entities and conditional comments."""
    rows: list[str] = []
    filler = "Lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam nonumy eirmod tempor invidunt. "
    share = max(1, (size // links - 700) // len(filler))
    for index in range(links):
        url = f"https://shop.example/products/{index}/a-name-that-is-read?utm_source=news&amp;utm_medium=mail&amp;n={index}"
        rows.append(
            '<tr><td align="center" style="padding:12px 24px;font-family:Arial,sans-serif;font-size:16px">'
            '<!--[if mso]><v:roundrect style="width:200px"><![endif]-->'
            f'<table role="presentation" width="100%"><tr><td><img src="https://cdn.example/{index}.png" alt="&eacute;"'
            f'></td><td><p style="margin:0">{filler * share}</p><a href="{url}"><b>Look</b></a></td></tr>'
            "</table>"
            "<!--[if mso]></v:roundrect><![endif]--></td></tr>\n"
        )
    head = "<!DOCTYPE html>\n<html><head><title>News</title><style>p{color:#333}</style></head>\n<body><table>\n"
    return f"{head}{''.join(rows)}</table></body></html>\n"


def compile_afresh(html: str) -> object:
    """Plan, verify and fill, as for a mail that is sent once."""
    return _plan(html).fill(TOKEN)


def edit_with_pytracking(html: str) -> object:
    """Let pytracking2 make the same edit."""
    from pytracking.html import adapt_html

    return adapt_html(
        html,
        {"delivery": TOKEN},
        base_open_tracking_url=f"{BASE}/o/",
        base_click_tracking_url=f"{BASE}/c/",
    )


def edit_with_soup(html: str) -> object:
    """Make the same edit with BeautifulSoup on lxml."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "lxml")
    for index, link in enumerate(soup.find_all(["a", "area"], href=True)):
        if str(link["href"]).startswith(("http://", "https://", "//")):
            link["href"] = f"{BASE}/c/{TOKEN}.{index}.{'t' * 16}?u={link['href']}"
    if soup.body is not None:
        soup.body.append(soup.new_tag("img", src=f"{BASE}/o/{TOKEN}.gif", width="1", height="1", alt=""))
    return str(soup)


def _tag_link(index: int, url: str) -> str:  # noqa: ARG001
    return "t" * 16


def _plan(html: str) -> Any:
    return compile_plan(html, base_url=BASE, tag_link=_tag_link, track_opens=True, track_clicks=True)


def measure(edit: Edit, texts: Sequence[str]) -> tuple[float, int]:
    """Return the least seconds for one pass over all texts, and how many texts the design failed on."""
    failed = 0
    for text in texts:
        try:
            edit(text)
        except Exception:  # a design that crashes on real mail is counted, not hidden
            failed += 1
    best, spent = float("inf"), 0.0
    while spent < BUDGET_S:
        began = time.perf_counter()
        for text in texts:
            try:
                edit(text)
            except Exception:
                continue
        took = time.perf_counter() - began
        best, spent = min(best, took), spent + took
    return best, failed


def compare(title: str, texts: Sequence[str]) -> None:
    """Print each design beside ours."""
    plans = dict(zip(texts, map(_plan, texts), strict=True))
    designs: list[tuple[str, Edit]] = [
        ("Mailnod, compiled plan filled", lambda html: plans[html].fill(TOKEN)),
        ("Mailnod, afresh and verified", compile_afresh),
        ("pytracking2 0.4.6", edit_with_pytracking),
        ("BeautifulSoup (lxml)", edit_with_soup),
    ]
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    links = sum(link.tracked for plan in plans.values() for link in plan.links)
    print(f"{title}: {len(texts)} texts, {size / 1024:,.0f} KiB, {links} tracked links")
    times = [(name, *measure(edit, texts)) for name, edit in designs]
    afresh = times[1][1]
    for name, seconds, failed in times:
        note = f"  crashed on {failed} of {len(texts)}" if failed else ""
        print(f"  {name:32} {seconds / len(texts) * 1e6:12,.1f} us a text {seconds / afresh:10.3f} x afresh{note}")
    print()


def main() -> None:
    """Print the comparison for a link-rich template and, where it is there, for real mail."""
    compare("Link-rich newsletter", [make_template()])
    shared = os.environ.get("MAILNOD_SHARED")
    if not shared:
        print("Real mail: left out, because MAILNOD_SHARED is unset")
        return
    corpus = Path(shared) / "data" / "corpus"
    names = (corpus / "CORE.txt").read_text().split()
    compare(
        "Real mail",
        [(corpus / name).read_bytes().decode("utf-8", "replace") for name in names if name.endswith(".html")],
    )


if __name__ == "__main__":
    main()
