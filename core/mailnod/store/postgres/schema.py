"""The tables of the PostgreSQL store, as numbered migrations.

They live in a schema of their own, ``mailnod``, so that they can share a database with the app's. Each migration and
its number are one transaction under an advisory lock: what dies midway leaves the schema before it, and the next
process begins that migration again.

Every key holds the column that Citus would distribute the table by: the delivery's id for all that hangs on one, the
recipient's hash for consents, the key for rollups, the number for batches in the inbox. The others would be reference
tables.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from mailnod.errors import StoreUnavailableError

__all__ = ["MIGRATIONS", "Migration", "check_schema", "migrate"]

#: "Mnod" in ASCII: the advisory lock that a migration holds.
_LOCK = 0x4D6E6F64


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema."""

    #: Statements that run in one transaction and must not end it.
    statements: str
    #: The oldest Mailnod, by the number of its newest migration, that works on a database with this step applied.
    works_with: int


_FIRST = """
-- Keys that belong to this store alone: recipient_key, made once, keys the hashes of addresses and of texts.
CREATE TABLE mailnod.meta (
    name text PRIMARY KEY,
    value bytea NOT NULL
);

-- The one table that holds addresses. Erasing a row here takes the address out of everything else.
CREATE TABLE mailnod.recipients (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash bytea NOT NULL UNIQUE,
    domain text NOT NULL,
    address text
);

CREATE TABLE mailnod.deliveries (
    id bytea PRIMARY KEY,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    message_id text NOT NULL,
    subject text NOT NULL,
    sent_at bigint NOT NULL,
    campaign text,
    tags text NOT NULL,
    metadata text NOT NULL,
    route text NOT NULL,
    opens smallint NOT NULL,
    clicks smallint NOT NULL,
    reasons text NOT NULL,
    link_count integer NOT NULL,
    state text NOT NULL,
    accepted_at bigint,
    test boolean NOT NULL,
    expires_at bigint
);
CREATE INDEX deliveries_by_seq ON mailnod.deliveries (seq);
CREATE INDEX deliveries_by_message ON mailnod.deliveries (message_id);
CREATE INDEX deliveries_by_campaign ON mailnod.deliveries (campaign) WHERE campaign IS NOT NULL;

-- An erased recipient leaves NULL, so that a body shared by two people is never laid at the door of the one who stays.
CREATE TABLE mailnod.delivery_recipients (
    delivery_id bytea NOT NULL REFERENCES mailnod.deliveries (id) ON DELETE CASCADE,
    position integer NOT NULL,
    recipient_id bigint REFERENCES mailnod.recipients (id) ON DELETE SET NULL,
    PRIMARY KEY (delivery_id, position)
);
CREATE INDEX delivery_recipients_by_recipient ON mailnod.delivery_recipients (recipient_id);

-- Append-only. It knows people by hash alone, so a denial outlives the erasure of the address.
CREATE TABLE mailnod.consents (
    recipient_hash bytea NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    recorded_at bigint NOT NULL,
    purpose text NOT NULL,
    opens text NOT NULL,
    clicks text NOT NULL,
    source text NOT NULL,
    actor text NOT NULL,
    text_version text NOT NULL,
    PRIMARY KEY (recipient_hash, id)
);
CREATE INDEX consents_by_id ON mailnod.consents (id);

CREATE TABLE mailnod.suppressed (
    delivery_id bytea PRIMARY KEY,
    seq bigint GENERATED ALWAYS AS IDENTITY
);
CREATE INDEX suppressed_by_seq ON mailnod.suppressed (seq);

-- Where short links lead, by their numbers, once for each template. Kept for ever, as mail is: what is purged or erased
-- elsewhere leaves both tables alone, which hold no address and refer to nothing that goes.
CREATE TABLE mailnod.link_sets (
    hash bytea PRIMARY KEY,
    destinations text NOT NULL
);

CREATE TABLE mailnod.short_links (
    delivery_id bytea PRIMARY KEY,
    link_set bytea NOT NULL REFERENCES mailnod.link_sets (hash)
);

-- User agents, headers and destinations, each once; the id is a hash of the value under the store's key. last_used:
-- when the newest hit came that refers to what a client said, to some minutes; NULL for destinations, which stay.
CREATE TABLE mailnod.texts (
    id bigint PRIMARY KEY,
    value text NOT NULL,
    last_used bigint
);

-- Raw facts, never edited by judgement. A hit may outlive what is known of its mail.
CREATE TABLE mailnod.observations (
    id bytea NOT NULL,
    delivery_id bytea NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    received_at bigint NOT NULL,
    user_agent bigint,
    headers bigint,
    url bigint,
    link_index integer,
    checked boolean NOT NULL,
    kind text NOT NULL,
    method text NOT NULL,
    ip text,
    PRIMARY KEY (id, delivery_id)
);
CREATE INDEX observations_by_seq ON mailnod.observations (seq);
CREATE INDEX observations_by_delivery ON mailnod.observations (delivery_id, received_at);
CREATE INDEX observations_by_ip ON mailnod.observations (ip, received_at) WHERE ip IS NOT NULL;
CREATE INDEX observations_raw ON mailnod.observations (received_at)
    WHERE ip IS NOT NULL OR user_agent IS NOT NULL OR headers IS NOT NULL;

-- What stays of addresses, user agents and headers that were erased; features: the class of the network and the names
-- of the headers, as JSON.
CREATE TABLE mailnod.traces (
    observation_id bytea NOT NULL,
    delivery_id bytea NOT NULL,
    ip_hash bytea,
    user_agent_hash bytea,
    features text NOT NULL,
    PRIMARY KEY (observation_id, delivery_id)
);

-- Files of archives, and whether the events in them are removed here.
CREATE TABLE mailnod.archive_parts (
    name text PRIMARY KEY,
    id bigint GENERATED ALWAYS AS IDENTITY,
    done boolean NOT NULL
);

CREATE TABLE mailnod.queue (
    observation_id bytea NOT NULL,
    delivery_id bytea NOT NULL,
    due_at bigint NOT NULL,
    PRIMARY KEY (observation_id, delivery_id)
);
CREATE INDEX queue_by_due ON mailnod.queue (due_at, observation_id);

CREATE TABLE mailnod.verdicts (
    observation_id bytea NOT NULL,
    delivery_id bytea NOT NULL,
    seq integer NOT NULL,
    published_at bigint NOT NULL,
    detected boolean NOT NULL,
    probability smallint NOT NULL,
    classification text NOT NULL,
    proxy_type text,
    reason_codes text NOT NULL,
    machine boolean NOT NULL,
    counts_for_metrics boolean NOT NULL,
    device_type text,
    client_type text,
    client_name text,
    ruleset text NOT NULL,
    PRIMARY KEY (observation_id, seq, delivery_id)
);

-- The latest verdict of each observation, with what is filtered and sorted by beside it.
CREATE TABLE mailnod.events (
    observation_id bytea NOT NULL,
    delivery_id bytea NOT NULL,
    seq integer NOT NULL,
    occurred_at bigint NOT NULL,
    machine boolean NOT NULL,
    counted boolean NOT NULL,
    first boolean NOT NULL,
    type text NOT NULL,
    classification text NOT NULL,
    PRIMARY KEY (observation_id, delivery_id)
);
CREATE INDEX events_by_time ON mailnod.events (occurred_at, observation_id);
CREATE INDEX events_by_delivery ON mailnod.events (delivery_id, type, machine, occurred_at, observation_id)
    WHERE counted;

-- number: the order in which lines began.
CREATE TABLE mailnod.rollups (
    scope text NOT NULL,
    key text NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    deliveries bigint NOT NULL DEFAULT 0,
    deliveries_with_pixel bigint NOT NULL DEFAULT 0,
    deliveries_with_links bigint NOT NULL DEFAULT 0,
    human_opens bigint NOT NULL DEFAULT 0,
    human_opens_unique bigint NOT NULL DEFAULT 0,
    human_clicks bigint NOT NULL DEFAULT 0,
    human_clicks_unique bigint NOT NULL DEFAULT 0,
    machine_opens bigint NOT NULL DEFAULT 0,
    machine_opens_unique bigint NOT NULL DEFAULT 0,
    machine_clicks bigint NOT NULL DEFAULT 0,
    machine_clicks_unique bigint NOT NULL DEFAULT 0,
    privacy_opens bigint NOT NULL DEFAULT 0,
    privacy_opens_unique bigint NOT NULL DEFAULT 0,
    privacy_clicks bigint NOT NULL DEFAULT 0,
    privacy_clicks_unique bigint NOT NULL DEFAULT 0,
    bot_opens bigint NOT NULL DEFAULT 0,
    bot_opens_unique bigint NOT NULL DEFAULT 0,
    bot_clicks bigint NOT NULL DEFAULT 0,
    bot_clicks_unique bigint NOT NULL DEFAULT 0,
    scanner_opens bigint NOT NULL DEFAULT 0,
    scanner_opens_unique bigint NOT NULL DEFAULT 0,
    scanner_clicks bigint NOT NULL DEFAULT 0,
    scanner_clicks_unique bigint NOT NULL DEFAULT 0,
    observed_opens bigint NOT NULL DEFAULT 0,
    observed_opens_unique bigint NOT NULL DEFAULT 0,
    observed_clicks bigint NOT NULL DEFAULT 0,
    observed_clicks_unique bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (scope, key)
);
CREATE INDEX rollups_by_number ON mailnod.rollups (number) WHERE scope = 'message';

-- How many events each delivery has in each group: a unique moves when a count leaves or reaches zero.
CREATE TABLE mailnod.delivery_counts (
    delivery_id bytea NOT NULL,
    scope text NOT NULL,
    key text NOT NULL,
    measure text NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (delivery_id, scope, key, measure)
);

-- Hits that were answered and counted, and not recorded one by one. A row's count only rises, so whatever comes twice
-- or late changes nothing.
CREATE TABLE mailnod.overflow (
    id bytea PRIMARY KEY,
    reason text NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    first_at bigint NOT NULL,
    last_at bigint NOT NULL,
    count bigint NOT NULL
);

CREATE TABLE mailnod.lease (
    name text PRIMARY KEY,
    holder text NOT NULL,
    expires_at bigint NOT NULL
);
"""

_BODIES = """
-- The HTML of mail as it was before it was edited, compressed already; what many deliveries share is kept once. hash is
-- keyed, so that it tells nothing of what was erased.
CREATE TABLE mailnod.bodies (
    hash bytea PRIMARY KEY,
    value bytea STORAGE EXTERNAL NOT NULL
);

CREATE TABLE mailnod.kept_bodies (
    delivery_id bytea PRIMARY KEY REFERENCES mailnod.deliveries (id) ON DELETE CASCADE,
    body bytea NOT NULL REFERENCES mailnod.bodies (hash),
    erase_at bigint NOT NULL
);
CREATE INDEX kept_bodies_by_body ON mailnod.kept_bodies (body);
CREATE INDEX kept_bodies_by_end ON mailnod.kept_bodies (erase_at);
"""

_BREAKDOWNS = """
-- The hours and links of each campaign and route.
CREATE TABLE mailnod.breakdowns (
    scope text NOT NULL,
    name text NOT NULL,
    by text NOT NULL,
    key text NOT NULL,
    human_opens bigint NOT NULL,
    human_opens_unique bigint NOT NULL,
    human_clicks bigint NOT NULL,
    human_clicks_unique bigint NOT NULL,
    machine_opens bigint NOT NULL,
    machine_clicks bigint NOT NULL,
    PRIMARY KEY (scope, name, by, key)
);
INSERT INTO mailnod.breakdowns
SELECT n.scope, n.name, c.scope, c.key,
    coalesce(sum(c.events) FILTER (WHERE c.measure = 'human_opens'), 0),
    count(*) FILTER (WHERE c.measure = 'human_opens'),
    coalesce(sum(c.events) FILTER (WHERE c.measure = 'human_clicks'), 0),
    count(*) FILTER (WHERE c.measure = 'human_clicks'),
    coalesce(sum(c.events) FILTER (WHERE c.measure = 'machine_opens'), 0),
    coalesce(sum(c.events) FILTER (WHERE c.measure = 'machine_clicks'), 0)
FROM mailnod.delivery_counts AS c JOIN mailnod.deliveries AS d ON d.id = c.delivery_id,
LATERAL (VALUES ('campaign', d.campaign), ('route', d.route)) AS n (scope, name)
WHERE c.scope IN ('hour', 'link') AND c.events > 0 AND n.name IS NOT NULL
    AND c.measure IN ('human_opens', 'human_clicks', 'machine_opens', 'machine_clicks')
GROUP BY n.scope, n.name, c.scope, c.key;
"""

_INBOX = """
-- Hits that a host has brought and that nobody has taken in yet: a row for each batch, and in each array one column of
-- its hits. texts: what they refer to by number. What could not be taken in is refused, and so holds up one host alone.
CREATE TABLE mailnod.inbox (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hits integer NOT NULL,
    id bytea[] STORAGE EXTERNAL NOT NULL,
    delivery_id bytea[] STORAGE EXTERNAL NOT NULL,
    kind text[] STORAGE EXTERNAL NOT NULL,
    method text[] STORAGE EXTERNAL NOT NULL,
    ip text[] STORAGE EXTERNAL NOT NULL,
    user_agent bigint[] STORAGE EXTERNAL NOT NULL,
    headers bigint[] STORAGE EXTERNAL NOT NULL,
    received_at bigint[] STORAGE EXTERNAL NOT NULL,
    link_index integer[] STORAGE EXTERNAL NOT NULL,
    url bigint[] STORAGE EXTERNAL NOT NULL,
    checked boolean[] STORAGE EXTERNAL NOT NULL,
    text_ids bigint[] STORAGE EXTERNAL NOT NULL,
    texts text[] STORAGE EXTERNAL NOT NULL,
    texts_last_used bigint[] STORAGE EXTERNAL NOT NULL,
    CHECK (
        array_position(id, NULL) IS NULL AND array_position(delivery_id, NULL) IS NULL
        AND array_position(kind, NULL) IS NULL AND array_position(method, NULL) IS NULL
        AND array_position(received_at, NULL) IS NULL AND array_position(checked, NULL) IS NULL
    )
);
"""

#: Every migration in order; the schema's version is their number. What is released here is never edited.
MIGRATIONS: tuple[Migration, ...] = (
    Migration(statements=_FIRST, works_with=1),
    Migration(statements=_BODIES, works_with=1),
    Migration(statements=_BREAKDOWNS, works_with=3),
    Migration(statements=_INBOX, works_with=3),
)


def migrate(connection: psycopg.Connection[Any], *, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring a database to the newest schema, one transaction for each migration.

    :param connection: a connection in autocommit mode.
    :param migrations: every migration since the empty database, in order.
    :raises StoreUnavailableError: where the database belongs to a newer Mailnod that this one cannot work beside.
    """
    if check_schema(connection, newest=len(migrations)) >= len(migrations):
        return
    for number, step in enumerate(migrations, start=1):
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            # Another process may have come first while this one waited for the lock.
            if _get_version(connection)[0] >= number:
                continue
            if number == 1:
                _make_schema(connection)
            connection.execute(step.statements.encode())
            if number == 1:
                key = secrets.token_bytes(32)
                connection.execute("INSERT INTO mailnod.meta (name, value) VALUES ('recipient_key', %s)", (key,))
            row = (number, step.works_with)
            connection.execute("INSERT INTO mailnod.migrations (number, works_with) VALUES (%s, %s)", row)


def check_schema(connection: psycopg.Connection[Any], *, newest: int = len(MIGRATIONS), exact: bool = False) -> int:
    """Refuse a database that this version of Mailnod cannot use.

    :param newest: the newest schema that is known here.
    :param exact: whether an older schema is refused too, as it is where nothing can be migrated.
    :returns: the schema's version, 0 where there is none; one newer than ours where that says that we may use it.
    :raises StoreUnavailableError: the schema is too new or too old.
    """
    version, works_with = _get_version(connection)
    if version > newest and works_with > newest:
        raise StoreUnavailableError(
            f"the database has schema {version}, and this Mailnod knows schemas up to {newest}; upgrade Mailnod"
        )
    if exact and version == 0:
        raise StoreUnavailableError("there is no store in the database yet; it is made when the app first sends")
    if exact and version < newest:
        raise StoreUnavailableError(
            f"the database has schema {version}, and this Mailnod reads schema {newest}; "
            "open it once for writing, as 'mailnod work --once' does, which brings it up to date"
        )
    return version


def _make_schema(connection: psycopg.Connection[Any]) -> None:
    # Whoever prepares the schema for a user without the right to make one is welcome.
    if connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'mailnod'").fetchone() is None:
        connection.execute("CREATE SCHEMA mailnod")
    connection.execute(
        "CREATE TABLE mailnod.migrations (number integer PRIMARY KEY, works_with integer NOT NULL, "
        "applied_at timestamptz NOT NULL DEFAULT now())"
    )


def _get_version(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """Return the schema's version, and the oldest Mailnod that works with it, as the number of its schema."""
    # to_regclass() would answer from a cache that does not know yet what another process has committed meanwhile.
    known = "SELECT 1 FROM pg_tables WHERE schemaname = 'mailnod' AND tablename = 'migrations'"
    if connection.execute(known).fetchone() is None:
        return 0, 0
    row = connection.execute(
        "SELECT coalesce(max(number), 0), coalesce(max(works_with), 0) FROM mailnod.migrations"
    ).fetchone()
    assert row is not None, "an aggregate without groups has one row"  # noqa: S101
    return int(row[0]), int(row[1])
