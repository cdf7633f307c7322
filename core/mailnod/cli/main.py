"""The ``mailnod`` command: a group that imports a subcommand only when it is called."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from typing import Any

import click

from mailnod.cli.context import COMMAND_NAME, CliContext
from mailnod.errors import ConfigurationError, TrackError

__all__ = ["BUILT_IN", "CommandGroup", "cli"]

#: Every command of Mailnod's own: where it is, and what the overview says of it.
BUILT_IN: dict[str, tuple[str, str]] = {
    "rewrite": ("mailnod.cli.rewrite:rewrite", "Show how an HTML body would be rewritten."),
    "classify": ("mailnod.cli.classify:classify", "Say whether a person or a machine sent a request."),
    "serve": ("mailnod.cli.serve:serve", "Run the collector alone, without an app."),
    "work": ("mailnod.cli.work:work", "Take in and judge hits until stopped."),
    "copy": ("mailnod.cli.copy:copy", "Copy an SQLite store into PostgreSQL."),
    "forward": ("mailnod.cli.forward:forward", "Take in this host's hits until stopped; judge nothing."),
    "events": ("mailnod.cli.events:events", "Show opens and clicks, newest first."),
    "explain": ("mailnod.cli.explain:explain", "Lay open how one event was judged, and why."),
    "rejudge": ("mailnod.cli.rejudge:rejudge", "Judge stored events again by the rules of today."),
    "deliveries": ("mailnod.cli.deliveries:deliveries", "Show which mail was tracked, for whom, and why."),
    "stats": ("mailnod.cli.stats:stats", "Count opens and clicks of people and of machines."),
    "sweep": ("mailnod.cli.sweep:sweep", "Erase raw facts of hits whose time is over."),
    "archive": ("mailnod.cli.archive:archive", "Move old events into Parquet files."),
    "snapshot": ("mailnod.cli.snapshot:snapshot", "Copy the store for a look at it elsewhere."),
    "consent": ("mailnod.cli.consent:consent", "Grant, withdraw and show a recipient's consent."),
    "keys": ("mailnod.cli.keys:keys", "Make, list, retire and revoke the keys that sign links."),
    "networks": ("mailnod.cli.networks:networks", "Fetch, show and ask published lists of networks."),
    "doctor": ("mailnod.cli.doctor:doctor", "Check the set-up and say what is wrong with it."),
    "plugins": ("mailnod.cli.plugins:plugins", "List the plugins and the hooks that they use."),
}


class _SetupRefused(click.ClickException):
    """A wrong set-up, shown in one line."""

    exit_code = 2


class CommandGroup(click.Group):
    """A group with Mailnod's own commands and those of plugins.

    An adapter makes its own group of this class and puts a :class:`~mailnod.cli.context.CliContext` with the app's
    tracker into the click context; the commands are then the same.

    :param unlisted: commands that the overview leaves out, because they can only say why they do not fit here.
    """

    def __init__(self, *args: Any, unlisted: Collection[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self._unlisted = unlisted
        self._plugins_loaded = False

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return Mailnod's own commands in their order, then those of plugins by name."""
        self._load_plugins()
        return [*BUILT_IN, *sorted(name for name in self.commands if name not in BUILT_IN)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command; Mailnod's own go before a plugin's of the same name."""
        if cmd_name in BUILT_IN:
            module, _, name = BUILT_IN[cmd_name][0].partition(":")
            command: click.Command = getattr(import_module(module), name)
            return command
        if cmd_name not in self.commands:
            self._load_plugins()
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview without importing Mailnod's own commands."""
        rows = []
        for name in self.list_commands(ctx):
            if name in self._unlisted:
                continue
            if name in BUILT_IN:
                rows.append((name, BUILT_IN[name][1]))
            elif not self.commands[name].hidden:
                rows.append((name, self.commands[name].get_short_help_str(limit=80)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; Mailnod's errors become one line, with exit code 2 for the set-up and 1 at run time."""
        ctx.meta[COMMAND_NAME] = ctx.command_path
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise _SetupRefused(str(error)) from error
        except TrackError as error:
            raise click.ClickException(str(error)) from error

    def _load_plugins(self) -> None:
        if self._plugins_loaded:
            return
        self._plugins_loaded = True
        from mailnod.plugins import Plugins

        try:
            Plugins().notify("register_commands", cli=self)
        except Exception as error:
            # Somebody else's plugin must not take our own commands away.
            click.echo(f"Warning: commands of plugins are missing: {error}", err=True)


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mailnod")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Open and click tracking for the mail that your app already sends.

    Settings come from the environment: MAILNOD_DATABASE, MAILNOD_BASE_URL, MAILNOD_SECRET_KEYS and so on.
    """
    if ctx.find_object(CliContext) is None:
        ctx.obj = CliContext()
