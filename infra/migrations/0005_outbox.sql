-- The outbox: messages that must be delivered at least once.
--
-- add_messages runs in the transaction of whoever calls it, so a message is there if and only if
-- the change that it tells of is. While a message is pending, due_at says when it may be claimed:
-- a claim moves it to the end of its lease, so one that nobody finishes is due again by itself.
--
-- The owner of the schema may delete messages that are done: nothing else refers to them.

CREATE TABLE messages (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    account text NOT NULL,
    topic text NOT NULL,
    idempotency_key text NOT NULL,
    payload text NOT NULL,
    created_at timestamptz NOT NULL,
    first_due timestamptz NOT NULL,
    max_tries integer NOT NULL CHECK (max_tries > 0),
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'dead')),
    claims bigint NOT NULL DEFAULT 0 CHECK (claims >= 0),
    tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0 AND tries <= max_tries),
    due_at timestamptz NOT NULL,
    error text NOT NULL DEFAULT '',
    ended_at timestamptz,
    CONSTRAINT messages_by_key UNIQUE (account, topic, idempotency_key),
    CHECK ((state = 'pending') = (ended_at IS NULL))
) WITH (fillfactor = 80);

CREATE INDEX due_messages ON messages (topic, due_at, id) WHERE state = 'pending';
CREATE INDEX messages_by_state ON messages (state, created_at, id);
CREATE INDEX messages_by_account ON messages (account, state, created_at, id);

-- p_messages is an array of JSON objects: id, account, topic, idempotency_key, payload,
-- created_at, and if they differ from the usual, due_at and max_tries. One row for each, in their
-- order, as it is there now.
CREATE FUNCTION add_messages(p_messages jsonb) RETURNS SETOF messages
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    asked record;
    there messages;
BEGIN
    -- In one order: who adds the same messages at the same time does not wait in a circle.
    INSERT INTO messages (id, account, topic, idempotency_key, payload, created_at, first_due,
        max_tries, due_at)
    SELECT m.id, m.account, m.topic, m.idempotency_key, m.payload, m.created_at,
        coalesce(m.due_at, m.created_at), coalesce(m.max_tries, 10),
        coalesce(m.due_at, m.created_at)
    FROM ROWS FROM (jsonb_to_recordset(p_messages) AS (id text, account text, topic text,
        idempotency_key text, payload text, created_at timestamptz, due_at timestamptz,
        max_tries integer)) WITH ORDINALITY AS m
    ORDER BY m.account, m.topic, m.idempotency_key, m.ordinality
    ON CONFLICT ON CONSTRAINT messages_by_key DO NOTHING;
    FOR asked IN
        SELECT m.* FROM ROWS FROM (jsonb_to_recordset(p_messages) AS (account text, topic text,
            idempotency_key text, payload text)) WITH ORDINALITY AS m
        ORDER BY m.ordinality
    LOOP
        SELECT k.* INTO there FROM messages AS k
            WHERE k.account = asked.account AND k.topic = asked.topic
                AND k.idempotency_key = asked.idempotency_key;
        IF NOT FOUND THEN
            -- Somebody else added it after the snapshot of a stricter transaction.
            RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'a message came in between';
        ELSIF there.payload <> asked.payload THEN
            RAISE EXCEPTION USING ERRCODE = 'TK003', HINT = 'idempotency_conflict',
                MESSAGE = 'the idempotency key was used for a message with another payload';
        END IF;
        RETURN NEXT there;
    END LOOP;
END
$$;

CREATE FUNCTION claim_messages(p_topic text, p_at timestamptz, p_until timestamptz,
    p_limit bigint)
RETURNS SETOF messages
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    lent text[];
BEGIN
    LOOP
        SELECT array_agg(d.id) INTO lent FROM (
            SELECT m.id FROM messages AS m
            WHERE m.state = 'pending' AND m.topic = p_topic AND m.due_at <= p_at
            ORDER BY m.due_at, m.id LIMIT p_limit FOR UPDATE SKIP LOCKED
        ) AS d;
        EXIT WHEN lent IS NULL;
        UPDATE messages AS m SET state = 'dead', ended_at = p_at
            WHERE m.id = ANY (lent) AND m.tries >= m.max_tries;
        UPDATE messages AS m
            SET claims = m.claims + 1, tries = m.tries + 1, due_at = p_until
            WHERE m.id = ANY (lent) AND m.state = 'pending';
        -- In the order in which they were due.
        RETURN QUERY SELECT m.* FROM messages AS m
            WHERE m.id = ANY (lent) AND m.state = 'pending'
            ORDER BY array_position(lent, m.id::text);
        -- Where all of these are dead by now, there may be more.
        EXIT WHEN FOUND;
    END LOOP;
END
$$;

CREATE FUNCTION messages_done(p_ids text[], p_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    PERFORM 1 FROM messages WHERE id = ANY (p_ids) ORDER BY id FOR UPDATE;
    UPDATE messages SET state = 'done', ended_at = p_at
        WHERE id = ANY (p_ids) AND state <> 'done';
END
$$;

CREATE FUNCTION message_failed(p_id text, p_claims bigint, p_error text, p_at timestamptz,
    p_retry_at timestamptz)
RETURNS SETOF messages
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    PERFORM 1 FROM messages WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TK001', MESSAGE = 'no such message',
            HINT = 'message_not_found';
    END IF;
    UPDATE messages SET error = p_error,
        state = CASE WHEN p_retry_at IS NULL OR tries >= max_tries THEN 'dead' ELSE state END,
        ended_at = CASE WHEN p_retry_at IS NULL OR tries >= max_tries THEN p_at END,
        due_at = CASE WHEN p_retry_at IS NULL OR tries >= max_tries THEN due_at
            ELSE p_retry_at END
    WHERE id = p_id AND state = 'pending' AND claims = p_claims;
    RETURN QUERY SELECT * FROM messages WHERE id = p_id;
END
$$;

CREATE FUNCTION message_page(p_state text, p_account text, p_after text, p_limit bigint)
RETURNS SETOF messages
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off
AS $$
DECLARE
    last_at timestamptz := '-infinity';
BEGIN
    IF p_after IS NOT NULL THEN
        SELECT m.created_at INTO last_at FROM messages AS m
            WHERE m.id = p_after AND (p_account IS NULL OR m.account = p_account);
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'TK001', MESSAGE = 'no such message',
                HINT = 'message_not_found';
        END IF;
    END IF;
    -- Two questions, each with an index of its own.
    IF p_account IS NULL THEN
        RETURN QUERY SELECT m.* FROM messages AS m
            WHERE m.state = p_state AND (m.created_at, m.id) > (last_at, coalesce(p_after, ''))
            ORDER BY m.created_at, m.id LIMIT p_limit;
    ELSE
        RETURN QUERY SELECT m.* FROM messages AS m
            WHERE m.account = p_account AND m.state = p_state
                AND (m.created_at, m.id) > (last_at, coalesce(p_after, ''))
            ORDER BY m.created_at, m.id LIMIT p_limit;
    END IF;
END
$$;

CREATE FUNCTION revive_message(p_id text, p_account text, p_at timestamptz)
RETURNS SETOF messages
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    there text;
BEGIN
    SELECT m.state INTO there FROM messages AS m
        WHERE m.id = p_id AND m.account = p_account FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TK001', MESSAGE = 'no such message',
            HINT = 'message_not_found';
    ELSIF there <> 'dead' THEN
        RAISE EXCEPTION USING ERRCODE = 'TK002', MESSAGE = 'the message is not dead',
            HINT = 'message_not_dead';
    END IF;
    -- Counted as a claim, so that whoever had it before it died can say no more about it.
    UPDATE messages SET state = 'pending', ended_at = NULL, tries = 0, claims = claims + 1,
        due_at = p_at
    WHERE id = p_id;
    RETURN QUERY SELECT * FROM messages WHERE id = p_id;
END
$$;

REVOKE ALL ON FUNCTION add_messages, claim_messages, messages_done, message_failed, message_page,
    revive_message FROM PUBLIC;
