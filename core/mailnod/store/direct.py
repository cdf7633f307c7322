"""Synced writes that nobody waits for: Linux's own asynchronous I/O, which needs no thread and tells by an event.

A thread that writes must win the interpreter back from the one that answers requests, several times for each commit;
here the kernel writes, syncs and says so (io_submit(2), eventfd(2)). It writes from memory straight to places of the
file that are there already, in whole blocks. What cannot be done so without waiting is refused.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import platform
import sys
import weakref
from struct import Struct

__all__ = ["BLOCK_BYTES", "MAX_BYTES", "DirectWriter"]

#: Places and lengths are multiples of this; memory pages and the blocks of disks are not larger.
BLOCK_BYTES = 4096
#: The most that one write takes.
MAX_BYTES = 256 * 1024

#: The numbers of io_setup, io_destroy, io_submit and io_getevents by architecture (asm/unistd_64.h, asm-generic).
_CALLS = {"x86_64": (206, 207, 209, 208), "aarch64": (0, 1, 2, 4)}

#: The block of one operation, and the event of its end (linux/aio_abi.h).
_CONTROL = Struct("<QIiHhiQQqQII")
_EVENT = Struct("<QQqq")
_PWRITE = 1
_TELL_BY_EVENT = 1
_LONG = ctypes.c_long
#: Seconds and nanoseconds.
_TIME = Struct("<qq")
#: As O_DSYNC for this write alone, and refuse where it would have to wait (linux/fs.h).
_SYNCED, _NO_WAIT = 0x2, 0x8


class DirectWriter:
    """Writes to files one after the other; used by one thread at a time.

    :raises OSError: this system has no such I/O, or none left.
    """

    def __init__(self) -> None:
        calls = _CALLS.get(platform.machine())
        if sys.platform != "linux" or calls is None or sys.byteorder != "little" or sys.maxsize < 2**32:
            raise OSError(errno.ENOSYS, "asynchronous I/O of Linux is not known here")
        setup, destroy, self._submit, self._get_events = calls
        # The object is this writer's alone, and so is the number of the last error.
        self._call = ctypes.CDLL(None, use_errno=True).syscall
        # Asking takes no longer than letting go of the interpreter, which another thread may have taken afterwards.
        self._ask = ctypes.PyDLL(None, use_errno=True).syscall
        self._context = ctypes.c_ulong(0)
        self._check(self._call(setup, 1, ctypes.byref(self._context)))
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        # Not shared with a child, and at the start of a page.
        self._memory = mmap.mmap(-1, MAX_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._control = ctypes.create_string_buffer(_CONTROL.size)
        self._controls = (ctypes.c_void_p * 1)(ctypes.addressof(self._control))
        self._done = ctypes.create_string_buffer(_EVENT.size)
        weakref.finalize(self, _release, self._call, destroy, self._context, self._event, os.getpid()).atexit = False

    def fileno(self) -> int:
        """Return a descriptor that can be read when a write has ended."""
        return self._event

    def begin(self, descriptor: int, data: bytes, at: int) -> None:
        """Begin a write; nothing may be under way.

        :param descriptor: of a file that was opened with ``O_DIRECT``, and has blocks that were written there.
        :param data: whole blocks, :data:`MAX_BYTES` at most.
        :param at: where in the file, at the start of a block.
        :raises OSError: it was not begun; BlockingIOError where it would have to wait.
        """
        self._memory[: len(data)] = data
        _CONTROL.pack_into(
            *(self._control, 0),
            *(0, 0, _SYNCED | _NO_WAIT, _PWRITE, 0, descriptor, self._address, len(data), at, 0),
            *(_TELL_BY_EVENT, self._event),
        )
        self._check(self._call(self._submit, self._context, _LONG(1), self._controls))

    def end(self, *, wait_s: float = 0.0) -> int | None:
        """Return how many bytes were written and synced; None where that is still under way.

        :param wait_s: how long to wait for it.
        :raises OSError: what came of the write.
        """
        # First, because the event comes after the end that it tells of, and an old one would be told of for ever.
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._event)
        limit = _TIME.pack(int(wait_s), int(wait_s % 1 * 1e9))
        call = self._call if wait_s else self._ask
        try:
            number = self._check(call(self._get_events, self._context, _LONG(1), _LONG(1), self._done, limit))
        except InterruptedError:
            number = 0
        if number == 0:
            return None
        _, _, result, _ = _EVENT.unpack(self._done.raw)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return int(result)

    def _check(self, result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result


def _release(call: object, destroy: int, context: ctypes.c_ulong, event: int, process: int) -> None:
    os.close(event)
    # A child has no such context, and its parent's number may be another's.
    if os.getpid() == process:
        call(destroy, context)  # type: ignore[operator]
