"""Compare rewriting with pytracking2, BeautifulSoup, lol-html and memcpy; ratios travel between machines, times not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mailnod.html.links import LinkRules, decide_links
from mailnod.html.plan import compile_plan
from mailnod.html.proof import is_proven
from mailnod.html.scan import scan
from mailnod.html.urls import parse_base

BASE = "https://track.example.com"
TOKEN = "0123456789abcdefghijklmnopqrstuv"
#: How long all designs together are run on each set of texts, in turns, so that a busy machine slows all of them.
BUDGET_S = 8.0
#: A mail with at least so many tracked links counts as rich in them.
MANY_LINKS = 10
#: What is aimed at: how many times faster than another, or for memcpy how many times slower at most.
AIMS = {
    ("afresh", "pytracking2"): "at least 15",
    ("afresh", "BeautifulSoup"): "at least 60",
    ("afresh", "lol-html"): "at least 1.0",
    ("fill", "pytracking2"): "at least 1,000",
    ("fill", "memcpy"): "at least 0.20",
}

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


class _LinkEditor:
    """The handler that lol-html calls for each link."""

    def __init__(self) -> None:
        self.index = 0

    def element(self, element: Any) -> None:
        href = element.get_attribute("href") or ""
        if href.startswith(("http://", "https://", "//")):
            element.set_attribute("href", f"{BASE}/c/{TOKEN}.{self.index}.{'t' * 16}?u={href}")
        self.index += 1


class _PixelAdder:
    """The handler that lol-html calls for the body."""

    def element(self, element: Any) -> None:
        html = import_module("lolhtml").ContentType.HTML
        element.append(f'<img src="{BASE}/o/{TOKEN}.gif" width="1" height="1" alt="">', html)


def edit_with_lolhtml(html: str) -> object:
    """Make the same edit with the binding of Cloudflare's streaming rewriter."""
    lolhtml = import_module("lolhtml")
    output = bytearray()
    rewriter = lolhtml.HTMLRewriter(output.extend)
    rewriter.on("a[href], area[href]", _LinkEditor())
    rewriter.on("body", _PixelAdder())
    rewriter.write(html.encode("utf-8", "replace"))
    rewriter.end()
    return output.decode("utf-8", "replace")


def measure(designs: Mapping[str, Edit], texts: Sequence[str]) -> tuple[dict[str, float], dict[str, int]]:
    """Return for each design the least seconds for all texts, summed text by text, and how many texts failed."""
    best = {name: [float("inf")] * len(texts) for name in designs}
    failed: dict[str, set[int]] = {name: set() for name in designs}
    ends = time.perf_counter() + BUDGET_S
    # In each turn a design runs thrice, so that it finds the caches as itself left them.
    turns = [(place, name) for place in range(len(texts)) for name in designs for _ in range(3)]
    while time.perf_counter() < ends:
        for place, name in turns:
            began = time.perf_counter()
            try:
                designs[name](texts[place])
            except Exception:  # a design that crashes on real mail is counted, not hidden
                failed[name].add(place)
            best[name][place] = min(best[name][place], time.perf_counter() - began)
    return {name: sum(seconds) for name, seconds in best.items()}, {name: len(bad) for name, bad in failed.items()}


def compare(title: str, texts: Sequence[str]) -> None:
    """Print each design beside ours."""
    plans = dict(zip(texts, map(_plan, texts), strict=True))
    filled = {html: bytearray(plan.fill(TOKEN).encode("utf-8", "surrogatepass")) for html, plan in plans.items()}
    scans = {html: scan(html) for html in texts}
    rules = LinkRules(base=parse_base(BASE), tag_link=_tag_link, track_clicks=True)
    designs: dict[str, Edit] = {
        "afresh": compile_afresh,
        "- its scan": scan,
        "- its links": lambda html: decide_links(html, scans[html].anchors, rules),
        "- its proof": lambda html: is_proven(plans[html], scans[html]),
        "fill": lambda html: plans[html].fill(TOKEN),
        "memcpy": lambda html: filled[html][:],
        "pytracking2": edit_with_pytracking,
        "BeautifulSoup": edit_with_soup,
    }
    if find_spec("lolhtml"):
        designs["lol-html"] = edit_with_lolhtml
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    links = sum(link.tracked for plan in plans.values() for link in plan.links)
    print(f"{title}: {len(texts)} texts, {size / 1024:,.0f} KiB, {links} tracked links")
    times, failed = measure(designs, texts)
    for name in designs:
        note = f"  crashed on {failed[name]} of {len(texts)}" if failed[name] else ""
        speed = size / times[name] / 1e6
        print(f"  {name:13} {times[name] / len(texts) * 1e6:12,.1f} us a text {speed:10,.0f} MB/s{note}")
    for (ours, peer), aim in AIMS.items():
        if peer in times:
            print(f"  {ours:6} is {times[peer] / times[ours]:8,.2f} x as fast as {peer:13} (aim: {aim})")
    print()


def main() -> None:
    """Print the comparison for a link-rich template and, where it is there, for real mail."""
    compare("Link-rich newsletter", [make_template()])
    shared = os.environ.get("MAILNOD_SHARED")
    if not shared:
        print("Real mail: left out, because MAILNOD_SHARED is unset")
        return
    corpus = Path(shared) / "data" / "corpus"
    names = [name for name in (corpus / "CORE.txt").read_text().split() if name.endswith(".html")]
    texts = [(corpus / name).read_bytes().decode("utf-8", "replace") for name in names]
    rich = [text for text in texts if sum(link.tracked for link in _plan(text).links) >= MANY_LINKS]
    compare(f"Real mail with {MANY_LINKS} tracked links and more", rich)
    compare("Real mail", texts)


if __name__ == "__main__":
    main()
