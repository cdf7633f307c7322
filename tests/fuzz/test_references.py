"""The set of live links against two parsers of the HTML Standard, on random documents and on real mail."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given, settings

from fuzz.documents import comparable_document
from fuzz.references import find_known, links_of_html5lib, links_of_lexbor, links_of_mailnod

REFERENCES = {"lexbor": links_of_lexbor, "html5lib": links_of_html5lib}


@pytest.mark.parametrize("name", REFERENCES)
@settings(settings.get_profile("fuzz"))
@given(html=comparable_document())
def test_random_documents(name: str, html: str) -> None:
    """A random document has the links that a parser finds in it, known differences aside."""
    assume(find_known(html, name) is None)
    assert links_of_mailnod(html) == REFERENCES[name](html)


def test_corpus(shared: Path) -> None:
    """Real mail has the links that lexbor finds in it, with no exception."""
    differing: list[str] = []
    for path in sorted((shared / "data" / "corpus" / "html").iterdir()):
        html = path.read_bytes().decode("utf-8", "replace")
        if links_of_mailnod(html) != links_of_lexbor(html):
            differing.append(path.name)
    assert differing == []
