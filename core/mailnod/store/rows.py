"""How the frozen types become rows, and rows become the frozen types again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from mailnod.model import (
    Classification,
    ConsentRecord,
    ConsentState,
    Decision,
    Delivery,
    DeliveryState,
    Envelope,
    Event,
    Hit,
    Mode,
    Observation,
    Overflow,
    Verdict,
)

__all__ = [
    "CONSENT_COLUMNS",
    "DELIVERY_COLUMNS",
    "DELIVERY_VALUES",
    "EVENT_COLUMNS",
    "OBSERVATION_COLUMNS",
    "OVERFLOW_COLUMNS",
    "VERDICT_COLUMNS",
    "from_micros",
    "list_columns",
    "read_consent_record",
    "read_delivery",
    "read_event",
    "read_observation",
    "read_overflow",
    "read_verdict",
    "to_micros",
    "to_text",
    "write_consent_record",
    "write_delivery",
    "write_destinations",
    "write_observation",
    "write_overflow",
    "write_verdict",
]

Row = Sequence[Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# json.dumps with separators makes an encoder at every call, which costs more than the encoding.
_encode_json = json.JSONEncoder(separators=(",", ":")).encode

#: A journal keeps these columns as they are; the store keeps user agents in a table of their own.
OBSERVATION_COLUMNS = (
    "id",
    "delivery_id",
    "kind",
    "method",
    "ip",
    "user_agent",
    "headers",
    "received_at",
    "link_index",
    "url",
    "checked",
)
OVERFLOW_COLUMNS = ("id", "reason", "key", "kind", "first_at", "last_at", "count")
DELIVERY_COLUMNS = (
    "id",
    "message_id",
    "subject",
    "sent_at",
    "campaign",
    "tags",
    "metadata",
    "route",
    "opens",
    "clicks",
    "reasons",
    "link_count",
    "state",
    "accepted_at",
    "test",
    "expires_at",
)
#: How many values :func:`read_delivery` reads.
DELIVERY_VALUES = len(DELIVERY_COLUMNS) + 2
VERDICT_COLUMNS = (
    "detected",
    "probability",
    "classification",
    "proxy_type",
    "reason_codes",
    "machine",
    "counts_for_metrics",
    "device_type",
    "client_type",
    "client_name",
    "ruleset",
)
#: What an event's own row holds; its time, link and destination are those of its observation.
EVENT_COLUMNS = ("type", "seq", "first")
CONSENT_COLUMNS = ("recorded_at", "purpose", "opens", "clicks", "source", "actor", "text_version")


def list_columns(columns: Sequence[str], *, of: str = "") -> str:
    """Return column names for a statement, each with the alias of its table where one is given."""
    return ", ".join(f"{of}.{name}" if of else name for name in columns)


def to_micros(at: datetime) -> int:
    """Return the whole microseconds between 1970-01-01 UTC and an aware time."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the time that :func:`to_micros` was given, in UTC."""
    return _EPOCH + micros * _MICROSECOND


def to_text(value: str) -> str:
    """Return text that every database can hold: lone surrogates and NUL, which hostile headers bring, become "?"."""
    clean = value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    return clean.replace("\0", "?")


def write_observation(observation: Observation) -> tuple[Any, ...]:
    """Return the row of an observation, in the order of :data:`OBSERVATION_COLUMNS`."""
    id_, hit, delivery_id, checked = observation
    kind, method, ip, user_agent, headers, received_at, link_index, url = hit
    return (
        id_,
        delivery_id,
        kind,
        _to_optional_text(method),
        _to_optional_text(ip),
        _to_optional_text(user_agent),
        None if headers is None else _write_headers(tuple(headers.items())),
        to_micros(received_at),
        link_index,
        _to_optional_text(url),
        checked,
    )


def read_observation(row: Row) -> Observation:
    """Return the observation of a row in the order of :data:`OBSERVATION_COLUMNS`.

    :raises ValueError, TypeError: where a damaged file yields what no observation can hold.
    """
    id_, delivery_id, kind, method, ip, user_agent, headers, received_at, link_index, url, checked = row
    hit = Hit(
        kind=kind,
        method=method,
        ip=ip,
        user_agent=user_agent,
        headers=None if headers is None else _read_headers(headers),
        received_at=from_micros(received_at),
        link_index=link_index,
        url=url,
    )
    return Observation(id=id_, hit=hit, delivery_id=delivery_id, checked=bool(checked))


@lru_cache(maxsize=512)
def _write_headers(items: tuple[tuple[str, str], ...]) -> str:
    return _encode_json(dict(items))


@lru_cache(maxsize=512)
def _read_headers(text: str) -> Mapping[str, str]:
    """Return headers, the same object for the same text: a few programs send nearly all that comes."""
    return MappingProxyType(json.loads(text))


def write_overflow(overflow: Overflow) -> tuple[Any, ...]:
    """Return the row of a count of overflow, in the order of :data:`OVERFLOW_COLUMNS`."""
    return (
        overflow.id,
        overflow.reason,
        overflow.key,
        overflow.kind,
        to_micros(overflow.first_at),
        to_micros(overflow.last_at),
        overflow.count,
    )


def read_overflow(row: Row) -> Overflow:
    """Return the count of overflow of a row in the order of :data:`OVERFLOW_COLUMNS`.

    :raises ValueError, TypeError: where a damaged file yields what no count can hold.
    """
    id_, reason, key, kind, first_at, last_at, count = row
    return Overflow(
        id=id_,
        reason=reason,
        key=key,
        kind=kind,
        first_at=from_micros(first_at),
        last_at=from_micros(last_at),
        count=int(count),
    )


def write_delivery(delivery: Delivery) -> tuple[Any, ...]:
    """Return the row of a delivery, in the order of :data:`DELIVERY_COLUMNS`; its recipients have rows of their own."""
    envelope, decision = delivery.envelope, delivery.decision
    return (
        delivery.id,
        to_text(envelope.message_id),
        to_text(envelope.subject),
        to_micros(envelope.sent_at),
        _to_optional_text(envelope.campaign),
        _to_json(envelope.tags),
        _to_json(envelope.metadata),
        to_text(decision.route),
        int(decision.opens),
        int(decision.clicks),
        _to_json(decision.reasons),
        delivery.link_count,
        delivery.state.value,
        None if delivery.accepted_at is None else to_micros(delivery.accepted_at),
        delivery.test,
        None if delivery.expires_at is None else to_micros(delivery.expires_at),
    )


def read_delivery(row: Row) -> Delivery:
    """Return the delivery of a row in the order of :data:`DELIVERY_COLUMNS`.

    Behind those stand its recipients as a JSON list, and what :func:`write_destinations` returned, or None.
    """
    id_, message_id, subject, sent_at, campaign, tags, metadata, route, opens, clicks, reasons, *rest = row
    link_count, state, accepted_at, test, expires_at, recipients, destinations = rest
    return Delivery(
        id=id_,
        envelope=Envelope(
            message_id=message_id,
            recipients=tuple(json.loads(recipients)),
            subject=subject,
            sent_at=from_micros(sent_at),
            campaign=campaign,
            tags=tuple(json.loads(tags)),
            metadata=json.loads(metadata),
        ),
        decision=Decision(opens=Mode(opens), clicks=Mode(clicks), route=route, reasons=tuple(json.loads(reasons))),
        link_count=link_count,
        state=DeliveryState(state),
        accepted_at=None if accepted_at is None else from_micros(accepted_at),
        test=bool(test),
        expires_at=None if expires_at is None else from_micros(expires_at),
        destinations=None if destinations is None else {int(key): url for key, url in json.loads(destinations).items()},
    )


def write_destinations(destinations: Mapping[int, str]) -> str:
    """Return where short links lead as text, which is the same for the same links."""
    return _to_json({str(index): destinations[index] for index in sorted(destinations)})


def write_verdict(verdict: Verdict) -> tuple[Any, ...]:
    """Return the row of a verdict, in the order of :data:`VERDICT_COLUMNS`."""
    return (
        verdict.detected,
        verdict.probability,
        verdict.classification.value,
        verdict.proxy_type,
        _to_json(verdict.reason_codes),
        verdict.machine,
        verdict.counts_for_metrics,
        verdict.device_type,
        verdict.client_type,
        _to_optional_text(verdict.client_name),
        verdict.ruleset,
    )


def read_verdict(row: Row) -> Verdict:
    """Return the verdict of a row in the order of :data:`VERDICT_COLUMNS`."""
    detected, probability, classification, proxy_type, reason_codes, machine, counts, *client, ruleset = row
    device_type, client_type, client_name = client
    return Verdict(
        detected=bool(detected),
        probability=probability,
        classification=Classification(classification),
        proxy_type=proxy_type,
        reason_codes=tuple(json.loads(reason_codes)),
        machine=bool(machine),
        counts_for_metrics=bool(counts),
        device_type=device_type,
        client_type=client_type,
        client_name=client_name,
        ruleset=ruleset,
    )


def read_event(row: Row, *, observation: Observation, verdict: Verdict) -> Event:
    """Return the event of a row in the order of :data:`EVENT_COLUMNS`."""
    type_, seq, first = row
    return Event(
        id=observation.id,
        type=type_,
        delivery_id=observation.delivery_id,
        seq=seq,
        verdict=verdict,
        first=bool(first),
        occurred_at=observation.hit.received_at,
        url=observation.hit.url,
        link_index=observation.hit.link_index,
    )


def write_consent_record(record: ConsentRecord) -> tuple[Any, ...]:
    """Return the row of a record of consent, in the order of :data:`CONSENT_COLUMNS`; each axis is resolved before."""
    unknown = ConsentState.UNKNOWN
    return (
        to_micros(record.recorded_at),
        to_text(record.purpose),
        (record.opens or unknown).value,
        (record.clicks or unknown).value,
        to_text(record.source),
        to_text(record.actor),
        to_text(record.text_version),
    )


def read_consent_record(row: Row) -> ConsentRecord:
    """Return the record of consent of a row in the order of :data:`CONSENT_COLUMNS`."""
    recorded_at, purpose, opens, clicks, source, actor, text_version = row
    return ConsentRecord(
        recorded_at=from_micros(recorded_at),
        purpose=purpose,
        opens=ConsentState(opens),
        clicks=ConsentState(clicks),
        source=source,
        actor=actor,
        text_version=text_version,
    )


def _to_optional_text(value: str | None) -> str | None:
    # The test is to_text's, and spares nearly every text a copy.
    return value if value is None or (value.isascii() and "\0" not in value) else to_text(value)


def _to_json(value: Mapping[str, str] | Sequence[str]) -> str:
    # ASCII only, so that lone surrogates come back as they went in.
    return _encode_json(dict(value) if isinstance(value, Mapping) else list(value))
