"""Look a mail through for what somebody should see to before it leaves; a table of rules."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Final

from mailnod.settings import refuse_unknown
from mailnod_desktop.services.model import Finding, Inspection, Severity
from mailnod_desktop.services.rules import Hit, Rule
from mailnod_desktop.services.rules_links import LINK_RULES
from mailnod_desktop.services.rules_mail import MAIL_RULES

__all__ = ["RULES", "SEVERITIES", "choose_failures", "find_findings"]

log = logging.getLogger(__name__)

#: Every rule by its name, in the order in which findings are listed.
RULES: Final[Mapping[str, Rule]] = MappingProxyType({rule.name: rule for rule in (*LINK_RULES, *MAIL_RULES)})

#: From the worst on.
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "notice")

#: A rule that finds more says how many more, and no more of them.
_MAX_HITS: Final = 50


def find_findings(inspection: Inspection) -> tuple[Finding, ...]:
    """Return what is to be looked at in a mail, errors first.

    A rule that fails holds no other rule up; it is said to have failed, so that no mail passes by breaking a rule.
    """
    found = [finding for rule in RULES.values() for finding in _apply(rule, inspection)]
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))


def choose_failures(findings: Iterable[Finding], wanted: Iterable[str]) -> list[Finding]:
    """Return the findings that somebody wants to fail for.

    :param wanted: names of rules; "error" and "warning" mean every finding that is at least so bad, "any" means all.
    :raises ConfigurationError: a name is not known; the message says the nearest one that is.
    """
    names = list(wanted)
    for name in names:
        if name not in RULES and name not in ("any", "error", "warning"):
            raise refuse_unknown("rule", name, [*RULES, "any", "error", "warning"])
    severities: set[str] = set()
    severities.update(["error"] if "error" in names else [])
    severities.update(["error", "warning"] if "warning" in names else [])
    severities.update(SEVERITIES if "any" in names else [])
    return [finding for finding in findings if finding.rule in names or finding.severity in severities]


def _apply(rule: Rule, inspection: Inspection) -> Iterator[Finding]:
    hits = rule.find(inspection)
    try:
        first = list(islice(hits, _MAX_HITS))
        more = [hit.severity or rule.severity for hit in hits]
    except Exception as error:
        log.exception("the rule %r failed", rule.name)
        yield _make_finding(
            rule,
            Hit(
                message=f"The rule could not look at this mail ({type(error).__name__}).",
                advice="Look at the mail yourself, and report this as an error of Mailnod.",
                severity="error",
            ),
        )
        return
    for hit in first:
        yield _make_finding(rule, hit)
    if more:
        worst = min(more, key=SEVERITIES.index)
        message = f"{len(more):,} more of the same kind."
        yield _make_finding(rule, Hit(message=message, advice=first[-1].advice, severity=worst))


def _make_finding(rule: Rule, hit: Hit) -> Finding:
    return Finding(
        rule=rule.name,
        severity=hit.severity or rule.severity,
        message=hit.message,
        advice=hit.advice,
        body=hit.body,
        offset=hit.offset,
        excerpt=hit.excerpt,
    )
