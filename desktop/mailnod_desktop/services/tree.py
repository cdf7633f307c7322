"""The tree of a message's parts (RFC 2045), each decoded, whatever it is."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from mailnod.errors import RewriteError
from mailnod.html.encoded import decode_html
from mailnod.send.parts import MessagePart, decode_transfer, walk_parts
from mailnod_desktop.services.model import MimeNode
from mailnod_desktop.services.text import clean_text, decode_words

__all__ = ["decode_text", "find_inline", "find_text", "read_tree"]

_BASE64_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64: Final = bytes(byte for byte in range(256) if byte not in _BASE64_ALPHABET)


def read_tree(data: bytes) -> tuple[MimeNode, ...]:
    """Return every part of a message, a container before what it holds.

    :raises RewriteError: it has more parts than any mail has.
    """
    nodes = [_make_node(data, part) for part in walk_parts(data, enters=lambda _: True)]
    return tuple(replace(node, size_bytes=_add_up(node, nodes)) if node.role == "container" else node for node in nodes)


def find_text(nodes: Sequence[MimeNode]) -> str:
    """Return the first plain-text body, or ""."""
    return next((decode_text(node) for node in nodes if node.role == "text body"), "")


def decode_text(node: MimeNode) -> str:
    """Return the content of a text part as text; bytes that are none become U+FFFD."""
    try:
        html = decode_html(node.content, node.charset or None)
    except RewriteError:
        return node.content.decode("latin-1")
    return html.data.decode(html.codec, "replace")


def find_inline(nodes: Sequence[MimeNode]) -> Mapping[str, tuple[str, bytes]]:
    """Return type and bytes of each part that HTML may refer to by its Content-ID (RFC 2392)."""
    # Of several with one name the first one counts.
    return {node.content_id: (node.content_type, node.content) for node in reversed(nodes) if node.content_id}


def _make_node(data: bytes, part: MessagePart) -> MimeNode:
    head = part.head
    kind = head.get_content_type()
    container = head.get_content_maintype() == "multipart"
    content = b"" if container else _decode(data[part.body_start : part.body_end], part.transfer_encoding, kind)
    filename = _read(head.get_filename)
    content_id = _read(lambda: head.get("Content-ID")).strip().strip("<>").strip()
    return MimeNode(
        path=part.path,
        depth=part.depth,
        content_type=clean_text(kind),
        role="container" if container else _find_role(part, kind, filename, content_id),
        charset=clean_text(_read(head.get_content_charset)),
        transfer_encoding=clean_text(part.transfer_encoding) if "Content-Transfer-Encoding" in head else "",
        filename=decode_words(filename),
        content_id=clean_text(content_id),
        size_bytes=len(content),
        content=content,
    )


def _read(getter: Callable[[], object]) -> str:
    """Return what a getter of the standard library's says as text, or "" where it stumbles over what it reads."""
    try:
        value = getter()
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return "" if value is None else str(value)


def _find_role(part: MessagePart, kind: str, filename: str, content_id: str) -> str:
    if part.is_attachment:
        return "inline" if content_id and kind.startswith("image/") else "attachment"
    if kind in ("text/html", "text/plain"):
        return "html body" if kind == "text/html" else "text body"
    if content_id or part.head.get_content_disposition() == "inline":
        return "inline"
    return "attachment" if filename else "other"


def _decode(body: bytes, encoding: str, kind: str) -> bytes:
    if encoding == "quoted-printable" and kind != "text/html":
        # What the sender does not edit need not be read byte for byte.
        return binascii.a2b_qp(body)
    try:
        return decode_transfer(body, encoding)
    except RewriteError:
        # Mail programs read as much of it as they can.
        digits = body.translate(None, _NOT_BASE64)
        return base64.b64decode(digits[: len(digits) - (len(digits) % 4 == 1)] + b"==")


def _add_up(container: MimeNode, nodes: Sequence[MimeNode]) -> int:
    return sum(node.size_bytes for node in nodes if node.path.startswith(f"{container.path}."))
