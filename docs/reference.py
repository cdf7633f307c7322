"""A Sphinx extension that writes the references of settings and of commands from the code itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import click
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from mailnod.cli.main import BUILT_IN, cli
from mailnod.model import Route
from mailnod.query import FIELDS, parse_query
from mailnod.settings import PREFIX, SETTINGS


class SettingsReference(SphinxDirective):
    """Write one section for each line of the table of settings."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        return [_make_section(self, name, _describe_setting(name)) for name in SETTINGS]


class CommandReference(SphinxDirective):
    """Write one section for each command, with its help as the terminal shows it."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        return [self._make_command(name) for name in BUILT_IN]

    def _make_command(self, name: str) -> nodes.section:
        section = _start_section(f"mailnod {name}", name)
        root = click.Context(cli, info_name="mailnod")
        command = cli.get_command(root, name)
        if command is None:
            raise self.error(f"there is no command {name!r}")
        for text in _list_helps(command, root, name):
            section += nodes.literal_block(text, text, language="text")
        return section


class QueryReference(SphinxDirective):
    """Write a line for each field of the query language."""

    def run(self) -> list[nodes.Node]:
        """Return a list of fields, each with its meaning, values and an example."""
        found = nodes.definition_list()
        for field in FIELDS.values():
            values = f" One of {', '.join(field.values)}." if field.values else ""
            term = nodes.term("", "", nodes.literal(field.example, field.example))
            found += nodes.definition_list_item("", term, nodes.definition("", nodes.paragraph("", field.doc + values)))
        self.env.note_dependency(inspect.getsourcefile(parse_query) or "")
        return [found]


def _list_helps(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    context = click.Context(command, parent=parent, info_name=name, terminal_width=100, max_content_width=100)
    yield command.get_help(context)
    if isinstance(command, click.Group):
        for inner, subcommand in sorted(command.commands.items()):
            yield from _list_helps(subcommand, context, inner)


def _describe_setting(name: str) -> list[str]:
    setting = SETTINGS[name]
    default = "none" if setting.default is None else f"``{setting.default!s}``"
    if not isinstance(setting.default, (str, float, type(None))) and not setting.default:
        default = "empty"
    lines = [setting.doc, "", f":Form: {setting.form}", f":Default: {default}", ""]
    if name == "routes":
        lines += ["Options of a route:", "", *_describe_routes()]
    return lines


def _describe_routes() -> Iterator[str]:
    comments = read_field_comments(Route)
    for field in fields(Route):
        if field.name != "name":
            yield f"``{field.name}``"
            yield f"    {comments[field.name]} Default: ``{field.default!r}``."
    yield ""


def read_field_comments(cls: type) -> dict[str, str]:
    """Return what the ``#:`` lines above each field of a class say."""
    comments: dict[str, str] = {}
    waiting: list[str] = []
    for line in inspect.getsource(cls).splitlines():
        text = line.strip()
        if text.startswith("#:"):
            waiting.append(text.removeprefix("#:").strip())
        elif ":" in text and waiting:
            comments[text.split(":")[0]] = " ".join(waiting)
            waiting = []
    return comments


def _start_section(title: str, identifier: str) -> nodes.section:
    section = nodes.section(ids=[nodes.make_id(identifier)], names=[title])
    section += nodes.title(title, title)
    return section


def _make_section(directive: SphinxDirective, name: str, lines: list[str]) -> nodes.section:
    section = _start_section(PREFIX + name.upper(), name)
    # The texts are reStructuredText, whatever the page around them is written in.
    from docutils.frontend import get_default_settings
    from docutils.parsers.rst import Parser
    from docutils.utils import new_document

    parser = Parser()
    document = new_document(name, get_default_settings(Parser))
    parser.parse("\n".join(StringList(lines, name)), document)
    section += [node.deepcopy() for node in document.children]
    directive.env.note_dependency(inspect.getsourcefile(Route) or "")
    return section


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directives."""
    app.add_directive("mailnod-settings", SettingsReference)
    app.add_directive("mailnod-commands", CommandReference)
    app.add_directive("mailnod-query", QueryReference)
    return {"parallel_read_safe": True}
