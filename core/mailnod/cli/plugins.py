"""``mailnod plugins``: what is plugged in, and where."""

from __future__ import annotations

from types import ModuleType

import click
import pluggy

from mailnod.cli.context import CliContext, json_option, pass_cli
from mailnod.cli.output import print_json, print_table

__all__ = ["plugins"]


@click.command()
@json_option
@pass_cli
def plugins(cli: CliContext, *, as_json: bool) -> None:
    """List the plugins in the order in which they are asked, and the hooks that each one uses."""
    found = [
        {"name": name, "source": _get_source(plugin), "hooks": _get_hooks(plugin)}
        for name, plugin in cli.tracker.plugins
    ]
    if as_json:
        print_json(found)
    elif not found:
        click.echo("No plugins.")
    else:
        rows = [(one["name"], one["source"], ", ".join(one["hooks"])) for one in found]
        print_table("Plugins", ("name", "source", "hooks"), rows)


def _get_hooks(plugin: object) -> list[str]:
    manager = pluggy.PluginManager("mailnod")
    return [name for name in dir(plugin) if manager.parse_hookimpl_opts(plugin, name) is not None]


def _get_source(plugin: object) -> str:
    if isinstance(plugin, ModuleType):
        return plugin.__name__
    return f"{type(plugin).__module__}.{type(plugin).__qualname__}"
