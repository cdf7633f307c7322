"""The building blocks of the example mails: tables and inline styles, as mail programs want them."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

__all__ = ["article", "button", "card", "footer", "page", "picture", "prose", "total_table"]

_INK, _SOFT, _TEAL, _RULE = "#1d2f37", "#657981", "#0f5c6e", "#dfe7e8"
_SANS = "Helvetica,Arial,sans-serif"

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ margin: 0; padding: 0; }}
img {{ border: 0; display: block; }}
@media (max-width: 620px) {{ .sheet {{ width: 100% !important; }} .pad {{ padding: 20px 22px 4px !important; }} }}
@media (prefers-color-scheme: dark) {{
  .ground {{ background: #10222a !important; }} .sheet {{ background: #17303a !important; }}
  .ink {{ color: #e8eef0 !important; }} .soft {{ color: #9fb4bb !important; }}
}}
</style>
</head>
<body class="ground" style="margin:0;padding:0;background:#eef3f3">
<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">{preheader}</div>
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" class="ground"
  style="background:#eef3f3"><tr><td align="center" style="padding:26px 12px">
<table role="presentation" width="600" cellpadding="0" cellspacing="0" border="0" class="sheet"
  style="width:600px;max-width:600px;background:#ffffff;border-radius:10px;overflow:hidden">
{rows}
</table>
</td></tr></table>
</body>
</html>
"""


def page(title: str, preheader: str, rows: Iterable[str]) -> str:
    """Return a whole mail of rows."""
    return _PAGE.format(title=escape(title), preheader=escape(preheader), rows="\n".join(rows))


def picture(source: str, alt: str) -> str:
    """Return a row with a picture from edge to edge."""
    return (
        f'<tr><td><img src="{source}" width="600" alt="{escape(alt)}" '
        'style="width:100%;max-width:600px;height:auto"></td></tr>'
    )


def prose(heading: str, *paragraphs: str, kicker: str = "") -> str:
    """Return a row with a heading and paragraphs of HTML."""
    above = (
        f'<p class="soft" style="margin:0 0 8px;font:12px/1.5 {_SANS};letter-spacing:.12em;text-transform:uppercase;'
        f'color:{_SOFT}">{escape(kicker)}</p>'
        if kicker
        else ""
    )
    head = f'<h1 class="ink" style="margin:0 0 12px;font:normal 28px/1.25 Georgia,serif;color:{_INK}">{heading}</h1>'
    body = "".join(
        f'<p class="ink" style="margin:0 0 16px;font:16px/1.6 {_SANS};color:{_INK}">{text}</p>' for text in paragraphs
    )
    return f'<tr><td class="pad" style="padding:28px 44px 4px">{above}{head}{body}</td></tr>'


def button(label: str, url: str) -> str:
    """Return a row with one button."""
    return (
        '<tr><td class="pad" style="padding:4px 44px 26px"><table role="presentation" cellpadding="0" cellspacing="0" '
        f'border="0"><tr><td style="border-radius:6px;background:{_TEAL}"><a href="{escape(url)}" '
        f'style="display:inline-block;padding:13px 26px;font:bold 15px/1 {_SANS};color:#ffffff;text-decoration:none">'
        f"{escape(label)}</a></td></tr></table></td></tr>"
    )


def article(heading: str, text: str, url: str, source: str, alt: str) -> str:
    """Return a row with a small picture, a heading and a link."""
    return (
        f'<tr><td class="pad" style="padding:14px 44px"><table role="presentation" width="100%" cellpadding="0" '
        f'cellspacing="0" border="0" style="border-top:1px solid {_RULE}"><tr>'
        f'<td width="112" valign="top" style="padding:18px 0 0"><a href="{escape(url)}"><img src="{source}" width="96" '
        f'height="72" alt="{escape(alt)}" style="border-radius:6px"></a></td>'
        f'<td valign="top" style="padding:16px 0 0"><p class="ink" style="margin:0 0 4px;font:bold 16px/1.35 {_SANS};'
        f'color:{_INK}">{heading}</p><p class="soft" style="margin:0 0 6px;font:14px/1.55 {_SANS};color:{_SOFT}">{text}'
        f'</p><a href="{escape(url)}" style="font:bold 14px/1.4 {_SANS};color:{_TEAL}">Read on</a></td>'
        "</tr></table></td></tr>"
    )


def card(name: str, text: str, price: str, url: str, source: str) -> str:
    """Return a row of a catalogue."""
    return (
        f'<tr><td class="pad" style="padding:10px 44px"><table role="presentation" width="100%" cellpadding="0" '
        f'cellspacing="0" border="0" style="border-bottom:1px solid {_RULE}"><tr>'
        f'<td width="112" style="padding:0 0 12px">'
        f'<img src="{source}" width="96" height="72" alt="{escape(name)}" style="border-radius:6px"></td>'
        f'<td class="ink" style="padding:0 0 12px;font:15px/1.5 {_SANS};color:{_INK}"><b>{escape(name)}</b><br>'
        f'<span class="soft" style="color:{_SOFT}">{escape(text)}</span></td><td align="right" width="110" '
        f'style="padding:0 0 12px;font:bold 15px/1.5 {_SANS};color:{_INK}">{price}<br><a href="{escape(url)}" '
        f'style="color:{_TEAL}">See it</a></td></tr></table></td></tr>'
    )


def total_table(lines: Iterable[tuple[str, str]], total: str) -> str:
    """Return a row with the lines of a receipt and their sum."""
    cell = f'class="ink" style="padding:9px 0;border-bottom:1px solid {_RULE};font:15px/1.4 {_SANS};color:{_INK}"'
    right, last = f"{cell[:-1]};text-align:right", f"{cell[:-1]};font-weight:bold"
    body = "".join(f'<tr><td {cell}>{escape(what)}</td><td {right}">{price}</td></tr>' for what, price in lines)
    return (
        '<tr><td class="pad" style="padding:4px 44px 24px"><table role="presentation" width="100%" cellpadding="0" '
        f'cellspacing="0" border="0">{body}<tr><td {last}">Total</td><td {last};text-align:right">{total}</td></tr>'
        "</table></td></tr>"
    )


def footer(*links: tuple[str, str]) -> str:
    """Return the last row, with small links."""
    shown = " &middot; ".join(
        f'<a href="{escape(url)}" style="color:{_SOFT}">{escape(text)}</a>' for text, url in links
    )
    return (
        f'<tr><td class="pad soft" style="padding:18px 44px 30px;font:12px/1.6 {_SANS};color:{_SOFT}">'
        f"Tidewater Weekly, 1 Harbour Street, Example Bay<br>{shown}</td></tr>"
    )
