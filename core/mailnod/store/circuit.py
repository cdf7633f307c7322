"""A breaker: after a failure of the environment nobody tries again for a while."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from mailnod.errors import StoreUnavailableError

__all__ = ["Circuit"]


class Circuit:
    """Fails at once what would fail slowly, so that an outage costs one wait now and then, and not one for each call.

    Threads share it without a lock: who comes too early or too late tries once more or once less.

    :param pause_s: for how long nothing is tried after a failure.
    :param monotonic: seconds of a clock that is never set back.
    """

    def __init__(self, *, pause_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pause_s = pause_s
        self._monotonic = monotonic
        #: When the last failure was, and what it said.
        self._failure: tuple[float, str] | None = None

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        """Run what may fail.

        :raises StoreUnavailableError: it failed now, or moments ago, and then it was not tried.
        """
        self.check()
        try:
            yield
        except StoreUnavailableError as error:
            self.note(error)
            raise
        self.note(None)

    def check(self) -> None:
        """Ask whether to try at all; who does says with :meth:`note` what came of it.

        :raises StoreUnavailableError: it failed moments ago.
        """
        failure = self._failure
        if failure is not None and not self.may_try():
            raise StoreUnavailableError(f"not tried again for {self._pause_s:g} s after: {failure[1]}")

    def may_try(self) -> bool:
        """Return whether to try at all; who does says with :meth:`note` what came of it."""
        failure = self._failure
        return failure is None or self._monotonic() - failure[0] >= self._pause_s

    def note(self, error: StoreUnavailableError | None) -> None:
        """Say that it failed, or by None that it did not."""
        self._failure = None if error is None else (self._monotonic(), str(error))
