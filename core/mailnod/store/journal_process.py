"""A process that writes what another one sends it to journals, and says when it is on the disk."""

from __future__ import annotations

import errno
import signal
import socket
import sys
from pathlib import Path

from mailnod.store.journal_file import JournalWriter

__all__ = ["MAX_BYTES", "READY", "WRITTEN", "main"]

#: What a message with lines has at most, a thousand hits or so; a system that takes less in one piece says so.
MAX_BYTES = 384 * 1024
#: What is answered, besides the number of an error.
READY = b"ready"
WRITTEN = b"written"


def main() -> None:
    """Write each message down until the other end is closed; the arguments are a folder and a socket's descriptor."""
    # It ends after whoever sends, so that the last message is written too.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    writer = JournalWriter(Path(sys.argv[1]))
    with socket.socket(fileno=int(sys.argv[2])) as sender:
        try:
            sender.send(READY)
            while lines := sender.recv(MAX_BYTES):
                sender.send(_write(writer, lines))
        except OSError:
            # Whoever sent is gone, and what it sent is written.
            pass
    writer.drop_file()


def _write(writer: JournalWriter, lines: bytes) -> bytes:
    try:
        writer.write(lines)
    except OSError as error:
        return b"%d" % (error.errno or errno.EIO)
    return WRITTEN
