"""Tests of the quality on labelled rows, so that no change of a rule makes the whole worse unseen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mailnod.cli.classify import classify

HIDDEN = ("expect", "source", "group", "note", "description")


def answer(rows: list[dict[str, Any]], *arguments: str) -> list[dict[str, Any]]:
    """Ask the command as the scorer does: without the labels."""
    lines = "\n".join(json.dumps({name: row[name] for name in row if name not in HIDDEN}) for row in rows)
    result = CliRunner().invoke(classify, ["--jsonl", *arguments], input=lines + "\n")
    assert result.exit_code == 0
    return [json.loads(line) for line in result.output.splitlines()]


def read(path: Path) -> list[dict[str, Any]]:
    """Read one JSON object per line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def rows(shared: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Pair labelled rows with their answers."""
    labelled = read(shared / "data" / "bots" / "dev.jsonl")
    return list(zip(labelled, answer(labelled), strict=True))


def test_machines_are_found_and_people_are_left_alone(rows: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """At least 97 % of machines are found; of people at most one in two hundred is taken for one."""
    judged = [(row["expect"]["machine"], got["machine"]) for row, got in rows if "machine" in row["expect"]]
    machines = [got for machine, got in judged if machine]
    people = [got for machine, got in judged if not machine]
    assert sum(machines) / len(machines) >= 0.97
    assert sum(people) / len(people) <= 0.005


@pytest.mark.parametrize(("field", "least"), [("device_type", 0.90), ("client_type", 0.85), ("proxy_type", 0.99)])
def test_fields_agree_with_their_labels(
    rows: list[tuple[dict[str, Any], dict[str, Any]]], field: str, least: float
) -> None:
    """Device, type of client and proxy are right often enough to be shown."""
    agreed = [row["expect"][field] == got[field] for row, got in rows if field in row["expect"]]
    assert sum(agreed) / len(agreed) >= least


def test_sequences_are_judged_whole(shared: Path) -> None:
    """Of the observations in sequences at least 95 % are judged right, the hard ones included."""
    scenarios = read(shared / "data" / "bots" / "dev_scenarios.jsonl")
    pairs = [
        (expected["machine"], got["machine"])
        for row, judged in zip(scenarios, answer(scenarios, "--scenarios"), strict=True)
        for expected, got in zip(row["expect"], judged["observations"], strict=True)
    ]
    assert sum(expected is got for expected, got in pairs) / len(pairs) >= 0.95
