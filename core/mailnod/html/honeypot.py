"""The hidden link of a mail: people do not see it, so who follows it reads markup.

It has no text and is not displayed, by CSS and for Outlook's Word by ``mso-hide``; screen readers are told to pass it
over (``aria-hidden``, WAI-ARIA 1.2), and no tab stops at it (``tabindex``, HTML Standard, section 6.6.3). It leads to a
page of the collector's own and not to one of the sender's links, which may do something when they are followed.
"""

from __future__ import annotations

from typing import Final

from mailnod.html.urls import TrackingBase
from mailnod.model import HONEYPOT_INDEX, Link

__all__ = ["holds_honeypot", "write_honeypot"]

_TAIL: Final = '" style="display:none;mso-hide:all" aria-hidden="true" tabindex="-1"></a>'


def write_honeypot(base: TrackingBase, tag: str) -> tuple[str, str]:
    """Return what stands before the token, and what stands behind it.

    :param tag: seals the index of the hidden link and the empty destination.
    """
    return f'<a href="{base.url}/c/', f".{HONEYPOT_INDEX}.{tag}{_TAIL}"


def holds_honeypot(link: Link, base: TrackingBase) -> bool:
    """Tell whether a link of a source is a hidden link of an earlier rewriting."""
    return f".{HONEYPOT_INDEX}." in link.url and base.owns_link(link.url)
