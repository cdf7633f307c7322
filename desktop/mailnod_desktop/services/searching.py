"""Look for words in the bodies of mails."""

from __future__ import annotations

from collections.abc import Sequence

from mailnod_desktop.services.model import Mail
from mailnod_desktop.services.parsing import parse

__all__ = ["holds_words"]

_ENCODED = (b"base64", b"quoted-printable")


def holds_words(mail: Mail, words: Sequence[str]) -> bool:
    """Return whether all words stand in a mail: in its head, in its HTML or in its text, in any case.

    :param words: casefolded.
    """
    if all(word.isascii() for word in words):
        # Most mails are told by their bytes, without taking them apart.
        raw = mail.data.lower()
        if all(word.encode("ascii") in raw for word in words):
            return True
        if not any(name in raw for name in _ENCODED):
            return False
    parsed = parse(mail)
    head = "\n".join(value for _, value in parsed.headers)
    whole = "\n".join((head, *parsed.htmls, parsed.text)).casefold()
    return all(word in whole for word in words)
