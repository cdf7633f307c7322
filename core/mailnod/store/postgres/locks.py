"""The advisory locks by which writers take turns, so that numbers rise in the order in which they can be seen.

A sequence gives its numbers out before the transactions that take them end. Who has read up to a number would miss a
smaller one that is committed later: a withdrawal, or a hit in a window that is judged. So those who write what is read
by number do it one after the other, and the lock goes with their commit.

One process at a time empties the inbox, too; the others leave it to that one, and need not wait.
"""

from __future__ import annotations

from typing import Literal

from mailnod.store.postgres.server import Connection

__all__ = ["take", "try_take"]

Name = Literal["consents", "suppressed", "inbox", "hits", "bodies"]

#: Always taken in this order, or two transactions could wait for each other.
_KEYS: dict[Name, int] = {
    "consents": 0x4D6E6F6401,
    "suppressed": 0x4D6E6F6402,
    "inbox": 0x4D6E6F6405,
    "hits": 0x4D6E6F6403,
    "bodies": 0x4D6E6F6404,
}


def take(connection: Connection, name: Name, *, shared: bool = False) -> None:
    """Wait for a lock and hold it until the transaction ends.

    :param shared: beside others that share it; who takes it alone waits for all of them.
    """
    kind = "_shared" if shared else ""
    connection.execute(f"SELECT pg_advisory_xact_lock{kind}({_KEYS[name]})")


def try_take(connection: Connection, name: Name) -> bool:
    """Take a lock until the transaction ends; False at once where another holds it."""
    ((taken,),) = connection.execute(f"SELECT pg_try_advisory_xact_lock({_KEYS[name]})").fetchall()
    return bool(taken)
