-- The ledger: balances, holds, entries, and what is logged with them.
--
-- Names bear no schema: whoever runs this has set search_path to it, and each function keeps that
-- setting. The rules are those of the domain (domain/ledger.py). Functions say what became of a
-- request in the column "outcome", for in a batch nobody's refusal may undo a neighbour's change;
-- nothing is changed where the outcome is a refusal. Times are arguments: the database's own clock
-- decides nothing.
--
-- Who changes holds or entries of an account in a currency has locked the row of its balance
-- before; several rows are locked in the order (account, currency). So nobody waits in a circle.
--
-- What an application calls is SECURITY DEFINER: it acts as the owner of the tables, which nobody
-- else needs to touch. What only other functions call is not, so it does nothing for an application
-- that calls it by itself. Who may call what is said at the end, by grant_use.

CREATE TABLE balances (
    account text NOT NULL,
    currency text NOT NULL,
    posted bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
    sequence bigint NOT NULL DEFAULT 0 CHECK (sequence >= 0),
    PRIMARY KEY (account, currency)
) WITH (fillfactor = 50); -- a busy row finds room for its next version beside the last one

CREATE TABLE holds (
    id text NOT NULL PRIMARY KEY,
    account text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 0),
    idempotency_key text NOT NULL,
    purpose text NOT NULL,
    placed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'open'
        CHECK (state IN ('open', 'captured', 'released', 'expired')),
    captured bigint CHECK (captured >= 0),
    resolved_at timestamptz,
    UNIQUE (account, idempotency_key),
    CHECK (expires_at > placed_at),
    CHECK ((state = 'captured') = (captured IS NOT NULL)),
    CHECK ((state = 'open') = (resolved_at IS NULL))
);

-- Two ways to look for overdue holds: all of them, or one account's.
CREATE INDEX open_holds ON holds (expires_at, id) WHERE state = 'open';
CREATE INDEX open_holds_of ON holds (account, expires_at, id) WHERE state = 'open';

CREATE TABLE entries (
    id text NOT NULL UNIQUE,
    account text NOT NULL,
    currency text NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    kind text NOT NULL CHECK (kind IN ('grant', 'capture')),
    amount bigint NOT NULL,
    balance_after bigint NOT NULL,
    at timestamptz NOT NULL,
    description text NOT NULL,
    idempotency_key text NOT NULL DEFAULT '',
    hold_id text REFERENCES holds (id),
    held bigint CHECK (held >= 0),
    late boolean NOT NULL DEFAULT false,
    usage text[], -- the ids of the events that came with a capture
    PRIMARY KEY (account, currency, sequence),
    CHECK (kind <> 'grant' OR (amount > 0 AND hold_id IS NULL)),
    CHECK (
        kind <> 'capture'
        OR (amount <= 0 AND hold_id IS NOT NULL AND held IS NOT NULL AND usage IS NOT NULL)
    )
);

CREATE UNIQUE INDEX grants_by_key ON entries (account, idempotency_key) WHERE kind = 'grant';
-- A hold is captured once, whatever happens.
CREATE UNIQUE INDEX captures_by_hold ON entries (hold_id) WHERE hold_id IS NOT NULL;

CREATE TABLE usage_events (
    id text NOT NULL PRIMARY KEY,
    account text NOT NULL,
    key_id text NOT NULL,
    call_id text NOT NULL,
    operation text NOT NULL,
    model text NOT NULL,
    meter text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity >= 0),
    provenance text NOT NULL,
    cost bigint NOT NULL,
    cost_currency text NOT NULL,
    charge bigint NOT NULL,
    charge_currency text NOT NULL,
    price_id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    attempt integer NOT NULL DEFAULT 1 CHECK (attempt > 0),
    hold_id text REFERENCES holds (id),
    CHECK (hold_id IS NOT NULL OR charge = 0)
);

CREATE INDEX usage_by_account ON usage_events (account, occurred_at, id);

CREATE TABLE attempts (
    id text NOT NULL PRIMARY KEY,
    call_id text NOT NULL,
    account text NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    provider text NOT NULL,
    model text NOT NULL,
    credential text NOT NULL,
    started_at timestamptz NOT NULL,
    lasted interval NOT NULL CHECK (lasted >= interval '0'),
    outcome text NOT NULL,
    billed text NOT NULL,
    settlement text NOT NULL,
    provenance text NOT NULL,
    quantities jsonb NOT NULL,
    cost bigint NOT NULL,
    cost_currency text NOT NULL,
    price_id text NOT NULL,
    error text NOT NULL
);

CREATE INDEX attempts_by_account ON attempts (account, started_at, id);
CREATE INDEX attempts_by_call ON attempts (call_id, account, started_at, id);

-- What was written once stays.
CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    -- archive_usage (see 0003) moves events, and says so for its own transaction.
    IF TG_TABLE_NAME = 'usage_events' AND TG_OP = 'DELETE'
            AND current_setting('tollkeeper.moves', true) = pg_current_xact_id()::text THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END
$$;

CREATE TRIGGER entries_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER usage_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON usage_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER attempts_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON attempts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Two arrays of JSON objects, as capture and release take them, become rows.

CREATE FUNCTION append_captured_usage(p_hold_id text, p_usage jsonb) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
    INSERT INTO usage_events (id, account, key_id, call_id, operation, model, meter, quantity,
        provenance, cost, cost_currency, charge, charge_currency, price_id, occurred_at, attempt,
        hold_id)
    SELECT id, account, key_id, call_id, operation, model, meter, quantity,
        provenance, cost, cost_currency, charge, charge_currency, price_id, occurred_at, attempt,
        coalesce(p_hold_id, hold_id)
    FROM jsonb_to_recordset(p_usage) AS event (id text, account text, key_id text, call_id text,
        operation text, model text, meter text, quantity bigint, provenance text, cost bigint,
        cost_currency text, charge bigint, charge_currency text, price_id text,
        occurred_at timestamptz, attempt integer, hold_id text)
    ORDER BY id
$$;

-- Those that are there already are passed over; whatever else a row may break is an error.
CREATE FUNCTION append_attempts(p_attempts jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    INSERT INTO attempts (id, call_id, account, number, provider, model, credential, started_at,
        lasted, outcome, billed, settlement, provenance, quantities, cost, cost_currency, price_id,
        error)
    SELECT id, call_id, account, number, provider, model, credential, started_at,
        lasted, outcome, billed, settlement, provenance, quantities, cost, cost_currency, price_id,
        error
    FROM jsonb_to_recordset(p_attempts) AS attempt (id text, call_id text, account text,
        number integer, provider text, model text, credential text, started_at timestamptz,
        lasted interval, outcome text, billed text, settlement text, provenance text,
        quantities jsonb, cost bigint, cost_currency text, price_id text, error text)
    ORDER BY id
    ON CONFLICT (id) DO NOTHING
$$;

-- Balances --------------------------------------------------------------------------------------

CREATE FUNCTION lock_balance(p_account text, p_currency text)
RETURNS TABLE (posted bigint, held bigint, sequence bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT b.posted, b.held, b.sequence FROM balances AS b
        WHERE b.account = p_account AND b.currency = p_currency FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO balances (account, currency) VALUES (p_account, p_currency)
            ON CONFLICT DO NOTHING;
        RETURN QUERY SELECT b.posted, b.held, b.sequence FROM balances AS b
            WHERE b.account = p_account AND b.currency = p_currency FOR UPDATE;
    END IF;
END
$$;

CREATE FUNCTION balance_of(p_account text, p_currency text)
RETURNS TABLE (posted bigint, held bigint, sequence bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT posted, held, sequence FROM balances
    WHERE account = p_account AND currency = p_currency
$$;

CREATE FUNCTION entries_of(p_account text, p_currency text, p_after bigint, p_limit bigint)
RETURNS TABLE (id text, account text, currency text, sequence bigint, kind text, amount bigint,
    balance_after bigint, at timestamptz, description text, idempotency_key text, hold_id text,
    held bigint, late boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT id, account, currency, sequence, kind, amount, balance_after, at, description,
        idempotency_key, hold_id, held, late
    FROM entries
    WHERE account = p_account AND currency = p_currency AND sequence > p_after
    ORDER BY sequence LIMIT p_limit
$$;

-- Grants ----------------------------------------------------------------------------------------
-- outcome: granted | replayed | key_used | too_large

CREATE FUNCTION grant_credit(p_account text, p_currency text, p_amount bigint,
    p_idempotency_key text, p_entry_id text, p_at timestamptz, p_description text)
RETURNS TABLE (outcome text, id text, account text, currency text, sequence bigint, kind text,
    amount bigint, balance_after bigint, at timestamptz, description text, idempotency_key text,
    hold_id text, held bigint, late boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    purse record;
    first record;
BEGIN
    SELECT * INTO STRICT purse FROM lock_balance(p_account, p_currency);
    SELECT e.* INTO first FROM entries AS e
        WHERE e.account = p_account AND e.idempotency_key = p_idempotency_key AND e.kind = 'grant';
    IF NOT FOUND AND purse.posted::numeric + p_amount > 9223372036854775807 THEN
        RETURN QUERY SELECT 'too_large', NULL, p_account, p_currency, NULL::bigint, NULL,
            NULL::bigint, purse.posted, NULL::timestamptz, NULL, NULL, NULL, NULL::bigint, false;
        RETURN;
    END IF;
    IF first.id IS NULL THEN
        INSERT INTO entries (id, account, currency, sequence, kind, amount, balance_after, at,
            description, idempotency_key)
        VALUES (p_entry_id, p_account, p_currency, purse.sequence + 1, 'grant', p_amount,
            purse.posted + p_amount, p_at, p_description, p_idempotency_key)
        -- In another currency, the account's key may be in use at this very moment.
        ON CONFLICT (account, idempotency_key) WHERE kind = 'grant' DO NOTHING;
        IF FOUND THEN
            UPDATE balances AS b SET posted = b.posted + p_amount, sequence = b.sequence + 1
                WHERE b.account = p_account AND b.currency = p_currency;
            RETURN QUERY SELECT 'granted', p_entry_id, p_account, p_currency, purse.sequence + 1,
                'grant', p_amount, purse.posted + p_amount, p_at, p_description, p_idempotency_key,
                NULL, NULL::bigint, false;
            RETURN;
        END IF;
        SELECT e.* INTO STRICT first FROM entries AS e
            WHERE e.account = p_account AND e.idempotency_key = p_idempotency_key
            AND e.kind = 'grant';
    END IF;
    RETURN QUERY SELECT
        CASE WHEN first.amount = p_amount AND first.currency = p_currency
            AND first.description = p_description THEN 'replayed' ELSE 'key_used' END,
        first.id, first.account, first.currency, first.sequence, first.kind, first.amount,
        first.balance_after, first.at, first.description, first.idempotency_key, first.hold_id,
        first.held, first.late;
END
$$;

-- Holds -----------------------------------------------------------------------------------------
-- outcome: placed | replayed | key_used | id_taken | insufficient (see available)

CREATE FUNCTION place_hold(p_hold_id text, p_account text, p_currency text, p_amount bigint,
    p_purpose text, p_idempotency_key text, p_expires_at timestamptz, p_at timestamptz)
RETURNS TABLE (outcome text, available bigint, id text, account text, currency text,
    amount bigint, idempotency_key text, purpose text, placed_at timestamptz,
    expires_at timestamptz, state text, captured bigint, resolved_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    purse record;
    first record;
    freed bigint;
    known boolean;
BEGIN
    SELECT * INTO STRICT purse FROM lock_balance(p_account, p_currency);
    SELECT h.* INTO first FROM holds AS h
        WHERE h.account = p_account AND h.idempotency_key = p_idempotency_key;
    known := FOUND;
    IF NOT (known AND (first.amount, first.currency, first.purpose)
            IS DISTINCT FROM (p_amount, p_currency, p_purpose)) THEN
        WITH gone AS (
            UPDATE holds AS h SET state = 'expired', resolved_at = p_at
            WHERE h.state = 'open' AND h.account = p_account AND h.currency = p_currency
                AND h.expires_at <= p_at
            RETURNING h.amount
        )
        SELECT coalesce(sum(gone.amount), 0) INTO freed FROM gone;
        IF freed > 0 THEN
            UPDATE balances AS b SET held = b.held - freed
                WHERE b.account = p_account AND b.currency = p_currency;
            purse.held := purse.held - freed;
        END IF;
    END IF;
    IF NOT known THEN
        IF p_amount > purse.posted - purse.held THEN
            RETURN QUERY SELECT 'insufficient', purse.posted - purse.held, NULL, NULL, NULL,
                NULL::bigint, NULL, NULL, NULL::timestamptz, NULL::timestamptz, NULL,
                NULL::bigint, NULL::timestamptz;
            RETURN;
        END IF;
        INSERT INTO holds (id, account, currency, amount, idempotency_key, purpose, placed_at,
            expires_at)
        VALUES (p_hold_id, p_account, p_currency, p_amount, p_idempotency_key, p_purpose, p_at,
            p_expires_at)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            IF p_amount > 0 THEN
                UPDATE balances AS b SET held = b.held + p_amount
                    WHERE b.account = p_account AND b.currency = p_currency;
            END IF;
            RETURN QUERY SELECT 'placed', purse.posted - purse.held - p_amount, p_hold_id,
                p_account, p_currency, p_amount, p_idempotency_key, p_purpose, p_at, p_expires_at,
                'open', NULL::bigint, NULL::timestamptz;
            RETURN;
        END IF;
    END IF;
    -- Read again: it may have been overdue itself, or placed meanwhile in another currency.
    SELECT h.* INTO first FROM holds AS h
        WHERE h.account = p_account AND h.idempotency_key = p_idempotency_key;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'id_taken', NULL::bigint, NULL, NULL, NULL, NULL::bigint, NULL, NULL,
            NULL::timestamptz, NULL::timestamptz, NULL, NULL::bigint, NULL::timestamptz;
        RETURN;
    END IF;
    RETURN QUERY SELECT
        CASE WHEN first.amount = p_amount AND first.currency = p_currency
            AND first.purpose = p_purpose THEN 'replayed' ELSE 'key_used' END,
        NULL::bigint, first.id, first.account, first.currency, first.amount,
        first.idempotency_key, first.purpose, first.placed_at, first.expires_at, first.state,
        first.captured, first.resolved_at;
END
$$;

-- outcome: released | kept (it was released or expired before) | not_found | captured |
--     wrong_account

CREATE FUNCTION release_hold(p_hold_id text, p_at timestamptz, p_attempts jsonb)
RETURNS TABLE (outcome text, id text, account text, currency text, amount bigint,
    idempotency_key text, purpose text, placed_at timestamptz, expires_at timestamptz, state text,
    captured bigint, resolved_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    hold record;
    became text;
BEGIN
    -- What names the balance never changes, so it is read before the balance is locked.
    SELECT h.account, h.currency INTO hold FROM holds AS h WHERE h.id = p_hold_id;
    IF NOT FOUND THEN
        became := 'not_found';
    ELSE
        PERFORM lock_balance(hold.account, hold.currency);
        SELECT h.* INTO STRICT hold FROM holds AS h WHERE h.id = p_hold_id;
        IF EXISTS (SELECT 1 FROM jsonb_array_elements(p_attempts) AS attempt
                WHERE attempt ->> 'account' <> hold.account) THEN
            became := 'wrong_account';
        ELSIF hold.state = 'captured' THEN
            became := 'captured';
        END IF;
    END IF;
    IF became IS NOT NULL THEN
        RETURN QUERY SELECT became, NULL, NULL, NULL, NULL::bigint, NULL, NULL,
            NULL::timestamptz, NULL::timestamptz, NULL, NULL::bigint, NULL::timestamptz;
        RETURN;
    END IF;
    IF p_attempts <> '[]' THEN
        PERFORM append_attempts(p_attempts);
    END IF;
    became := 'kept';
    IF hold.state = 'open' THEN
        UPDATE holds AS h SET state = 'released', resolved_at = p_at WHERE h.id = p_hold_id;
        UPDATE balances AS b SET held = b.held - hold.amount
            WHERE b.account = hold.account AND b.currency = hold.currency;
        hold.state := 'released';
        hold.resolved_at := p_at;
        became := 'released';
    END IF;
    RETURN QUERY SELECT became, hold.id, hold.account, hold.currency, hold.amount,
        hold.idempotency_key, hold.purpose, hold.placed_at, hold.expires_at, hold.state,
        hold.captured, hold.resolved_at;
END
$$;

CREATE FUNCTION expire_holds(p_at timestamptz, p_account text, p_limit bigint)
RETURNS TABLE (id text, account text, currency text, amount bigint, idempotency_key text,
    purpose text, placed_at timestamptz, expires_at timestamptz, state text, captured bigint,
    resolved_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    overdue text[];
    gone text[];
BEGIN
    LOOP
        SELECT array_agg(h.id) INTO overdue FROM (
            SELECT o.id FROM holds AS o
            WHERE o.state = 'open' AND o.expires_at <= p_at
                AND (p_account IS NULL OR o.account = p_account)
            ORDER BY o.expires_at, o.id LIMIT p_limit
        ) AS h;
        EXIT WHEN overdue IS NULL;
        PERFORM 1 FROM balances AS b
            WHERE (b.account, b.currency) IN (
                SELECT h.account, h.currency FROM holds AS h WHERE h.id = ANY (overdue))
            ORDER BY b.account, b.currency FOR UPDATE;
        WITH expired AS (
            UPDATE holds AS h SET state = 'expired', resolved_at = p_at
            WHERE h.id = ANY (overdue) AND h.state = 'open'
            RETURNING h.id, h.account, h.currency, h.amount
        ), freed AS (
            UPDATE balances AS b SET held = b.held - sums.amount
            FROM (SELECT e.account, e.currency, sum(e.amount)::bigint AS amount
                FROM expired AS e GROUP BY e.account, e.currency) AS sums
            WHERE b.account = sums.account AND b.currency = sums.currency
        )
        SELECT array_agg(e.id) INTO gone FROM expired AS e;
        -- Others may have been faster with all of these, and there may be more.
        CONTINUE WHEN gone IS NULL;
        RETURN QUERY SELECT h.id, h.account, h.currency, h.amount, h.idempotency_key, h.purpose,
            h.placed_at, h.expires_at, h.state, h.captured, h.resolved_at
            FROM holds AS h WHERE h.id = ANY (gone) ORDER BY h.expires_at, h.id;
        EXIT;
    END LOOP;
END
$$;

-- Captures --------------------------------------------------------------------------------------
-- outcome: captured | replayed | not_found | wrong_account | other_capture | released |
--     other_currency | negative | too_large | usage_logged

CREATE FUNCTION capture_hold(p_hold_id text, p_amount bigint, p_currency text, p_entry_id text,
    p_at timestamptz, p_usage jsonb, p_attempts jsonb)
RETURNS TABLE (outcome text, id text, account text, currency text, sequence bigint, kind text,
    amount bigint, balance_after bigint, at timestamptz, description text, idempotency_key text,
    hold_id text, held bigint, late boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    hold record;
    purse record;
    first record;
    became text;
    ids text[];
    first_at timestamptz;
    last_at timestamptz;
BEGIN
    SELECT h.account, h.currency INTO hold FROM holds AS h WHERE h.id = p_hold_id;
    IF NOT FOUND THEN
        became := 'not_found';
    ELSE
        SELECT * INTO STRICT purse FROM lock_balance(hold.account, hold.currency);
        SELECT h.* INTO STRICT hold FROM holds AS h WHERE h.id = p_hold_id;
        SELECT coalesce(array_agg(event.id), '{}'), min(event.occurred_at), max(event.occurred_at)
            INTO ids, first_at, last_at
            FROM jsonb_to_recordset(p_usage) AS event (id text, occurred_at timestamptz);
        IF EXISTS (SELECT 1 FROM jsonb_array_elements(p_attempts) AS attempt
                WHERE attempt ->> 'account' <> hold.account) THEN
            became := 'wrong_account';
        ELSIF hold.state = 'captured' THEN
            SELECT e.* INTO STRICT first FROM entries AS e WHERE e.hold_id = p_hold_id;
            IF hold.captured = p_amount AND hold.currency = p_currency
                    AND first.usage @> ids AND first.usage <@ ids
                    AND NOT EXISTS (
                        SELECT 1 FROM jsonb_to_recordset(p_usage) AS asked (id text, account text,
                            meter text, quantity bigint, charge bigint, charge_currency text,
                            model text)
                        WHERE NOT EXISTS (
                            SELECT 1 FROM all_usage AS known
                            WHERE known.id = asked.id AND known.account = asked.account
                                AND known.meter = asked.meter AND known.quantity = asked.quantity
                                AND known.charge = asked.charge AND known.model = asked.model
                                AND known.charge_currency = asked.charge_currency)) THEN
                IF p_attempts <> '[]' THEN
                    PERFORM append_attempts(p_attempts);
                END IF;
                RETURN QUERY SELECT 'replayed', first.id, first.account, first.currency,
                    first.sequence, first.kind, first.amount, first.balance_after, first.at,
                    first.description, first.idempotency_key, first.hold_id, first.held,
                    first.late;
                RETURN;
            END IF;
            became := 'other_capture';
        ELSIF hold.state = 'released' THEN
            became := 'released';
        ELSIF hold.currency <> p_currency THEN
            became := 'other_currency';
        ELSIF p_amount < 0 THEN
            became := 'negative';
        ELSIF EXISTS (SELECT 1 FROM jsonb_array_elements(p_usage) AS event
                WHERE event ->> 'account' <> hold.account) THEN
            became := 'wrong_account';
        ELSIF purse.posted::numeric - p_amount < -9223372036854775807 THEN
            became := 'too_large';
        ELSIF EXISTS (SELECT 1 FROM usage_events AS u WHERE u.id = ANY (ids))
                -- Of the archive only the months of these events are looked into, if they are there.
                OR EXISTS (SELECT 1 FROM usage_archive AS a
                    WHERE a.id = ANY (ids) AND a.occurred_at BETWEEN first_at AND last_at)
                OR (SELECT count(DISTINCT name) FROM unnest(ids) AS name) < cardinality(ids) THEN
            became := 'usage_logged';
        END IF;
    END IF;
    IF became IS NOT NULL THEN
        RETURN QUERY SELECT became, NULL, NULL, NULL, NULL::bigint, NULL, NULL::bigint,
            NULL::bigint, NULL::timestamptz, NULL, NULL, NULL, NULL::bigint, false;
        RETURN;
    END IF;
    UPDATE holds AS h SET state = 'captured', captured = p_amount, resolved_at = p_at
        WHERE h.id = p_hold_id;
    INSERT INTO entries (id, account, currency, sequence, kind, amount, balance_after, at,
        description, hold_id, held, late, usage)
    VALUES (p_entry_id, hold.account, hold.currency, purse.sequence + 1, 'capture', -p_amount,
        purse.posted - p_amount, p_at, hold.purpose, p_hold_id, hold.amount,
        hold.state = 'expired', ids);
    IF ids <> '{}' THEN
        PERFORM append_captured_usage(p_hold_id, p_usage);
    END IF;
    IF p_attempts <> '[]' THEN
        PERFORM append_attempts(p_attempts);
    END IF;
    UPDATE balances AS b SET posted = b.posted - p_amount, sequence = b.sequence + 1,
        held = b.held - CASE WHEN hold.state = 'open' THEN hold.amount ELSE 0 END
        WHERE b.account = hold.account AND b.currency = hold.currency;
    RETURN QUERY SELECT 'captured', p_entry_id, hold.account, hold.currency, purse.sequence + 1,
        'capture', -p_amount, purse.posted - p_amount, p_at, hold.purpose, '', p_hold_id,
        hold.amount, hold.state = 'expired';
END
$$;

-- Who may use it --------------------------------------------------------------------------------
-- The owner of the schema (whoever migrated first) may do everything. Anybody else may do nothing,
-- until the owner says so:
--
--     SELECT tollkeeper.grant_use('service_role');
--
-- On Supabase that is the role of the service key; its roles of everybody who has an address,
-- anon and authenticated, are refused, for who may call grant_credit makes money. What the role is
-- given: USAGE of the schema, EXECUTE of the functions that an application calls, SELECT on the
-- version; no table. Migrations give it what they add.

CREATE FUNCTION grant_use(p_role text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    called text;
BEGIN
    IF p_role IN ('anon', 'authenticated', 'public') THEN
        RAISE EXCEPTION USING ERRCODE = 'TK004', HINT = 'role_of_everybody',
            MESSAGE = 'the role is everybody''s; grant the use to the role of a server';
    END IF;
    PERFORM 1 FROM pg_roles WHERE rolname = p_role;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TK001', HINT = 'role_not_found',
            MESSAGE = 'the database has no such role';
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), p_role);
    EXECUTE format('GRANT SELECT ON schema_version TO %I', p_role);
    FOR called IN
        SELECT p.oid::regprocedure FROM pg_proc AS p
        WHERE p.pronamespace = current_schema()::regnamespace AND p.prosecdef
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', called, p_role);
    END LOOP;
END
$$;

-- Called at the end of each migration. Privileges that the database gives by default (ALTER
-- DEFAULT PRIVILEGES) come with each new function, so what nobody asked for is taken back.
CREATE FUNCTION renew_grants() RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    who text;
BEGIN
    FOR who IN
        SELECT 'PUBLIC' UNION ALL
        SELECT quote_ident(rolname) FROM pg_roles WHERE rolname IN ('anon', 'authenticated')
    LOOP
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %s', current_schema(), who);
        EXECUTE format('REVOKE ALL ON ALL ROUTINES IN SCHEMA %I FROM %s', current_schema(), who);
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM %s', current_schema(), who);
    END LOOP;
    -- Who could use it before can use what is new, and no more than that.
    FOR who IN
        SELECT DISTINCT r.rolname FROM pg_proc AS p
        CROSS JOIN LATERAL aclexplode(p.proacl) AS given
        JOIN pg_roles AS r ON r.oid = given.grantee
        -- A role that may only read, for reports, is given what it had by hand, and keeps that.
        WHERE p.oid = to_regprocedure(
                'grant_credit(text, text, bigint, text, text, timestamptz, text)')
            AND r.oid <> p.proowner
    LOOP
        EXECUTE format('REVOKE ALL ON ALL ROUTINES IN SCHEMA %I FROM %I', current_schema(), who);
        PERFORM grant_use(who);
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION refuse_change, append_captured_usage, append_attempts, lock_balance,
    balance_of, entries_of, grant_credit, place_hold, release_hold, expire_holds, capture_hold,
    grant_use, renew_grants FROM PUBLIC;
