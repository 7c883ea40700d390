-- Many holds placed, captured or released in one statement, and so in one commit.
--
-- Requests that cannot be refused and disturb no other are done together, in a few statements over
-- sets. All others of the batch (replays, refusals, accounts whose credit may not suffice for all,
-- captures that are late) are done one by one by the functions for one, in the order in which they
-- were asked for within an account, each with its own outcome. In either way the answer is the one
-- that a caller alone would have got.

-- Those of an array of JSON objects whose "place" is one of p_places; all, if that is known.
CREATE FUNCTION rows_of(p_rows jsonb, p_places bigint[], p_all boolean) RETURNS jsonb
LANGUAGE sql IMMUTABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT CASE WHEN p_all OR p_rows = '[]' THEN p_rows ELSE (
        SELECT coalesce(jsonb_agg(r.row), '[]') FROM jsonb_array_elements(p_rows) AS r (row)
        WHERE (r.row ->> 'place')::bigint = ANY (p_places)
    ) END
$$;

CREATE FUNCTION place_holds(p_hold_ids text[], p_accounts text[], p_currencies text[],
    p_amounts bigint[], p_purposes text[], p_idempotency_keys text[],
    p_expires_at timestamptz[], p_at timestamptz[])
-- Rows for those alone that were done one by one; all others were placed.
RETURNS TABLE (place bigint, outcome text, available bigint, id text, account text, currency text,
    amount bigint, idempotency_key text, purpose text, placed_at timestamptz,
    expires_at timestamptz, state text, captured bigint, resolved_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    singly bigint[];
    item record;
BEGIN
    PERFORM 1 FROM balances AS b
        WHERE (b.account, b.currency) IN (
            SELECT * FROM unnest(p_accounts, p_currencies))
        ORDER BY b.account, b.currency FOR UPDATE;
    BEGIN
        WITH asked AS MATERIALIZED (
            SELECT * FROM unnest(p_hold_ids, p_accounts, p_currencies, p_amounts, p_purposes,
                p_idempotency_keys, p_expires_at, p_at) WITH ORDINALITY
                AS a (id, account, currency, amount, purpose, key, expires_at, at, place)
        ), purses AS (
            SELECT a.account, a.currency, sum(a.amount) AS amount, max(a.at) AS at
            FROM asked AS a GROUP BY a.account, a.currency
        ), doubtful AS MATERIALIZED (
            -- Accounts of which something in the batch may be refused, replayed or overdue.
            SELECT p.account FROM purses AS p
                LEFT JOIN balances AS b ON b.account = p.account AND b.currency = p.currency
                WHERE b.account IS NULL OR b.posted::numeric - b.held < p.amount
                    OR EXISTS (SELECT 1 FROM holds AS h WHERE h.state = 'open'
                        AND h.account = p.account AND h.currency = p.currency
                        AND h.expires_at <= p.at)
            UNION SELECT a.account FROM asked AS a JOIN holds AS h
                ON h.account = a.account AND h.idempotency_key = a.key
            UNION SELECT a.account FROM asked AS a JOIN holds AS h ON h.id = a.id
            UNION SELECT a.account FROM asked AS a GROUP BY a.account, a.key HAVING count(*) > 1
            UNION SELECT a.account FROM asked AS a WHERE a.id IN (
                SELECT d.id FROM asked AS d GROUP BY d.id HAVING count(*) > 1)
            UNION SELECT a.account FROM asked AS a WHERE a.expires_at <= (
                SELECT p.at FROM purses AS p
                WHERE p.account = a.account AND p.currency = a.currency)
        ), placed AS (
            INSERT INTO holds (id, account, currency, amount, idempotency_key, purpose, placed_at,
                expires_at)
            SELECT a.id, a.account, a.currency, a.amount, a.key, a.purpose, a.at, a.expires_at
            FROM asked AS a WHERE a.account NOT IN (SELECT d.account FROM doubtful AS d)
            ORDER BY a.account, a.key
        ), moved AS (
            UPDATE balances AS b SET held = b.held + p.amount::bigint FROM purses AS p
            WHERE b.account = p.account AND b.currency = p.currency AND p.amount > 0
                AND p.account NOT IN (SELECT d.account FROM doubtful AS d)
        )
        SELECT array_agg(a.place) INTO singly FROM asked AS a
            WHERE a.account IN (SELECT d.account FROM doubtful AS d);
    EXCEPTION WHEN unique_violation THEN
        -- Somebody else took a key or an id at this very moment.
        SELECT array_agg(n) INTO singly FROM generate_subscripts(p_hold_ids, 1) AS n;
    END;
    FOR item IN
        SELECT s.place FROM unnest(singly) AS s (place)
        ORDER BY p_accounts[s.place], p_currencies[s.place], s.place
    LOOP
        RETURN QUERY SELECT item.place, one.* FROM place_hold(p_hold_ids[item.place],
            p_accounts[item.place], p_currencies[item.place], p_amounts[item.place],
            p_purposes[item.place], p_idempotency_keys[item.place], p_expires_at[item.place],
            p_at[item.place]) AS one;
    END LOOP;
END
$$;

-- p_usage and p_attempts are arrays of JSON objects, each with the "place" of its capture; usage
-- names its "hold_id" too.
CREATE FUNCTION capture_holds(p_hold_ids text[], p_amounts bigint[], p_currencies text[],
    p_entry_ids text[], p_at timestamptz[], p_usage jsonb, p_attempts jsonb)
-- One row for each.
RETURNS TABLE (place bigint, outcome text, id text, account text, currency text, sequence bigint,
    kind text, amount bigint, balance_after bigint, at timestamptz, description text,
    idempotency_key text, hold_id text, held bigint, late boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    together bigint[];
    singly bigint[];
    item record;
    refused text;
BEGIN
    PERFORM 1 FROM balances AS b
        WHERE (b.account, b.currency) IN (
            SELECT h.account, h.currency FROM holds AS h WHERE h.id = ANY (p_hold_ids))
        ORDER BY b.account, b.currency FOR UPDATE;
    BEGIN
        WITH asked AS MATERIALIZED (
            SELECT a.*, h.account, h.state, h.currency AS hold_currency
            FROM unnest(p_hold_ids, p_amounts, p_currencies) WITH ORDINALITY
                AS a (hold_id, amount, currency, place)
            LEFT JOIN holds AS h ON h.id = a.hold_id
        ), logged AS MATERIALIZED (
            SELECT e.* FROM jsonb_to_recordset(p_usage)
                AS e (place bigint, id text, account text, occurred_at timestamptz)
        ), doubtful AS MATERIALIZED (
            SELECT a.account FROM asked AS a
                WHERE a.account IS NOT NULL AND (
                    a.state <> 'open' OR a.currency <> a.hold_currency OR a.amount < 0)
            UNION SELECT a.account FROM asked AS a
                WHERE a.account IS NOT NULL
                GROUP BY a.hold_id, a.account HAVING count(*) > 1
            UNION SELECT b.account FROM balances AS b JOIN (
                    SELECT a.account, a.currency, sum(a.amount) AS amount
                    FROM asked AS a GROUP BY a.account, a.currency
                ) AS p ON p.account = b.account AND p.currency = b.currency
                WHERE b.posted::numeric - p.amount < -9223372036854775807
            UNION SELECT a.account FROM asked AS a JOIN logged AS l ON l.place = a.place
                WHERE a.account IS NOT NULL AND (
                    l.account <> a.account
                    OR EXISTS (SELECT 1 FROM usage_events AS u WHERE u.id = l.id)
                    -- One look into one month, if that month is in the archive.
                    OR (SELECT true FROM usage_archive AS u
                        WHERE u.id = l.id AND u.occurred_at = l.occurred_at LIMIT 1))
            UNION SELECT a.account FROM asked AS a JOIN logged AS l ON l.place = a.place
                WHERE a.account IS NOT NULL AND l.id IN (
                    SELECT d.id FROM logged AS d GROUP BY d.id HAVING count(*) > 1)
            UNION SELECT a.account FROM asked AS a JOIN jsonb_to_recordset(p_attempts)
                AS t (place bigint, account text) ON t.place = a.place
                WHERE a.account IS NOT NULL AND t.account <> a.account
        )
        SELECT array_agg(a.place) FILTER (WHERE a.sure), array_agg(a.place) FILTER (WHERE NOT a.sure)
            INTO together, singly
            FROM (SELECT s.place, s.account IS NOT NULL
                AND s.account NOT IN (SELECT d.account FROM doubtful AS d) AS sure
                FROM asked AS s) AS a;
        IF together IS NOT NULL THEN
            WITH chosen AS MATERIALIZED (
                SELECT p.place, h.id AS hold_id, h.account, h.currency, h.purpose,
                    h.amount AS held, p_amounts[p.place] AS amount, p_entry_ids[p.place] AS id,
                    p_at[p.place] AS at
                FROM unnest(together) AS p (place) JOIN holds AS h ON h.id = p_hold_ids[p.place]
            ), numbered AS MATERIALIZED (
                SELECT c.*, b.sequence + row_number() OVER so_far AS sequence,
                    b.posted - (sum(c.amount) OVER so_far)::bigint AS balance_after
                FROM chosen AS c
                JOIN balances AS b ON b.account = c.account AND b.currency = c.currency
                WINDOW so_far AS (PARTITION BY c.account, c.currency ORDER BY c.place
                    ROWS UNBOUNDED PRECEDING)
            ), resolved AS (
                UPDATE holds AS h SET state = 'captured', captured = n.amount, resolved_at = n.at
                FROM numbered AS n WHERE h.id = n.hold_id
            ), posted AS (
                INSERT INTO entries (id, account, currency, sequence, kind, amount, balance_after,
                    at, description, hold_id, held, usage)
                SELECT n.id, n.account, n.currency, n.sequence, 'capture', -n.amount,
                    n.balance_after, n.at, n.purpose, n.hold_id, n.held, coalesce(e.ids, '{}')
                FROM numbered AS n LEFT JOIN (
                    SELECT l.place, array_agg(l.id) AS ids
                    FROM jsonb_to_recordset(p_usage) AS l (place bigint, id text)
                    GROUP BY l.place) AS e ON e.place = n.place
            )
            UPDATE balances AS b SET posted = b.posted - s.amount, held = b.held - s.held,
                sequence = b.sequence + s.entries
            FROM (SELECT n.account, n.currency, sum(n.amount)::bigint AS amount,
                    sum(n.held)::bigint AS held, count(*) AS entries
                FROM numbered AS n GROUP BY n.account, n.currency) AS s
            WHERE b.account = s.account AND b.currency = s.currency;
            PERFORM append_captured_usage(NULL, rows_of(p_usage, together, singly IS NULL));
            PERFORM append_attempts(rows_of(p_attempts, together, singly IS NULL));
        END IF;
    EXCEPTION WHEN unique_violation THEN
        together := NULL;
        SELECT array_agg(n) INTO singly FROM generate_subscripts(p_hold_ids, 1) AS n;
    END;
    RETURN QUERY SELECT p.place, 'captured', e.id, e.account, e.currency, e.sequence, e.kind,
        e.amount, e.balance_after, e.at, e.description, e.idempotency_key, e.hold_id, e.held,
        e.late
        FROM unnest(together) AS p (place) JOIN entries AS e ON e.hold_id = p_hold_ids[p.place];
    FOR item IN
        SELECT s.place FROM unnest(singly) AS s (place)
        LEFT JOIN holds AS h ON h.id = p_hold_ids[s.place]
        ORDER BY h.account, h.currency, s.place
    LOOP
        BEGIN
            RETURN QUERY SELECT item.place, one.* FROM capture_hold(p_hold_ids[item.place],
                p_amounts[item.place], p_currencies[item.place], p_entry_ids[item.place],
                p_at[item.place], rows_of(p_usage, ARRAY[item.place], false),
                rows_of(p_attempts, ARRAY[item.place], false)) AS one;
        EXCEPTION WHEN unique_violation THEN
            GET STACKED DIAGNOSTICS refused = CONSTRAINT_NAME;
            RETURN QUERY SELECT item.place,
                CASE refused WHEN 'usage_events_pkey' THEN 'usage_logged' ELSE 'id_taken' END,
                NULL, NULL, NULL, NULL::bigint, NULL, NULL::bigint, NULL::bigint,
                NULL::timestamptz, NULL, NULL, NULL, NULL::bigint, false;
        END;
    END LOOP;
END
$$;

-- p_attempts is an array of JSON objects, each with the "place" of its release.
CREATE FUNCTION release_holds(p_hold_ids text[], p_at timestamptz[], p_attempts jsonb)
-- One row for each.
RETURNS TABLE (place bigint, outcome text, id text, account text, currency text, amount bigint,
    idempotency_key text, purpose text, placed_at timestamptz, expires_at timestamptz, state text,
    captured bigint, resolved_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    together bigint[];
    singly bigint[];
    item record;
BEGIN
    PERFORM 1 FROM balances AS b
        WHERE (b.account, b.currency) IN (
            SELECT h.account, h.currency FROM holds AS h WHERE h.id = ANY (p_hold_ids))
        ORDER BY b.account, b.currency FOR UPDATE;
    WITH asked AS MATERIALIZED (
        SELECT a.hold_id, a.place, coalesce(h.state = 'open', false)
            AND count(*) OVER (PARTITION BY a.hold_id) = 1
            AND NOT EXISTS (SELECT 1 FROM jsonb_to_recordset(p_attempts)
                AS t (place bigint, account text)
                WHERE t.place = a.place AND t.account <> h.account) AS sure
        FROM unnest(p_hold_ids) WITH ORDINALITY AS a (hold_id, place)
        LEFT JOIN holds AS h ON h.id = a.hold_id
    )
    SELECT array_agg(a.place) FILTER (WHERE a.sure), array_agg(a.place) FILTER (WHERE NOT a.sure)
        INTO together, singly FROM asked AS a;
    WITH resolved AS (
        UPDATE holds AS h SET state = 'released', resolved_at = p_at[p.place]
        FROM unnest(together) AS p (place) WHERE h.id = p_hold_ids[p.place]
        RETURNING h.account, h.currency, h.amount
    )
    UPDATE balances AS b SET held = b.held - s.amount
        FROM (SELECT r.account, r.currency, sum(r.amount)::bigint AS amount
            FROM resolved AS r GROUP BY r.account, r.currency) AS s
        WHERE b.account = s.account AND b.currency = s.currency;
    PERFORM append_attempts(rows_of(p_attempts, together, singly IS NULL));
    RETURN QUERY SELECT p.place, 'released', h.id, h.account, h.currency, h.amount,
        h.idempotency_key, h.purpose, h.placed_at, h.expires_at, h.state, h.captured,
        h.resolved_at
        FROM unnest(together) AS p (place) JOIN holds AS h ON h.id = p_hold_ids[p.place];
    FOR item IN
        SELECT s.place FROM unnest(singly) AS s (place)
        LEFT JOIN holds AS h ON h.id = p_hold_ids[s.place]
        ORDER BY h.account, h.currency, s.place
    LOOP
        RETURN QUERY SELECT item.place, one.* FROM release_hold(p_hold_ids[item.place],
            p_at[item.place], rows_of(p_attempts, ARRAY[item.place], false)) AS one;
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION rows_of, place_holds, capture_holds, release_holds FROM PUBLIC;
