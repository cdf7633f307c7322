"""Write a mail of the list into a file, byte for byte."""

from __future__ import annotations

import re
from pathlib import Path

from mailnod_desktop.services.model import Mail
from mailnod_desktop.services.parsing import summarise
from mailnod_desktop.services.summary import find_head, read_fields

__all__ = ["find_message_id", "save_mail", "suggest_name"]


def find_message_id(mail: Mail) -> str:
    """Return the Message-ID of a mail; "" where it has none."""
    if mail.form == "html":
        return ""
    return next(
        (value.strip() for name, value in read_fields(find_head(mail.data)) if name.lower() == "message-id"), ""
    )


def suggest_name(mail: Mail) -> str:
    """Return a file name made of the subject."""
    name = re.sub(r"[^\w.-]+", "-", summarise(mail).subject, flags=re.UNICODE).strip("-.")[:80]
    return f"{name or 'mail'}{'.html' if mail.form == 'html' else '.eml'}"


def save_mail(mail: Mail, path: Path) -> None:
    """Write the bytes of a mail as they came.

    :raises OSError: the file cannot be written; the message names it.
    """
    path.write_bytes(mail.data)
