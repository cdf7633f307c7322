"""The behavioural cases, and every HTML file of the shared corpus."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mailnod.errors import RewriteError
from mailnod.html.plan import Plan, compile_plan
from mailnod.html.urls import find_destination

CASES = [json.loads(line) for line in (Path(__file__).parents[2] / "data" / "cases.jsonl").read_text().splitlines()]
TOKEN = "AQEBtokentokentokentokentoken_-9"
PIXEL = re.compile(rf'<img src="[^"]*/o/{TOKEN}\.gif"[^>]*>')


def compile_case(case: dict[str, Any]) -> Plan:
    """Compile the plan that a case asks for."""
    options = case.get("options", {})
    granted = options.get("consent", "granted") == "granted"
    return compile_plan(
        case["html"],
        base_url=options.get("base_url", "https://track.example.test"),
        tag_link=lambda index, url: f"{index:016d}",
        track_opens=granted and options.get("opens", True),
        track_clicks=granted and options.get("clicks", True),
        list_unsubscribe=options.get("list_unsubscribe"),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_case(case: dict[str, Any]) -> None:
    """Each case tracks its destinations, keeps its bytes, has its pixel, and is restored exactly."""
    plan = compile_case(case)
    filled = plan.fill(TOKEN)
    expected = case["expect"]
    assert [link.url for link in plan.links if link.tracked] == [
        find_destination(url).url for url in expected["tracked"]
    ]
    assert plan.pixel == expected["pixel"]
    assert len(PIXEL.findall(filled)) == (plan.pixel != "none")
    without_pixel = PIXEL.sub("", filled)
    assert [text for text in expected["untouched"] if text not in without_pixel] == []
    assert plan.restore(filled) == case["html"]


def test_corpus(shared: Path) -> None:
    """Every HTML file of the corpus is planned, verified and restored without an exception."""
    failures: list[str] = []
    for path in sorted((shared / "data" / "corpus" / "html").iterdir()):
        html = path.read_bytes().decode("utf-8", "surrogateescape")
        try:
            plan = compile_case({"html": html})
            plan.verify()
            if plan.restore(plan.fill(TOKEN)) != html:
                failures.append(f"{path.name}: not restored")
        except RewriteError as error:
            failures.append(f"{path.name}: {error}")
    assert failures == []
