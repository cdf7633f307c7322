"""``mailnod keys``: print the next value of MAILNOD_SECRET_KEYS; nothing is stored.

The value goes to standard output alone, so that ``export MAILNOD_SECRET_KEYS="$(mailnod keys new)"`` works; what it
means goes to standard error.
"""

from __future__ import annotations

from dataclasses import replace

import click

from mailnod.cli.context import CliContext, json_option, name_command, pass_cli
from mailnod.cli.output import print_json, print_table
from mailnod.errors import ConfigurationError
from mailnod.tokens import MAX_KEYS, Key, Keyring, KeyState, new_secret

__all__ = ["keys"]

_MEANINGS = {
    KeyState.SIGNING: "signs new mail, and its mail records",
    KeyState.VERIFYING: "its mail records",
    KeyState.RETIRED: "its mail redirects and records nothing",
    KeyState.REVOKED: "its mail gets 404",
}


def _read_key_id(_context: click.Context, _argument: click.Parameter, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4) or int(text) >= MAX_KEYS:
        raise click.BadParameter(
            f"{text!r} is no key id, a number from 0 to {MAX_KEYS - 1}; '{name_command('keys list')}' shows them"
        )
    return int(text)


@click.group()
def keys() -> None:
    """Make, list, retire and revoke the keys that sign links."""


@keys.command("list")
@json_option
@pass_cli
def list_keys(cli: CliContext, *, as_json: bool) -> None:
    """List the keys by id and state; secrets are never shown."""
    keyring = cli.keyring
    found = keyring.keys if keyring else ()
    derived = keyring.derived if keyring else False
    if as_json:
        print_json({"derived": derived, "keys": [{"id": key.id, "state": key.state} for key in found]})
        return
    if not found:
        click.echo(f"There are no keys; make one with '{name_command('keys new')}'.")
        return
    title = "Keys, derived from the app's SECRET_KEY" if derived else "Keys"
    print_table(title, ("id", "state", "meaning"), [(key.id, key.state, _MEANINGS[key.state]) for key in found])


@keys.command(short_help="Make a key that signs from now on.")
@json_option
@pass_cli
def new(cli: CliContext, *, as_json: bool) -> None:
    """Make a key that signs from now on; the one that signed so far goes on verifying."""
    keyring = cli.keyring
    old = keyring.keys if keyring else ()
    unused = sorted(set(range(MAX_KEYS)) - {key.id for key in old})
    if not unused:
        raise ConfigurationError(
            f"all {MAX_KEYS} key ids are in use: take a retired or revoked key out of MAILNOD_SECRET_KEYS by hand "
            "first (the links that it signed will then get 404)"
        )
    demoted = [replace(key, state=KeyState.VERIFYING) if key.state is KeyState.SIGNING else key for key in old]
    made = Key(id=unused[0], state=KeyState.SIGNING, secret=new_secret())
    _print_value(Keyring([made, *demoted]), f"key {made.id} signs from now on", as_json=as_json)


@keys.command()
@click.argument("key_id", metavar="ID", callback=_read_key_id)
@json_option
@pass_cli
def retire(cli: CliContext, *, key_id: int, as_json: bool) -> None:
    """Let a key's mail redirect and record nothing any more."""
    _change_state(cli, key_id, KeyState.RETIRED, as_json=as_json)


@keys.command(short_help="Answer a key's mail with 404, for a key that leaked.")
@click.argument("key_id", metavar="ID", callback=_read_key_id)
@json_option
@pass_cli
def revoke(cli: CliContext, *, key_id: int, as_json: bool) -> None:
    """Answer a key's mail with 404, for a key that leaked: whoever has it can forge links under your name."""
    _change_state(cli, key_id, KeyState.REVOKED, as_json=as_json)


def _change_state(cli: CliContext, key_id: int, state: KeyState, *, as_json: bool) -> None:
    keyring = cli.keyring
    old = keyring.keys if keyring else ()
    key = next((key for key in old if key.id == key_id), None)
    if key is None:
        known = ", ".join(str(key.id) for key in old) or "none"
        raise ConfigurationError(f"MAILNOD_SECRET_KEYS has no key with the id {key_id}; known are {known}")
    if key.state is KeyState.SIGNING:
        raise ConfigurationError(
            f"key {key_id} is the one that signs: make another with '{name_command('keys new')}' first"
        )
    if key.state is KeyState.REVOKED and state is KeyState.RETIRED:
        raise ConfigurationError(f"key {key_id} is revoked; to retire it would let its links work again")
    changed = [replace(one, state=state) if one is key else one for one in old]
    _print_value(Keyring(changed), f"key {key_id} is {state}: {_MEANINGS[state]}", as_json=as_json)


def _print_value(keyring: Keyring, meaning: str, *, as_json: bool) -> None:
    value = keyring.to_setting()
    # A value that cannot be read back must never be handed out: a derived ring may hold one id twice.
    Keyring.parse(value)
    if as_json:
        print_json({"secret_keys": value, "meaning": meaning})
        return
    click.echo(f"The next value of MAILNOD_SECRET_KEYS, stored nowhere ({meaning}):", err=True)
    click.echo(value)
