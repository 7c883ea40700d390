"""The tables of version 4: more of each key, chained audit entries, quotas, and encryption."""

VERSION_4 = (
    # An older Tollkeeper that has the file open goes on writing: what it does not know stays.
    "ALTER TABLE api_keys ADD COLUMN description TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE api_keys ADD COLUMN disabled_at INTEGER",
    "ALTER TABLE api_keys ADD COLUMN limits TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE api_keys ADD COLUMN quota_calls INTEGER CHECK (quota_calls > 0)",
    """
    ALTER TABLE api_keys ADD COLUMN quota_period TEXT
        CHECK ((quota_period IS NULL) = (quota_calls IS NULL))
        CHECK (quota_period IN ('day', 'month'))
    """,
    "ALTER TABLE api_keys ADD COLUMN networks TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE api_keys ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE api_keys ADD COLUMN seal_pepper_id TEXT",
    """
    ALTER TABLE api_keys ADD COLUMN seal BLOB
        CHECK ((seal IS NULL) = (seal_pepper_id IS NULL))
    """,
    """
    ALTER TABLE plans ADD COLUMN on_outage TEXT NOT NULL DEFAULT 'closed'
        CHECK (on_outage IN ('closed', 'local', 'open'))
    """,
    "ALTER TABLE audit_entries ADD COLUMN number INTEGER CHECK (number > 0)",
    "ALTER TABLE audit_entries ADD COLUMN mac BLOB NOT NULL DEFAULT x''",
    "ALTER TABLE audit_entries ADD COLUMN mac_key TEXT NOT NULL DEFAULT ''",
    # The entries that are here get the numbers that they would have had.
    "DROP TRIGGER audit_stays",
    """
    UPDATE audit_entries SET number = counted.number FROM (
        SELECT sequence, row_number() OVER (PARTITION BY account ORDER BY sequence) AS number
        FROM audit_entries
    ) AS counted WHERE counted.sequence = audit_entries.sequence
    """,
    "DROP INDEX audit_by_account",
    "CREATE UNIQUE INDEX audit_by_account ON audit_entries (account, number)",
    # Numbering an entry that came without a number is the one change there is, and the trigger
    # below makes it at once.
    """
    CREATE TRIGGER audit_stays BEFORE UPDATE ON audit_entries WHEN OLD.number IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END
    """,
    """
    CREATE TRIGGER audit_is_numbered AFTER INSERT ON audit_entries WHEN NEW.number IS NULL
    BEGIN
        UPDATE audit_entries SET number = (
            SELECT coalesce(max(number), 0) + 1 FROM audit_entries WHERE account = NEW.account
        ) WHERE sequence = NEW.sequence;
    END
    """,
    """
    CREATE TRIGGER audit_has_no_gap BEFORE INSERT ON audit_entries
    WHEN NEW.number <> (
        SELECT coalesce(max(number), 0) + 1 FROM audit_entries WHERE account = NEW.account
    )
    BEGIN SELECT RAISE(ABORT, 'audit entries are numbered without gaps'); END
    """,
    """
    CREATE TABLE quota_uses (
        key_id TEXT NOT NULL,
        period TEXT NOT NULL CHECK (period IN ('day', 'month')),
        since INTEGER NOT NULL,
        used INTEGER NOT NULL CHECK (used >= 0),
        PRIMARY KEY (key_id, period, since)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE data_keys (
        id TEXT NOT NULL PRIMARY KEY,
        account TEXT NOT NULL,
        algorithm INTEGER NOT NULL,
        kek_id TEXT NOT NULL,
        ciphertext BLOB NOT NULL,
        commitment BLOB NOT NULL CHECK (length(commitment) = 16),
        state TEXT NOT NULL CHECK (state IN ('primary', 'readable', 'destroyed')),
        created_at INTEGER NOT NULL,
        version INTEGER NOT NULL CHECK (version > 0),
        CHECK ((state = 'destroyed') = (length(ciphertext) = 0))
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX data_keys_by_account ON data_keys (account, created_at, id)",
    "CREATE UNIQUE INDEX primary_data_keys ON data_keys (account) WHERE state = 'primary'",
    # A key of which nobody knows any more that it was there cannot be told from one that was lost.
    """
    CREATE TRIGGER data_keys_last BEFORE DELETE ON data_keys
    BEGIN SELECT RAISE(ABORT, 'data keys are destroyed, not deleted'); END
    """,
    """
    CREATE TRIGGER destroyed_keys_stay BEFORE UPDATE ON data_keys WHEN OLD.state = 'destroyed'
    BEGIN SELECT RAISE(ABORT, 'destroyed data keys stay destroyed'); END
    """,
    """
    CREATE TABLE credentials (
        id TEXT NOT NULL PRIMARY KEY,
        account TEXT NOT NULL,
        provider TEXT NOT NULL,
        base_url TEXT NOT NULL,
        label TEXT NOT NULL,
        sealed BLOB NOT NULL,
        data_key_id TEXT NOT NULL REFERENCES data_keys (id),
        created_at INTEGER NOT NULL,
        version INTEGER NOT NULL CHECK (version > 0),
        UNIQUE (account, provider, label)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX credentials_by_account ON credentials (account, created_at, id)",
    "CREATE INDEX credentials_by_data_key ON credentials (data_key_id, id)",
    """
    CREATE TRIGGER needed_keys_stay BEFORE UPDATE OF state ON data_keys
    WHEN NEW.state = 'destroyed' AND EXISTS (
        SELECT 1 FROM credentials WHERE data_key_id = NEW.id
    )
    BEGIN SELECT RAISE(ABORT, 'values are still encrypted with the data key'); END
    """,
)
"""The statements that make version 4 of version 3."""
