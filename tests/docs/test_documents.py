"""What the project's papers promise about themselves."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from mailnod import OVERRIDE_KEYWORDS
from mailnod.cli.main import BUILT_IN

ROOT = Path(__file__).parents[2]
PAPERS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md")])


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: str(paper.relative_to(ROOT)))
def test_links_lead_somewhere(paper: Path) -> None:
    """Every relative link of a paper leads to a file that exists."""
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", paper.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (paper.parent / target).exists()]
    assert missing == []


def test_every_page_is_in_the_table_of_contents() -> None:
    """A page that nothing leads to is not read."""
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
    assert pages == set(re.findall(r"^([a-z]+)$", index, re.MULTILINE))


@pytest.mark.parametrize("keyword", OVERRIDE_KEYWORDS)
def test_each_override_is_explained(keyword: str) -> None:
    """A keyword that the chapter on overrides leaves out is not known."""
    chapter = (ROOT / "docs" / "overrides.md").read_text(encoding="utf-8")
    assert f"`{keyword}" in chapter


def test_changelog_names_every_command() -> None:
    """A command that nobody announced is not known."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [name for name in BUILT_IN if f"`{name}`" not in changelog and f"mailnod {name}`" not in changelog] == []


@pytest.mark.parametrize("verb", ["demo", "test", "lint", "types", "bench", "docs", "wheel"])
def test_makefile_has_its_verbs(verb: str) -> None:
    """Each verb that the papers name exists and says what it does."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{verb}:.* ## \S", makefile, re.MULTILINE)


def test_make_help_fits_the_terminal() -> None:
    """The summary of each verb ends before the eightieth column."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    summaries = re.findall(r"^[a-z]+:.* ## (.*)$", makefile, re.MULTILINE)
    assert summaries
    assert [summary for summary in summaries if 18 + len(summary) > 80] == []


def test_progress_of_make_is_no_output() -> None:
    """What a verb prints goes through make without a line of make's own, so that JSON can be piped."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "say = @printf >&2 " in makefile
    assert [
        line for line in makefile.splitlines() if "| sed " in line and "grep" not in line and ">&2" not in line
    ] == []


@pytest.mark.parametrize("page", PAPERS, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_import_what_they_use(page: Path) -> None:
    """An example that shows imports shows all that it needs of Mailnod's names."""
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        if "import " not in block:
            continue
        tree = ast.parse(block)
        imported = {
            (alias.asname or alias.name).partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert (used & {"ConsentRecord", "ConsentState", "Consent", "datetime", "UTC", "hookimpl", "Mode"}) <= imported
