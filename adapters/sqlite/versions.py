"""The tables, version by version.

Times are whole microseconds since 1970 in UTC, durations are whole microseconds, money is whole
nano-units, sets and mappings are JSON. The rules live in the domain; what stands here is the
second line of defence: a fault in the code above ends in an error, not in a wrong balance.

What was released stays as it is: a file of any version is brought up to date by the versions
after it, and a new file by all of them, so that both end up the same.
"""

from tollkeeper.adapters.sqlite.version_4 import VERSION_4

_FIRST = (
    """
    CREATE TABLE balances (
        account TEXT NOT NULL,
        currency TEXT NOT NULL,
        posted INTEGER NOT NULL,
        held INTEGER NOT NULL CHECK (held >= 0),
        sequence INTEGER NOT NULL CHECK (sequence >= 0),
        PRIMARY KEY (account, currency)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE holds (
        id TEXT NOT NULL PRIMARY KEY,
        account TEXT NOT NULL,
        currency TEXT NOT NULL,
        amount INTEGER NOT NULL CHECK (amount >= 0),
        idempotency_key TEXT NOT NULL,
        purpose TEXT NOT NULL,
        placed_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('open', 'captured', 'released', 'expired')),
        captured INTEGER CHECK (captured >= 0),
        resolved_at INTEGER,
        UNIQUE (account, idempotency_key),
        CHECK (expires_at > placed_at),
        CHECK ((state = 'captured') = (captured IS NOT NULL)),
        CHECK ((state = 'open') = (resolved_at IS NULL))
    ) STRICT, WITHOUT ROWID
    """,
    # Two ways to look for overdue holds: all of them, or one account's.
    "CREATE INDEX open_holds ON holds (expires_at) WHERE state = 'open'",
    "CREATE INDEX open_holds_of ON holds (account, expires_at) WHERE state = 'open'",
    """
    CREATE TABLE entries (
        id TEXT NOT NULL UNIQUE,
        account TEXT NOT NULL,
        currency TEXT NOT NULL,
        sequence INTEGER NOT NULL CHECK (sequence > 0),
        kind TEXT NOT NULL CHECK (kind IN ('grant', 'capture')),
        amount INTEGER NOT NULL,
        balance_after INTEGER NOT NULL,
        at INTEGER NOT NULL,
        description TEXT NOT NULL,
        idempotency_key TEXT NOT NULL,
        hold_id TEXT REFERENCES holds (id),
        held INTEGER CHECK (held >= 0),
        late INTEGER NOT NULL CHECK (late IN (0, 1)),
        usage TEXT,
        PRIMARY KEY (account, currency, sequence),
        CHECK (kind <> 'grant' OR (amount > 0 AND hold_id IS NULL)),
        CHECK (
            kind <> 'capture'
            OR (amount <= 0 AND hold_id IS NOT NULL AND held IS NOT NULL AND usage IS NOT NULL)
        )
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE UNIQUE INDEX grants_by_key ON entries (account, idempotency_key) WHERE kind = 'grant'
    """,
    # A hold is captured once, whatever happens.
    "CREATE UNIQUE INDEX captures_by_hold ON entries (hold_id) WHERE hold_id IS NOT NULL",
    """
    CREATE TABLE usage_events (
        id TEXT NOT NULL PRIMARY KEY,
        account TEXT NOT NULL,
        key_id TEXT NOT NULL,
        call_id TEXT NOT NULL,
        operation TEXT NOT NULL,
        model TEXT NOT NULL,
        meter TEXT NOT NULL,
        quantity INTEGER NOT NULL CHECK (quantity >= 0),
        provenance TEXT NOT NULL,
        cost INTEGER NOT NULL,
        cost_currency TEXT NOT NULL,
        charge INTEGER NOT NULL,
        charge_currency TEXT NOT NULL,
        price_id TEXT NOT NULL,
        occurred_at INTEGER NOT NULL,
        hold_id TEXT REFERENCES holds (id),
        CHECK (hold_id IS NOT NULL OR charge = 0)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX usage_by_account ON usage_events (account, occurred_at, id)",
    """
    CREATE TABLE api_keys (
        id TEXT NOT NULL PRIMARY KEY,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        scopes TEXT NOT NULL,
        prefix TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER,
        revoked_at INTEGER,
        last_used_at INTEGER,
        version INTEGER NOT NULL CHECK (version > 0)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX api_keys_by_account ON api_keys (account, created_at, id)",
    """
    CREATE TABLE key_secrets (
        kid TEXT NOT NULL PRIMARY KEY,
        key_id TEXT NOT NULL REFERENCES api_keys (id),
        position INTEGER NOT NULL CHECK (position >= 0),
        verifier BLOB NOT NULL,
        pepper_id TEXT NOT NULL,
        not_before INTEGER NOT NULL,
        not_after INTEGER,
        UNIQUE (key_id, position)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE plans (
        name TEXT NOT NULL PRIMARY KEY,
        operations TEXT NOT NULL,
        models TEXT NOT NULL,
        rate_requests INTEGER CHECK (rate_requests > 0),
        rate_period INTEGER CHECK (rate_period > 0),
        max_output_tokens INTEGER CHECK (max_output_tokens > 0),
        markup_bps INTEGER NOT NULL CHECK (markup_bps >= 0),
        CHECK ((rate_requests IS NULL) = (rate_period IS NULL))
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE subscriptions (
        account TEXT NOT NULL PRIMARY KEY,
        plan TEXT NOT NULL REFERENCES plans (name),
        starts_at INTEGER NOT NULL,
        ends_at INTEGER,
        CHECK (ends_at > starts_at)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE audit_entries (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        at INTEGER NOT NULL,
        account TEXT NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL,
        details TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX audit_by_account ON audit_entries (account, sequence)",
    # What was written once stays: nothing here is ever changed or taken away.
    """
    CREATE TRIGGER entries_stay BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END
    """,
    """
    CREATE TRIGGER entries_last BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END
    """,
    """
    CREATE TRIGGER usage_stays BEFORE UPDATE ON usage_events
    BEGIN SELECT RAISE(ABORT, 'usage events are append-only'); END
    """,
    """
    CREATE TRIGGER usage_lasts BEFORE DELETE ON usage_events
    BEGIN SELECT RAISE(ABORT, 'usage events are append-only'); END
    """,
    """
    CREATE TRIGGER audit_stays BEFORE UPDATE ON audit_entries
    BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END
    """,
    """
    CREATE TRIGGER audit_lasts BEFORE DELETE ON audit_entries
    BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END
    """,
)

_ATTEMPTS = (
    # An older Tollkeeper that has the file open goes on writing events: theirs are of the first.
    "ALTER TABLE usage_events ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1 CHECK (attempt > 0)",
    """
    CREATE TABLE attempts (
        id TEXT NOT NULL PRIMARY KEY,
        call_id TEXT NOT NULL,
        account TEXT NOT NULL,
        number INTEGER NOT NULL CHECK (number > 0),
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        credential TEXT NOT NULL,
        started_at INTEGER NOT NULL,
        lasted INTEGER NOT NULL CHECK (lasted >= 0),
        outcome TEXT NOT NULL,
        billed TEXT NOT NULL,
        settlement TEXT NOT NULL,
        provenance TEXT NOT NULL,
        quantities TEXT NOT NULL,
        cost INTEGER NOT NULL,
        cost_currency TEXT NOT NULL,
        price_id TEXT NOT NULL,
        error TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX attempts_by_account ON attempts (account, started_at, id)",
    "CREATE INDEX attempts_by_call ON attempts (call_id, account, started_at, id)",
    """
    CREATE TRIGGER attempts_stay BEFORE UPDATE ON attempts
    BEGIN SELECT RAISE(ABORT, 'attempts are append-only'); END
    """,
    """
    CREATE TRIGGER attempts_last BEFORE DELETE ON attempts
    BEGIN SELECT RAISE(ABORT, 'attempts are append-only'); END
    """,
)

_OUTBOX = (
    # While a message is pending, due_at says when it may be claimed: a claim moves it to the end
    # of its lease.
    """
    CREATE TABLE messages (
        id TEXT NOT NULL PRIMARY KEY,
        account TEXT NOT NULL,
        topic TEXT NOT NULL,
        idempotency_key TEXT NOT NULL,
        payload TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        first_due INTEGER NOT NULL,
        max_tries INTEGER NOT NULL CHECK (max_tries > 0),
        state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'dead')),
        claims INTEGER NOT NULL DEFAULT 0 CHECK (claims >= 0),
        tries INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0 AND tries <= max_tries),
        due_at INTEGER NOT NULL,
        error TEXT NOT NULL DEFAULT '',
        ended_at INTEGER,
        UNIQUE (account, topic, idempotency_key),
        CHECK ((state = 'pending') = (ended_at IS NULL))
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX due_messages ON messages (topic, due_at, id) WHERE state = 'pending'",
    "CREATE INDEX messages_by_state ON messages (state, created_at, id)",
    "CREATE INDEX messages_by_account ON messages (account, state, created_at, id)",
)

VERSIONS = (_FIRST, _ATTEMPTS, _OUTBOX, VERSION_4)
"""The statements that make version 1, those that make version 2 of it, and so on."""
