-- API keys, plans and subscriptions, and who changed them.
--
-- Each change writes its audit entry in the same transaction. Text that is ordered by is compared
-- by code point, whatever the database's own collation is.

CREATE TABLE audit_entries (
    account text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0), -- of the account, without gaps
    id text COLLATE "C" NOT NULL UNIQUE,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    details jsonb NOT NULL CHECK (jsonb_typeof(details) = 'object'),
    PRIMARY KEY (account, sequence)
);

CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE api_keys (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    account text COLLATE "C" NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL,
    prefix text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    version bigint NOT NULL CHECK (version > 0)
) WITH (fillfactor = 80); -- the last use moves often, and is in no index

CREATE INDEX api_keys_by_account ON api_keys (account, created_at, id);

CREATE TABLE key_secrets (
    kid text COLLATE "C" NOT NULL PRIMARY KEY,
    key_id text COLLATE "C" NOT NULL REFERENCES api_keys (id),
    position integer NOT NULL CHECK (position > 0), -- 1 is the newest
    verifier bytea NOT NULL,
    pepper_id text NOT NULL,
    not_before timestamptz NOT NULL,
    not_after timestamptz,
    UNIQUE (key_id, position)
);

CREATE TABLE plans (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    operations text[] NOT NULL,
    models text[] NOT NULL,
    rate_requests bigint CHECK (rate_requests > 0),
    rate_period interval CHECK (rate_period > interval '0'),
    max_output_tokens bigint CHECK (max_output_tokens > 0),
    markup_bps bigint NOT NULL CHECK (markup_bps >= 0),
    CHECK ((rate_requests IS NULL) = (rate_period IS NULL))
);

CREATE TABLE subscriptions (
    account text COLLATE "C" NOT NULL PRIMARY KEY,
    plan text COLLATE "C" NOT NULL REFERENCES plans (name),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    CHECK (ends_at > starts_at)
);

-- Audit -----------------------------------------------------------------------------------------

-- Called last in each change: who has this lock waits for no other, so nobody waits in a circle.
-- It makes the order of the numbers that of the commits: a reader who goes on after the last
-- number that it saw misses none.
CREATE FUNCTION append_audit(p_audit jsonb) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    whose text COLLATE "C" := p_audit ->> 'account';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('tollkeeper audit of ' || whose, 0));
    INSERT INTO audit_entries (account, sequence, id, at, actor, action, subject, details)
    SELECT whose,
        coalesce((SELECT max(sequence) FROM audit_entries WHERE account = whose), 0) + 1,
        p_audit ->> 'id', (p_audit ->> 'at')::timestamptz, p_audit ->> 'actor',
        p_audit ->> 'action', p_audit ->> 'subject', p_audit -> 'details';
END
$$;

CREATE FUNCTION audit_page(p_account text, p_after text, p_limit bigint)
RETURNS TABLE (id text, at timestamptz, account text, actor text, action text, subject text,
    details jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
    seen bigint := 0;
BEGIN
    IF p_after IS NOT NULL THEN
        SELECT e.sequence INTO seen FROM audit_entries AS e
            WHERE e.id = p_after AND e.account = p_account;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'TK001', MESSAGE = 'no such audit entry',
                HINT = 'audit_entry_not_found';
        END IF;
    END IF;
    RETURN QUERY SELECT e.id, e.at, e.account, e.actor, e.action, e.subject, e.details
        FROM audit_entries AS e
        WHERE e.account = p_account AND e.sequence > seen
        ORDER BY e.sequence LIMIT p_limit;
END
$$;

-- Keys ------------------------------------------------------------------------------------------
-- The secrets of a key come as arrays of one length, the newest first.

CREATE FUNCTION put_secrets(p_key_id text, p_kids text[], p_verifiers bytea[], p_pepper_ids text[],
    p_not_before timestamptz[], p_not_after timestamptz[]) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO key_secrets (key_id, position, kid, verifier, pepper_id, not_before, not_after)
    SELECT p_key_id, secret.position, secret.kid, secret.verifier, secret.pepper_id,
        secret.not_before, secret.not_after
    FROM unnest(p_kids, p_verifiers, p_pepper_ids, p_not_before, p_not_after)
        WITH ORDINALITY
        AS secret (kid, verifier, pepper_id, not_before, not_after, position);
END
$$;

CREATE FUNCTION add_key(p_id text, p_account text, p_name text, p_scopes text[], p_prefix text,
    p_created_at timestamptz, p_expires_at timestamptz, p_revoked_at timestamptz,
    p_version bigint, p_last_used_at timestamptz, p_kids text[], p_verifiers bytea[],
    p_pepper_ids text[], p_not_before timestamptz[], p_not_after timestamptz[], p_audit jsonb)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO api_keys (id, account, name, scopes, prefix, created_at, expires_at, revoked_at,
        last_used_at, version)
    VALUES (p_id, p_account, p_name, p_scopes, p_prefix, p_created_at, p_expires_at, p_revoked_at,
        p_last_used_at, p_version);
    PERFORM put_secrets(p_id, p_kids, p_verifiers, p_pepper_ids, p_not_before, p_not_after);
    PERFORM append_audit(p_audit);
END
$$;

CREATE FUNCTION replace_key(p_id text, p_account text, p_name text, p_scopes text[],
    p_prefix text, p_created_at timestamptz, p_expires_at timestamptz, p_revoked_at timestamptz,
    p_version bigint, p_kids text[], p_verifiers bytea[], p_pepper_ids text[],
    p_not_before timestamptz[], p_not_after timestamptz[], p_audit jsonb)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    there bigint;
BEGIN
    SELECT version INTO there FROM api_keys WHERE id = p_id AND account = p_account
        FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TK001', MESSAGE = 'no such key', HINT = 'key_not_found';
    END IF;
    IF there <> p_version - 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'TK002',
            MESSAGE = 'someone changed the key first; read it again', HINT = 'key_changed';
    END IF;
    UPDATE api_keys SET name = p_name, scopes = p_scopes, prefix = p_prefix,
        created_at = p_created_at, expires_at = p_expires_at, revoked_at = p_revoked_at,
        version = p_version
    WHERE id = p_id;
    DELETE FROM key_secrets WHERE key_id = p_id;
    PERFORM put_secrets(p_id, p_kids, p_verifiers, p_pepper_ids, p_not_before, p_not_after);
    PERFORM append_audit(p_audit);
END
$$;

CREATE FUNCTION key_by_id(p_account text, p_id text)
RETURNS TABLE (id text, account text, name text, scopes text[], prefix text,
    created_at timestamptz, expires_at timestamptz, revoked_at timestamptz,
    last_used_at timestamptz, version bigint, kids text[], verifiers bytea[], pepper_ids text[],
    not_before timestamptz[], not_after timestamptz[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT k.id, k.account, k.name, k.scopes, k.prefix, k.created_at, k.expires_at,
        k.revoked_at, k.last_used_at, k.version, s.kids, s.verifiers, s.pepper_ids, s.not_before,
        s.not_after
    FROM api_keys AS k CROSS JOIN LATERAL (
        SELECT array_agg(o.kid ORDER BY o.position) AS kids,
            array_agg(o.verifier ORDER BY o.position) AS verifiers,
            array_agg(o.pepper_id ORDER BY o.position) AS pepper_ids,
            array_agg(o.not_before ORDER BY o.position) AS not_before,
            array_agg(o.not_after ORDER BY o.position) AS not_after
        FROM key_secrets AS o WHERE o.key_id = k.id
    ) AS s
    WHERE k.id = p_id AND k.account = p_account;
END
$$;

CREATE FUNCTION key_by_kid(p_kid text)
RETURNS TABLE (id text, account text, name text, scopes text[], prefix text,
    created_at timestamptz, expires_at timestamptz, revoked_at timestamptz,
    last_used_at timestamptz, version bigint, kids text[], verifiers bytea[], pepper_ids text[],
    not_before timestamptz[], not_after timestamptz[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT k.id, k.account, k.name, k.scopes, k.prefix, k.created_at, k.expires_at,
        k.revoked_at, k.last_used_at, k.version, s.kids, s.verifiers, s.pepper_ids, s.not_before,
        s.not_after
    FROM api_keys AS k CROSS JOIN LATERAL (
        SELECT array_agg(o.kid ORDER BY o.position) AS kids,
            array_agg(o.verifier ORDER BY o.position) AS verifiers,
            array_agg(o.pepper_id ORDER BY o.position) AS pepper_ids,
            array_agg(o.not_before ORDER BY o.position) AS not_before,
            array_agg(o.not_after ORDER BY o.position) AS not_after
        FROM key_secrets AS o WHERE o.key_id = k.id
    ) AS s
    WHERE k.id = (SELECT f.key_id FROM key_secrets AS f WHERE f.kid = p_kid);
END
$$;

CREATE FUNCTION key_page(p_account text, p_after text, p_limit bigint)
RETURNS TABLE (id text, account text, name text, scopes text[], prefix text,
    created_at timestamptz, expires_at timestamptz, revoked_at timestamptz,
    last_used_at timestamptz, version bigint, kids text[], verifiers bytea[], pepper_ids text[],
    not_before timestamptz[], not_after timestamptz[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
    last_at timestamptz := '-infinity';
BEGIN
    IF p_after IS NOT NULL THEN
        SELECT k.created_at INTO last_at FROM api_keys AS k
            WHERE k.id = p_after AND k.account = p_account;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'TK001', MESSAGE = 'no such key',
                HINT = 'key_not_found';
        END IF;
    END IF;
    RETURN QUERY SELECT k.id, k.account, k.name, k.scopes, k.prefix, k.created_at, k.expires_at,
        k.revoked_at, k.last_used_at, k.version, s.kids, s.verifiers, s.pepper_ids, s.not_before,
        s.not_after
    FROM (
        SELECT p.* FROM api_keys AS p
        WHERE p.account = p_account AND (p.created_at, p.id) > (last_at, coalesce(p_after, ''))
        ORDER BY p.created_at, p.id LIMIT p_limit
    ) AS k CROSS JOIN LATERAL (
        SELECT array_agg(o.kid ORDER BY o.position) AS kids,
            array_agg(o.verifier ORDER BY o.position) AS verifiers,
            array_agg(o.pepper_id ORDER BY o.position) AS pepper_ids,
            array_agg(o.not_before ORDER BY o.position) AS not_before,
            array_agg(o.not_after ORDER BY o.position) AS not_after
        FROM key_secrets AS o WHERE o.key_id = k.id
    ) AS s
    ORDER BY k.created_at, k.id;
END
$$;

CREATE FUNCTION mark_keys_used(p_ids text[], p_used_at timestamptz[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    -- In one order: two processes that tell of the same keys do not wait for each other.
    PERFORM 1 FROM api_keys WHERE id = ANY (p_ids) ORDER BY id FOR NO KEY UPDATE;
    UPDATE api_keys AS k SET last_used_at = used.at
    FROM (
        SELECT each.id, max(each.at) AS at FROM unnest(p_ids, p_used_at) AS each (id, at)
        GROUP BY each.id
    ) AS used
    WHERE k.id = used.id AND (k.last_used_at IS NULL OR k.last_used_at < used.at);
END
$$;

-- Plans -----------------------------------------------------------------------------------------

CREATE FUNCTION put_plan(p_name text, p_operations text[], p_models text[],
    p_rate_requests bigint, p_rate_period interval, p_max_output_tokens bigint,
    p_markup_bps bigint, p_audit jsonb)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO plans (name, operations, models, rate_requests, rate_period, max_output_tokens,
        markup_bps)
    VALUES (p_name, p_operations, p_models, p_rate_requests, p_rate_period, p_max_output_tokens,
        p_markup_bps)
    ON CONFLICT (name) DO UPDATE SET operations = excluded.operations, models = excluded.models,
        rate_requests = excluded.rate_requests, rate_period = excluded.rate_period,
        max_output_tokens = excluded.max_output_tokens, markup_bps = excluded.markup_bps;
    PERFORM append_audit(p_audit);
END
$$;

CREATE FUNCTION all_plans()
RETURNS TABLE (name text, operations text[], models text[], rate_requests bigint,
    rate_period interval, max_output_tokens bigint, markup_bps bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT name, operations, models, rate_requests, rate_period, max_output_tokens, markup_bps
    FROM plans ORDER BY name
$$;

CREATE FUNCTION put_subscription(p_account text, p_plan text, p_starts_at timestamptz,
    p_ends_at timestamptz, p_audit jsonb)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM 1 FROM plans WHERE name = p_plan;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TK001', MESSAGE = 'there is no plan ' || p_plan,
            HINT = 'plan_not_found';
    END IF;
    INSERT INTO subscriptions (account, plan, starts_at, ends_at)
    VALUES (p_account, p_plan, p_starts_at, p_ends_at)
    ON CONFLICT (account) DO UPDATE SET plan = excluded.plan, starts_at = excluded.starts_at,
        ends_at = excluded.ends_at;
    PERFORM append_audit(p_audit);
END
$$;

CREATE FUNCTION plan_of(p_account text, p_at timestamptz)
RETURNS TABLE (name text, operations text[], models text[], rate_requests bigint,
    rate_period interval, max_output_tokens bigint, markup_bps bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT p.name, p.operations, p.models, p.rate_requests, p.rate_period,
        p.max_output_tokens, p.markup_bps
    FROM subscriptions AS s JOIN plans AS p ON p.name = s.plan
    WHERE s.account = p_account AND s.starts_at <= p_at
        AND (s.ends_at IS NULL OR p_at < s.ends_at);
END
$$;

REVOKE ALL ON FUNCTION append_audit, audit_page, put_secrets, add_key, replace_key, key_by_id,
    key_by_kid, key_page, mark_keys_used, put_plan, all_plans, put_subscription, plan_of
    FROM PUBLIC;
