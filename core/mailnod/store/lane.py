"""The journal of one event loop: it is handed hits, and tells by a socket when they are on the disk.

A process of its own writes them (:mod:`~mailnod.store.journal_process`). A thread that writes must win the interpreter
back from the one that answers requests, several times for each commit; and a call to a disk, however it is made, may
wait for one that hangs. Sending to a process that reads does neither.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

from mailnod.errors import describe_error
from mailnod.model import Observation, Recorded
from mailnod.store.entries import write_entries
from mailnod.store.journal_process import MAX_BYTES, NUMBER_BYTES, READY, WRITTEN

__all__ = ["JournalLane"]

_log = logging.getLogger(__name__)

#: What is said in the place of a process that has ended.
_ENDED = b"ended"
#: For how long no other process is started after one has ended by itself; each time twice as long.
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 600.0
#: How long a close waits for the last commit.
_CLOSE_S = 5.0
_START = "from mailnod.store.journal_process import main; main()"


class JournalLane:
    """Commits hits one batch after the other; used by one event loop, and closed from any thread.

    :param folder: where the journals are made.
    :param may_take: whether hits may go this way at the moment.
    :param note: called with how many hits a batch had, how many seconds it took, and None or what went wrong.
    :raises OSError: this system has no sockets of the kind, or no program to start.
    """

    def __init__(
        self, folder: Path, *, may_take: Callable[[], bool], note: Callable[[int, float, OSError | None], None]
    ) -> None:
        if getattr(sys, "frozen", False) or not Path(sys.executable or "").name.startswith(("python", "pypy")):
            raise FileNotFoundError(f"no Python could be started as {sys.executable!r}")
        self._folder = folder
        self._may_take = may_take
        self._note = note
        # One pair for good, so that whoever waits for it need not know that another process was started.
        self._socket, self._far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        # As much of it as the system grants.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * MAX_BYTES)
        weakref.finalize(self, _close_all, self._socket, self._far_end).atexit = False
        self._attendant: threading.Thread | None = None
        self._closed = False
        #: Whether a process has said that it is there.
        self._ready = False
        #: Hits of the batch that is under way, and its number; None where none is.
        self._hits: int | None = None
        self._number = 0
        self._began_at = 0.0
        self._pause_s, self._start_at = _PAUSE_S, 0.0

    def fileno(self) -> int:
        """Return a descriptor that can be read when :meth:`finish` has something to say."""
        return self._socket.fileno()

    def begin(self, items: Sequence[Recorded]) -> bool:
        """Begin to write hits and counts down, and return at once.

        :returns: False where nothing is taken now: a batch is under way, the process is not there yet or not any more,
            or there is too much for one message.
        """
        if not self._ready:
            self._start()
            return False
        if self._hits is not None or not self._may_take():
            return False
        lines = write_entries(items)
        if len(lines) > MAX_BYTES:
            return False
        self._number += 1
        try:
            self._socket.send(self._number.to_bytes(NUMBER_BYTES, "big") + lines)
        except OSError:
            return False
        self._hits = sum(isinstance(item, Observation) for item in items)
        self._began_at = time.monotonic()
        return True

    def finish(self) -> bool | None:
        """Return whether the batch that was begun is on the disk; None where nothing is known of it yet."""
        try:
            said = self._socket.recv(64)
        except OSError:
            return None
        if said == READY:
            self._ready = True
            return None
        ended = said in (_ENDED, b"")
        if ended:
            self._ready = False
            self._attendant = None
            self._start_at, self._pause_s = time.monotonic() + self._pause_s, min(2 * self._pause_s, _LONGEST_PAUSE_S)
        elif int.from_bytes(said[:NUMBER_BYTES], "big") != self._number:
            # An earlier process has left it unread, and it was recorded by other means.
            return None
        hits, self._hits = self._hits, None
        if hits is None:
            return None
        if ended:
            return False
        outcome = said[NUMBER_BYTES:]
        if outcome == WRITTEN:
            self._pause_s = _PAUSE_S
            self._note(hits, time.monotonic() - self._began_at, None)
            return True
        self._note(0, 0.0, OSError(int(outcome), os.strerror(int(outcome))))
        return False

    def leave(self) -> None:
        """Want to hear nothing any more of the batch that is under way, because it is recorded by other means."""
        if self._hits is not None:
            self._hits = 0

    def close(self) -> None:
        """Let the process end when it has written what is under way, and wait for that; nothing is taken afterwards."""
        self._closed = True
        self._ready = False
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        attendant = self._attendant
        if attendant is not None:
            attendant.join(_CLOSE_S)

    def _start(self) -> None:
        if self._closed or self._attendant is not None or time.monotonic() < self._start_at:
            return
        attendant = threading.Thread(
            target=_attend, args=(self._far_end, self._folder), name="mailnod-lane", daemon=True
        )
        # Where a process is ending, no thread can be started.
        with contextlib.suppress(RuntimeError):
            attendant.start()
            self._attendant = attendant


def _attend(far_end: socket.socket, folder: Path) -> None:
    """Start a process that writes journals, and say so when it has ended.

    It knows nothing of the lane, which goes away with its event loop, and takes the process along.
    """
    # To write journals takes no keys.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAILNOD_")}
    try:
        descriptor = far_end.fileno()
        process = subprocess.Popen(  # noqa: S603 - This interpreter, with a folder that is ours.
            # Nothing is imported from the working directory.
            [sys.executable, "-P", "-c", _START, str(folder), str(descriptor)],
            env=environ,
            pass_fds=[descriptor],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # What ends this process, such as Ctrl-C, is for it to hear alone; the other one ends after it.
            start_new_session=True,
        )
        code = process.wait()
        _log.log(logging.ERROR if code else logging.DEBUG, "the process that writes journals has ended with %d", code)
    except Exception as error:
        _log.error("no process can be started that writes journals, a thread does: %s", describe_error(error))
    finally:
        # It is not heard where the lane is gone.
        with contextlib.suppress(OSError, ValueError):
            far_end.send(_ENDED)


def _close_all(*sockets: socket.socket) -> None:
    for one in sockets:
        one.close()
