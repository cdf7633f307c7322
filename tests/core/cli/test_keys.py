"""``mailnod keys``."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from mailnod import Keyring
from mailnod.tokens import KeyState

Run = Callable[..., Result]


def states(value: str) -> dict[int, KeyState]:
    return {key.id: key.state for key in Keyring.parse(value.strip()).keys}


def follow(run: Run, environ: dict[str, str], *arguments: str) -> dict[int, KeyState]:
    """Run a command and take the value that it prints."""
    result = run("keys", *arguments)
    assert result.exit_code == 0, result.output
    environ["MAILNOD_SECRET_KEYS"] = result.stdout.strip()
    return states(result.stdout)


def test_first_key_signs(run: Run, environ: dict[str, str]) -> None:
    """Without keys, new makes the first one, and the value alone is on standard output."""
    del environ["MAILNOD_SECRET_KEYS"]
    assert follow(run, environ, "new") == {0: KeyState.SIGNING}


def test_new_key_signs_and_the_old_one_verifies(run: Run, environ: dict[str, str]) -> None:
    """A key's whole life goes through the printed values."""
    assert follow(run, environ, "new") == {0: KeyState.VERIFYING, 1: KeyState.SIGNING}
    assert follow(run, environ, "retire", "0") == {0: KeyState.RETIRED, 1: KeyState.SIGNING}
    assert follow(run, environ, "new")[2] is KeyState.SIGNING
    assert follow(run, environ, "revoke", "0")[0] is KeyState.REVOKED


def test_lowest_unused_id_is_taken(run: Run, environ: dict[str, str]) -> None:
    """An id that was freed is used again."""
    environ["MAILNOD_SECRET_KEYS"] = f"0:signing:{'a' * 40},2:verifying:{'b' * 40}"
    assert 1 in follow(run, environ, "new")


def test_sixteen_keys_are_all(run: Run, environ: dict[str, str]) -> None:
    """A seventeenth key is refused with what to do."""
    for _ in range(15):
        follow(run, environ, "new")
    result = run("keys", "new")
    assert result.exit_code == 2
    assert "all 16" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["retire", "0"], "signs"),
        (["revoke", "0"], "signs"),
        (["retire", "7"], "no key with the id 7"),
        (["retire", "abc"], "'abc' is no key id, a number from 0 to 15"),
        (["revoke", "16"], "'16' is no key id"),
    ],
)
def test_impossible_changes_are_refused(run: Run, arguments: list[str], message: str) -> None:
    """The signing key stays, and an unknown id is named."""
    result = run("keys", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_revoked_key_is_not_brought_back(run: Run, environ: dict[str, str]) -> None:
    """Retiring a revoked key would let its links work again."""
    follow(run, environ, "new")
    follow(run, environ, "revoke", "0")
    assert run("keys", "retire", "0").exit_code == 2


def test_list_shows_no_secret(run: Run, environ: dict[str, str]) -> None:
    """Ids and states are shown, in the table and in JSON, and never a secret."""
    assert environ["MAILNOD_SECRET_KEYS"] not in run("keys", "list").stdout
    shown = run("keys", "list", "--json").stdout
    assert json.loads(shown) == {"derived": False, "keys": [{"id": 0, "state": "signing"}]}


def test_list_without_keys_says_how_to_make_one(run: Run, environ: dict[str, str]) -> None:
    """No keys is an answer and no error."""
    del environ["MAILNOD_SECRET_KEYS"]
    result = run("keys", "list")
    assert result.exit_code == 0
    assert "keys new" in result.stdout


def test_unreadable_keys_are_refused_without_showing_them(run: Run, environ: dict[str, str]) -> None:
    """A broken value ends with 2, and no secret is in the message."""
    environ["MAILNOD_SECRET_KEYS"] = "0:signs:verysecretvalue"
    result = run("keys", "new")
    assert result.exit_code == 2
    assert "verysecretvalue" not in result.output
