"""The tables of the SQLite store, as the statements of its migrations."""

# ruff: noqa: S608
# Statements are put together from constants alone.

from __future__ import annotations

__all__ = ["BODIES", "BREAKDOWNS", "FILL_BREAKDOWNS", "FIRST", "SMALLER"]

#: All that there was in the beginning.
FIRST = """
-- Keys that belong to this store alone: recipient_key, made once, keys the hashes of addresses.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What was applied, and which older Mailnods may go on beside it.
CREATE TABLE migrations (
    number INTEGER PRIMARY KEY,
    works_with INTEGER NOT NULL
) STRICT;

-- The one table that holds addresses. Erasing a row here takes the address out of everything else. What senders write
-- themselves is kept as they wrote it and may name people too: subjects and metadata of deliveries, and destinations of
-- clicks (links, observations.rest), which are raw facts.
CREATE TABLE domains (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE recipients (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    domain_id INTEGER NOT NULL REFERENCES domains (id),
    address TEXT
) STRICT;
CREATE INDEX recipients_by_domain ON recipients (domain_id);

-- Of campaigns and of routes.
CREATE TABLE names (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- What many deliveries have in common; an event refers to it, so that a campaign's events have an order of their own.
CREATE TABLE mailings (
    id INTEGER PRIMARY KEY,
    campaign_id INTEGER REFERENCES names (id),
    route_id INTEGER NOT NULL REFERENCES names (id),
    tags TEXT NOT NULL,
    test INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX mailings_by_content ON mailings (coalesce(campaign_id, 0), route_id, tags, test);

-- message: seq of the first delivery with this Message-ID, under which the counts of the message stand.
CREATE TABLE deliveries (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    message INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    mailing_id INTEGER NOT NULL REFERENCES mailings (id),
    metadata TEXT NOT NULL,
    opens INTEGER NOT NULL,
    clicks INTEGER NOT NULL,
    reasons TEXT NOT NULL,
    link_count INTEGER NOT NULL,
    state INTEGER NOT NULL,
    accepted_at INTEGER,
    expires_at INTEGER
) STRICT;
CREATE INDEX deliveries_by_message ON deliveries (message_id);

-- An erased recipient leaves NULL, so that a body shared by two people is never laid at the door of the one who stays.
CREATE TABLE delivery_recipients (
    delivery INTEGER NOT NULL REFERENCES deliveries (seq) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    recipient_id INTEGER REFERENCES recipients (id) ON DELETE SET NULL,
    PRIMARY KEY (delivery, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_recipients_by_recipient ON delivery_recipients (recipient_id);

-- Append-only. It knows people by hash alone, so a denial outlives the erasure of the address.
CREATE TABLE consents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient_hash BLOB NOT NULL,
    recorded_at INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    opens TEXT NOT NULL,
    clicks TEXT NOT NULL,
    source TEXT NOT NULL,
    actor TEXT NOT NULL,
    text_version TEXT NOT NULL
) STRICT;
CREATE INDEX consents_by_recipient ON consents (recipient_hash);

-- seq never repeats: collectors ask for what came after the last one that they saw.
CREATE TABLE suppressed (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery_id BLOB NOT NULL UNIQUE
) STRICT;

-- Where short links lead, by their numbers, once for each template. Kept for ever, as mail is: what is purged or erased
-- elsewhere leaves both tables alone, which hold no address and refer to nothing that goes.
CREATE TABLE link_sets (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    destinations TEXT NOT NULL
) STRICT;

CREATE TABLE short_links (
    delivery_id BLOB PRIMARY KEY,
    link_set_id INTEGER NOT NULL REFERENCES link_sets (id)
) STRICT, WITHOUT ROWID;

-- Destinations without query and fragment.
CREATE TABLE links (
    id INTEGER PRIMARY KEY,
    value TEXT NOT NULL UNIQUE
) STRICT;

-- Hash of the user agent, class of the network and names of the headers, as JSON: what many clients have in common.
CREATE TABLE features (
    id INTEGER PRIMARY KEY,
    value TEXT NOT NULL UNIQUE
) STRICT;

-- Raw facts, never edited by judgement. slot says when, and keeps hits of the same microsecond apart (store/slots.py):
-- one number is the key, the time, and the order of every list. id: the random half of an id that says the same time,
-- which nearly all do, or all 16 bytes. delivery: a seq, or the id of one that the store does not know. ip_hash and
-- features_id: what stays of signals that were erased.
CREATE TABLE observations (
    slot INTEGER PRIMARY KEY,
    id ANY NOT NULL,
    delivery ANY NOT NULL,
    kind INTEGER NOT NULL,
    method TEXT,
    checked INTEGER NOT NULL,
    link_index INTEGER,
    link_id INTEGER REFERENCES links (id),
    rest TEXT,
    ip_hash BLOB,
    features_id INTEGER REFERENCES features (id)
) STRICT;
CREATE UNIQUE INDEX observations_by_whole_id ON observations (id) WHERE typeof(id) = 'blob';
CREATE INDEX observations_by_delivery ON observations (delivery);
CREATE INDEX observations_by_link ON observations (link_id) WHERE link_id IS NOT NULL;
CREATE TRIGGER observations_stay BEFORE UPDATE OF slot, id, kind, method, checked, link_index ON observations
BEGIN
    SELECT raise(ABORT, 'raw facts are never edited');
END;

-- What a client says of itself and where it comes from, in rows that can go while their hits stay. Indexes know keyed
-- hashes alone: pages that split for a key from the middle keep bytes of what moved, which no deletion overwrites.
CREATE TABLE user_agents (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    value TEXT NOT NULL
) STRICT;
CREATE TABLE header_sets (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    value TEXT NOT NULL
) STRICT;
CREATE TABLE signals (
    slot INTEGER PRIMARY KEY REFERENCES observations (slot) ON DELETE CASCADE,
    ip TEXT,
    ip_hash BLOB,
    user_agent_id INTEGER REFERENCES user_agents (id),
    headers_id INTEGER REFERENCES header_sets (id)
) STRICT;
CREATE INDEX signals_by_ip ON signals (ip_hash) WHERE ip_hash IS NOT NULL;
CREATE INDEX signals_by_user_agent ON signals (user_agent_id) WHERE user_agent_id IS NOT NULL;
CREATE INDEX signals_by_headers ON signals (headers_id) WHERE headers_id IS NOT NULL;

-- Files of archives, and whether the events in them are removed here.
CREATE TABLE archive_parts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    done INTEGER NOT NULL
) STRICT;

-- The order in which the last observations came. seq never repeats: what came after a number that was read is newer.
CREATE TABLE arrivals (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    slot INTEGER NOT NULL
) STRICT;

CREATE TABLE queue (
    slot INTEGER PRIMARY KEY REFERENCES observations (slot) ON DELETE CASCADE,
    due_at INTEGER NOT NULL
) STRICT;
CREATE INDEX queue_by_due ON queue (due_at);

-- Verdicts as such: the same one is given again and again. digest is that of all other columns.
CREATE TABLE verdicts (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    detected INTEGER NOT NULL,
    probability INTEGER NOT NULL,
    classification TEXT NOT NULL,
    proxy_type TEXT,
    reason_codes TEXT NOT NULL,
    machine INTEGER NOT NULL,
    counts_for_metrics INTEGER NOT NULL,
    device_type TEXT,
    client_type TEXT,
    client_name TEXT,
    ruleset TEXT NOT NULL
) STRICT;

-- Judged observations with their latest verdict; delay is what passed between hit and publication, in microseconds.
CREATE TABLE events (
    slot INTEGER PRIMARY KEY REFERENCES observations (slot) ON DELETE CASCADE,
    verdict_id INTEGER NOT NULL REFERENCES verdicts (id),
    revision INTEGER NOT NULL,
    first INTEGER NOT NULL,
    mailing_id INTEGER REFERENCES mailings (id),
    delay INTEGER NOT NULL
) STRICT;
CREATE INDEX events_by_mailing ON events (mailing_id) WHERE mailing_id IS NOT NULL;

-- Append-only: verdicts that a later one has replaced.
CREATE TABLE revised (
    slot INTEGER NOT NULL REFERENCES observations (slot) ON DELETE CASCADE,
    revision INTEGER NOT NULL,
    verdict_id INTEGER NOT NULL REFERENCES verdicts (id),
    delay INTEGER NOT NULL,
    PRIMARY KEY (slot, revision)
) STRICT, WITHOUT ROWID;

-- scope and key as store/rollups.py says: names, links, messages and hours are numbers here.
CREATE TABLE rollups (
    scope INTEGER NOT NULL,
    key INTEGER NOT NULL,
    deliveries INTEGER NOT NULL DEFAULT 0,
    deliveries_with_pixel INTEGER NOT NULL DEFAULT 0,
    deliveries_with_links INTEGER NOT NULL DEFAULT 0,
    human_opens INTEGER NOT NULL DEFAULT 0,
    human_opens_unique INTEGER NOT NULL DEFAULT 0,
    human_clicks INTEGER NOT NULL DEFAULT 0,
    human_clicks_unique INTEGER NOT NULL DEFAULT 0,
    machine_opens INTEGER NOT NULL DEFAULT 0,
    machine_opens_unique INTEGER NOT NULL DEFAULT 0,
    machine_clicks INTEGER NOT NULL DEFAULT 0,
    machine_clicks_unique INTEGER NOT NULL DEFAULT 0,
    privacy_opens INTEGER NOT NULL DEFAULT 0,
    privacy_opens_unique INTEGER NOT NULL DEFAULT 0,
    privacy_clicks INTEGER NOT NULL DEFAULT 0,
    privacy_clicks_unique INTEGER NOT NULL DEFAULT 0,
    bot_opens INTEGER NOT NULL DEFAULT 0,
    bot_opens_unique INTEGER NOT NULL DEFAULT 0,
    bot_clicks INTEGER NOT NULL DEFAULT 0,
    bot_clicks_unique INTEGER NOT NULL DEFAULT 0,
    scanner_opens INTEGER NOT NULL DEFAULT 0,
    scanner_opens_unique INTEGER NOT NULL DEFAULT 0,
    scanner_clicks INTEGER NOT NULL DEFAULT 0,
    scanner_clicks_unique INTEGER NOT NULL DEFAULT 0,
    observed_opens INTEGER NOT NULL DEFAULT 0,
    observed_opens_unique INTEGER NOT NULL DEFAULT 0,
    observed_clicks INTEGER NOT NULL DEFAULT 0,
    observed_clicks_unique INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX rollups_of_links ON rollups (observed_clicks) WHERE scope = 4;

-- Hits that were answered and counted, and not recorded one by one. A row's count only rises, so whatever comes twice
-- or late changes nothing.
CREATE TABLE overflow (
    id BLOB PRIMARY KEY,
    reason TEXT NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

#: The HTML of mail as it was before it was edited, compressed; what many deliveries share is kept once. hash is keyed,
#: so that it tells nothing of what was erased.
BODIES = """
CREATE TABLE bodies (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE kept_bodies (
    delivery INTEGER PRIMARY KEY REFERENCES deliveries (seq) ON DELETE CASCADE,
    body_id INTEGER NOT NULL REFERENCES bodies (id),
    erase_at INTEGER NOT NULL
) STRICT;
CREATE INDEX kept_bodies_by_body ON kept_bodies (body_id);
CREATE INDEX kept_bodies_by_end ON kept_bodies (erase_at);
"""

#: The hours and links of each campaign and route: scope and name as in rollups, by and key as those of an hour or link
#: there.
BREAKDOWNS = """
CREATE TABLE breakdowns (
    scope INTEGER NOT NULL,
    name INTEGER NOT NULL,
    by INTEGER NOT NULL,
    key INTEGER NOT NULL,
    human_opens INTEGER NOT NULL,
    human_opens_unique INTEGER NOT NULL,
    human_clicks INTEGER NOT NULL,
    human_clicks_unique INTEGER NOT NULL,
    machine_opens INTEGER NOT NULL,
    machine_clicks INTEGER NOT NULL,
    PRIMARY KEY (scope, name, by, key)
) STRICT, WITHOUT ROWID;
"""

_MICROS = "((e.slot >> 12) + 1577836800000000)"
_HOUR = f"({_MICROS} - (({_MICROS} % 3600000000) + 3600000000) % 3600000000) / 3600000000"


def _fill(scope: int, name: str, by: int, key: str) -> str:
    def count(what: str, who: str, kind: int) -> str:
        return f"count({what}) FILTER (WHERE {who} AND o.kind = {kind})"

    person, machine, mail = "NOT v.machine", "v.machine", "DISTINCT o.delivery"
    return f"""
        INSERT INTO breakdowns
        SELECT {scope}, {name}, {by}, {key} AS of_key,
            {count("*", person, 0)}, {count(mail, person, 0)}, {count("*", person, 1)}, {count(mail, person, 1)},
            {count("*", machine, 0)}, {count("*", machine, 1)}
        FROM events AS e JOIN observations AS o ON o.slot = e.slot JOIN verdicts AS v ON v.id = e.verdict_id
        JOIN mailings AS m ON m.id = e.mailing_id
        WHERE NOT m.test AND (v.machine OR v.counts_for_metrics) AND {name} IS NOT NULL AND of_key IS NOT NULL
        GROUP BY {name}, of_key;
    """


#: Counts what was published before there were breakdowns.
FILL_BREAKDOWNS = "".join(
    _fill(scope, name, by, key)
    for scope, name in ((2, "m.campaign_id"), (3, "m.route_id"))
    for by, key in ((4, "o.link_id"), (5, _HOUR))
)

#: The rollups of messages, packed (store/messages.py); message as in deliveries. From here on, delays are milliseconds.
SMALLER = """
CREATE TABLE message_counts (
    message INTEGER PRIMARY KEY,
    counts BLOB NOT NULL
) STRICT;
UPDATE events SET delay = delay / 1000;
UPDATE revised SET delay = delay / 1000;
"""
