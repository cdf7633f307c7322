"""Read mails from files: messages, HTML pages, and mailbox files of many messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mailnod.send.files import is_message
from mailnod_desktop.services.mailbox import Mailbox
from mailnod_desktop.services.model import Form, Mail

__all__ = ["MAX_FILE_BYTES", "Reading", "ReadingError", "make_mail", "read_file", "read_files"]

#: A single mail that is longer is not read: no server takes it.
MAX_FILE_BYTES: Final = 100 * 1024 * 1024

_MAILBOXES: Final = (".mbox", ".mbx", ".mboxrd")
_FORMS: Final[dict[str, Form]] = {".eml": "message", ".htm": "html", ".html": "html", ".xhtml": "html"}
# As much of a file as tells what it is.
_BEGINNING_BYTES: Final = 4096


class ReadingError(Exception):
    """A file that cannot be read as mail.

    :param name: what a person calls it.
    :param problem: what is wrong with it, in words that follow its name.
    :param advice: what to do, in a sentence.
    """

    def __init__(self, name: str, problem: str, advice: str) -> None:
        super().__init__(f"{name}: {problem}. {advice}")
        self.name = name
        self.problem = problem
        self.advice = advice


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What became of several files."""

    #: For each file that could be read its mails, in the order of the files; a :class:`Mailbox` reads them on demand.
    sources: tuple[Sequence[Mail], ...]
    errors: tuple[ReadingError, ...]


def read_files(paths: Iterable[Path]) -> Reading:
    """Read several files; what cannot be read is said and holds nothing up."""
    sources: list[Sequence[Mail]] = []
    errors: list[ReadingError] = []
    for path in paths:
        try:
            sources.append(read_file(path))
        except ReadingError as error:
            errors.append(error)
    return Reading(sources=tuple(sources), errors=tuple(errors))


def read_file(path: Path) -> Sequence[Mail]:
    """Read one file.

    :param path: of a message (.eml), an HTML page (.html, .htm) or a mailbox file (.mbox); of a file with another name
        the content tells what it is.
    :returns: its one mail, or a :class:`Mailbox`.
    :raises ReadingError: there is no such file, or nothing in it that is mail.
    """
    name = path.name or str(path)
    try:
        status = path.stat()
        if path.is_dir():
            raise ReadingError(name, "this is a folder", "Open the files in it instead.")
        if not path.is_file():
            raise ReadingError(name, "this is no regular file", "Save the mail into a file first.")
        if status.st_size == 0:
            raise ReadingError(name, "the file is empty", "Save the mail again.")
        with path.open("rb") as file:
            beginning = file.read(_BEGINNING_BYTES)
        suffix = path.suffix.lower()
        if suffix in _MAILBOXES or (suffix not in _FORMS and beginning.startswith(b"From ")):
            return _open_mailbox(path, name)
        if status.st_size > MAX_FILE_BYTES:
            size = status.st_size // (1024 * 1024)
            raise ReadingError(name, f"the file has {size} MB, and a mail at most 100", "Look for a smaller one.")
        data = path.read_bytes()
    except FileNotFoundError:
        raise ReadingError(name, "there is no such file", "Check the path.") from None
    except PermissionError:
        raise ReadingError(name, "you may not read this file", "Ask its owner, or copy it.") from None
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise ReadingError(name, f"it cannot be read: {problem}", "Check the path and the disk.") from None
    changed_at = datetime.fromtimestamp(status.st_mtime, UTC)
    return (make_mail(data, name=name, key=f"file:{path}", form=_FORMS.get(suffix), received_at=changed_at),)


def make_mail(
    data: bytes, *, name: str, key: str, form: Form | None = None, received_at: datetime | None = None
) -> Mail:
    """Take bytes for a mail.

    :param form: None lets the bytes tell.
    :raises ReadingError: they are neither a message nor HTML.
    """
    if not data.strip():
        raise ReadingError(name, "the file is empty", "Save the mail again.")
    if form is None:
        form = _guess_form(data[:_BEGINNING_BYTES], name)
    return Mail(key=key, name=name, origin="file", form=form, data=data, received_at=received_at)


def _open_mailbox(path: Path, name: str) -> Mailbox:
    mailbox = Mailbox(path)
    if not mailbox:
        raise ReadingError(
            name, "no message begins in this mailbox file", "Each must begin with a line such as 'From a@example.com'."
        )
    return mailbox


def _guess_form(beginning: bytes, name: str) -> Form:
    if is_message(beginning):
        return "message"
    utf16 = beginning.startswith((b"\xff\xfe", b"\xfe\xff"))
    if b"<" in beginning and (utf16 or b"\0" not in beginning):
        return "html"
    raise ReadingError(name, "this is neither a message nor HTML", "Open .eml, .html or .mbox files.")
