"""A process that writes what another one sends it to journals, and says when it is on the disk.

A message is a number and lines, and is answered by the same number and what became of them: what an earlier process has
left unread is written by the next one, and must not pass for what was sent later.
"""

from __future__ import annotations

import errno
import signal
import socket
import sys
from pathlib import Path

from mailnod.store.journal_file import JournalWriter

__all__ = ["MAX_BYTES", "NUMBER_BYTES", "READY", "WRITTEN", "main"]

#: What a message with lines has at most, a thousand hits or so; a system that takes less in one piece says so.
MAX_BYTES = 384 * 1024
#: How many bytes a message's number has.
NUMBER_BYTES = 8
#: What is said first, without a number.
READY = b"ready"
#: What is answered where lines are on the disk; otherwise it is the number of an error.
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
            while message := sender.recv(NUMBER_BYTES + MAX_BYTES):
                sender.send(message[:NUMBER_BYTES] + _write(writer, message[NUMBER_BYTES:]))
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
