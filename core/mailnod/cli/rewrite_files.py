"""Rewrite whole files into a folder: messages, mailboxes and HTML, with a progress bar for who waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from mailnod.cli.output import make_console
from mailnod.errors import ConfigurationError, RewriteError
from mailnod.send.files import find_messages

__all__ = ["Written", "rewrite_mailbox", "write_files"]

#: Takes the bytes of one message or page, and returns them as they would leave.
Rewrite = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of one file."""

    file: str
    output: str
    #: How many messages or pages were in it, and why some of them stayed as they were.
    items: int
    errors: tuple[str, ...]


def write_files(paths: Sequence[Path], folder: Path, rewrite: Rewrite) -> list[Written]:
    """Rewrite files into a folder, each under its own name; what cannot be edited is copied as it is.

    :param paths: a file whose name ends with ``.mbox`` is rewritten message by message.
    :raises ConfigurationError: a target exists already, or two files have one name; then nothing is written.
    """
    from rich.progress import Progress

    targets = [folder / path.name for path in paths]
    for number, target in enumerate(targets):
        if target.exists() or target in targets[:number]:
            raise ConfigurationError(f"--output-dir: {str(target)!r} would be written over; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    # The bar is on standard error, and rich draws none where that is no terminal.
    with Progress(console=make_console(stderr=True), transient=True) as progress:
        for path, target in progress.track(list(zip(paths, targets, strict=True)), description="Rewriting"):
            written.append(_write_file(path, target, rewrite))
    return written


def rewrite_mailbox(data: bytes, rewrite: Rewrite) -> tuple[bytes, int]:
    """Rewrite each message of a mailbox file (RFC 4155), and return it with the number of messages.

    The separator lines and everything between them and the messages stay, byte for byte.
    """
    heads = list(find_messages(data))
    ends = [*(start for start, _ in heads[1:]), len(data)]
    pieces = [data[: heads[0][0] if heads else len(data)]]
    for (start, head_end), end in zip(heads, ends, strict=False):
        pieces += [data[start:head_end], rewrite(data[head_end:end])]
    return b"".join(pieces), len(heads)


def _write_file(path: Path, target: Path, rewrite: Rewrite) -> Written:
    errors = []

    def rewrite_or_keep(data: bytes) -> bytes:
        try:
            return rewrite(data)
        except RewriteError as error:
            errors.append(str(error))
            return data

    try:
        data = path.read_bytes()
        if path.suffix.lower() == ".mbox":
            data, items = rewrite_mailbox(data, rewrite_or_keep)
        else:
            data, items = rewrite_or_keep(data), 1
        target.write_bytes(data)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    return Written(file=str(path), output=str(target), items=items, errors=tuple(errors))
