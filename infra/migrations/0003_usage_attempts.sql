-- What was used and what was asked of providers: recorded by itself, paged and summed up.
--
-- The tables stand in 0001, for captures write to them. Pages are in order of (time, id), and ids
-- are compared by code point, whatever the database's own collation is.

ALTER TABLE usage_events ALTER COLUMN id TYPE text COLLATE "C";
ALTER TABLE attempts ALTER COLUMN id TYPE text COLLATE "C";

-- Months that are over may be moved out of the table that captures write to: into an archive of one
-- partition a month, which a report reads as well, and which may be detached, dumped and dropped.
-- An event is in one of the two.

CREATE TABLE usage_archive (LIKE usage_events INCLUDING CONSTRAINTS)
    PARTITION BY RANGE (occurred_at);
ALTER TABLE usage_archive ADD PRIMARY KEY (id, occurred_at);
CREATE INDEX archived_usage_by_account ON usage_archive (account, occurred_at, id);
CREATE TRIGGER archive_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON usage_archive
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- A few bytes for many pages: it finds a month, and costs a capture next to nothing.
CREATE INDEX usage_by_time ON usage_events USING brin (occurred_at);

CREATE VIEW all_usage AS
    SELECT id, account, key_id, call_id, operation, model, meter, quantity, provenance, cost,
        cost_currency, charge, charge_currency, price_id, occurred_at, attempt
    FROM usage_events
    UNION ALL
    SELECT id, account, key_id, call_id, operation, model, meter, quantity, provenance, cost,
        cost_currency, charge, charge_currency, price_id, occurred_at, attempt
    FROM usage_archive;

-- Moves at most p_limit events of the month that begins at p_month, in UTC, and returns how many:
-- call it until that is 0. For the owner alone.
CREATE FUNCTION archive_usage(p_month timestamptz, p_limit bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT SET timezone = 'UTC' AS $$
DECLARE
    part text := 'usage_archive_' || to_char(p_month, 'YYYY_MM');
    ends timestamptz := p_month + interval '1 month';
    moved bigint;
BEGIN
    IF p_month <> date_trunc('month', p_month) THEN
        RAISE EXCEPTION USING ERRCODE = 'TK004', HINT = 'invalid_month',
            MESSAGE = 'a month begins at midnight of its first day, in UTC';
    END IF;
    -- Whoever records meanwhile waits, and then sees where each event is.
    PERFORM pg_advisory_xact_lock(hashtextextended('tollkeeper archive ' || current_schema(), 0));
    IF to_regclass(format('%I.%I', current_schema(), part)) IS NULL THEN
        -- Made by itself and attached: whoever reads meanwhile, or captures, waits for nothing.
        EXECUTE format('CREATE TABLE %I (LIKE usage_archive INCLUDING ALL)', part);
        EXECUTE format('ALTER TABLE usage_archive ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            part, p_month, ends);
        EXECUTE format('CREATE TRIGGER archive_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', part);
    END IF;
    PERFORM set_config('tollkeeper.moves', pg_current_xact_id()::text, true);
    WITH gone AS (
        DELETE FROM usage_events WHERE id IN (
            SELECT e.id FROM usage_events AS e
            WHERE e.occurred_at >= p_month AND e.occurred_at < ends
            LIMIT p_limit FOR UPDATE SKIP LOCKED)
        RETURNING *
    ), kept AS (
        INSERT INTO usage_archive SELECT * FROM gone RETURNING 1
    )
    SELECT count(*) INTO moved FROM kept;
    PERFORM set_config('tollkeeper.moves', '', true);
    RETURN moved;
END
$$;

CREATE FUNCTION record_usage(p_events jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(
        hashtextextended('tollkeeper archive ' || current_schema(), 0));
    -- In one order, as captures do it: nobody waits in a circle.
    INSERT INTO usage_events (id, account, key_id, call_id, operation, model, meter, quantity,
        provenance, cost, cost_currency, charge, charge_currency, price_id, occurred_at, attempt)
    SELECT id, account, key_id, call_id, operation, model, meter, quantity,
        provenance, cost, cost_currency, charge, charge_currency, price_id, occurred_at, attempt
    FROM jsonb_to_recordset(p_events) AS event (id text COLLATE "C", account text, key_id text,
        call_id text, operation text, model text, meter text, quantity bigint, provenance text,
        cost bigint, cost_currency text, charge bigint, charge_currency text, price_id text,
        occurred_at timestamptz, attempt integer)
    -- Written so that it is one look into the index for each event, and no join.
    WHERE (SELECT true FROM usage_archive AS a WHERE a.id = event.id LIMIT 1) IS NULL
    ORDER BY id
    ON CONFLICT (id) DO NOTHING;
    -- Whatever came first stands; it must say the same.
    -- LIMIT keeps this one look into the index for each event: no plan reads the whole table.
    IF EXISTS (
        SELECT 1 FROM jsonb_to_recordset(p_events) AS asked (id text COLLATE "C", account text,
            model text, meter text, quantity bigint, charge bigint, charge_currency text)
        CROSS JOIN LATERAL (
            SELECT u.account, u.model, u.meter, u.quantity, u.charge, u.charge_currency
            FROM usage_events AS u WHERE u.id = asked.id
            UNION ALL
            SELECT a.account, a.model, a.meter, a.quantity, a.charge, a.charge_currency
            FROM usage_archive AS a WHERE a.id = asked.id
            LIMIT 1
        ) AS known
        WHERE (known.account, known.model, known.meter, known.quantity, known.charge,
                known.charge_currency)
            IS DISTINCT FROM (asked.account, asked.model, asked.meter, asked.quantity,
                asked.charge, asked.charge_currency)
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'TK003',
            MESSAGE = 'an event of the usage is logged already', HINT = 'idempotency_conflict';
    END IF;
END
$$;

CREATE FUNCTION usage_page(p_account text, p_since timestamptz, p_until timestamptz,
    p_after text, p_limit bigint)
RETURNS TABLE (id text, account text, key_id text, call_id text, operation text, model text,
    meter text, quantity bigint, provenance text, cost bigint, cost_currency text, charge bigint,
    charge_currency text, price_id text, occurred_at timestamptz, attempt integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
    last_at timestamptz := '-infinity';
BEGIN
    IF p_after IS NOT NULL THEN
        SELECT u.occurred_at INTO last_at FROM all_usage AS u
            WHERE u.id = p_after AND u.account = p_account;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'TK001', MESSAGE = 'no such usage event',
                HINT = 'event_not_found';
        END IF;
    END IF;
    RETURN QUERY SELECT u.id, u.account, u.key_id, u.call_id, u.operation, u.model, u.meter,
        u.quantity, u.provenance, u.cost, u.cost_currency, u.charge, u.charge_currency, u.price_id,
        u.occurred_at, u.attempt
    FROM all_usage AS u
    WHERE u.account = p_account
        AND u.occurred_at >= coalesce(p_since, '-infinity')
        AND u.occurred_at < coalesce(p_until, 'infinity')
        AND (u.occurred_at, u.id) > (last_at, coalesce(p_after, ''))
    ORDER BY u.occurred_at, u.id LIMIT p_limit;
END
$$;

CREATE FUNCTION usage_totals(p_account text, p_since timestamptz, p_until timestamptz)
RETURNS TABLE (operation text, model text, meter text, events bigint, quantity numeric,
    estimated numeric, charge numeric, currency text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
    -- A sum of bigint is numeric: it never leaves its range.
    RETURN QUERY SELECT u.operation, u.model, u.meter, count(*), sum(u.quantity),
        coalesce(sum(u.quantity) FILTER (WHERE u.provenance = 'estimated'), 0), sum(u.charge),
        u.charge_currency
    FROM all_usage AS u
    WHERE u.account = p_account
        AND u.occurred_at >= coalesce(p_since, '-infinity')
        AND u.occurred_at < coalesce(p_until, 'infinity')
    GROUP BY u.operation, u.model, u.meter, u.charge_currency
    ORDER BY u.operation COLLATE "C", u.model COLLATE "C", u.meter COLLATE "C",
        u.charge_currency COLLATE "C";
END
$$;

CREATE FUNCTION attempt_page(p_account text, p_call_id text, p_since timestamptz,
    p_until timestamptz, p_after text, p_limit bigint)
RETURNS TABLE (id text, call_id text, account text, number integer, provider text, model text,
    credential text, started_at timestamptz, lasted interval, outcome text, billed text,
    settlement text, provenance text, quantities jsonb, cost bigint, cost_currency text,
    price_id text, error text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
    last_at timestamptz := '-infinity';
BEGIN
    IF p_after IS NOT NULL THEN
        SELECT a.started_at INTO last_at FROM attempts AS a
            WHERE a.id = p_after AND a.account = p_account;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'TK001', MESSAGE = 'no such attempt',
                HINT = 'attempt_not_found';
        END IF;
    END IF;
    -- Two questions, each with an index of its own.
    IF p_call_id IS NULL THEN
        RETURN QUERY SELECT a.id, a.call_id, a.account, a.number, a.provider, a.model,
            a.credential, a.started_at, a.lasted, a.outcome, a.billed, a.settlement, a.provenance,
            a.quantities, a.cost, a.cost_currency, a.price_id, a.error
        FROM attempts AS a
        WHERE a.account = p_account
            AND a.started_at >= coalesce(p_since, '-infinity')
            AND a.started_at < coalesce(p_until, 'infinity')
            AND (a.started_at, a.id) > (last_at, coalesce(p_after, ''))
        ORDER BY a.started_at, a.id LIMIT p_limit;
    ELSE
        RETURN QUERY SELECT a.id, a.call_id, a.account, a.number, a.provider, a.model,
            a.credential, a.started_at, a.lasted, a.outcome, a.billed, a.settlement, a.provenance,
            a.quantities, a.cost, a.cost_currency, a.price_id, a.error
        FROM attempts AS a
        WHERE a.call_id = p_call_id AND a.account = p_account
            AND a.started_at >= coalesce(p_since, '-infinity')
            AND a.started_at < coalesce(p_until, 'infinity')
            AND (a.started_at, a.id) > (last_at, coalesce(p_after, ''))
        ORDER BY a.started_at, a.id LIMIT p_limit;
    END IF;
END
$$;

REVOKE ALL ON FUNCTION archive_usage, record_usage, usage_page, usage_totals, attempt_page FROM PUBLIC;
