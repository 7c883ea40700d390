-- What keys may do besides their scopes, what shows that a key's record is ours, and the chain of
-- the audit log.
--
-- A key goes in and comes out as one JSON document, by the names of the columns, with its secrets
-- in an array, the newest first. Bytes are written as \x and hexadecimal digits. So a later column
-- changes the argument of no function.
--
-- The functions that knew fewer columns are dropped: a host of a former version would let a key in
-- that is disabled, so it is refused as long as it is not upgraded.

ALTER TABLE api_keys
    ADD description text NOT NULL DEFAULT '',
    ADD disabled_at timestamptz,
    -- Objects of requests, period (microseconds) and on_outage.
    ADD limits jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(limits) = 'array'),
    ADD quota_calls bigint CHECK (quota_calls > 0),
    ADD quota_period text CHECK (quota_period IN ('day', 'month')),
    ADD networks cidr[] NOT NULL DEFAULT '{}',
    ADD metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
    ADD seal bytea, -- none for a key from before keys were sealed
    ADD seal_pepper_id text,
    ADD CHECK ((quota_calls IS NULL) = (quota_period IS NULL)),
    ADD CHECK ((seal IS NULL) = (seal_pepper_id IS NULL));

-- Empty for what was written before entries were chained, or without a key for it.
ALTER TABLE audit_entries
    ADD mac bytea NOT NULL DEFAULT '',
    ADD mac_key text NOT NULL DEFAULT '',
    ADD CHECK ((mac = '') = (mac_key = ''));

CREATE VIEW key_documents AS
SELECT k.id, k.account, k.created_at, json_build_object(
    'id', k.id, 'account', k.account, 'name', k.name, 'description', k.description,
    'scopes', k.scopes, 'prefix', k.prefix, 'created_at', k.created_at,
    'expires_at', k.expires_at, 'revoked_at', k.revoked_at, 'disabled_at', k.disabled_at,
    'last_used_at', k.last_used_at, 'version', k.version, 'limits', k.limits,
    'quota_calls', k.quota_calls, 'quota_period', k.quota_period, 'networks', k.networks,
    'metadata', k.metadata, 'seal', '\x' || encode(k.seal, 'hex'),
    'seal_pepper_id', k.seal_pepper_id,
    'secrets', (
        SELECT coalesce(json_agg(json_build_object('kid', s.kid,
            'verifier', '\x' || encode(s.verifier, 'hex'), 'pepper_id', s.pepper_id,
            'not_before', s.not_before, 'not_after', s.not_after) ORDER BY s.position), '[]')
        FROM key_secrets AS s WHERE s.key_id = k.id
    )
) AS document
FROM api_keys AS k;

-- Audit -----------------------------------------------------------------------------------------

-- Called last in each change, as before (see 0002). An entry that is chained names its place: if
-- another one has it by now, the change is refused, and nothing of it is kept.
CREATE OR REPLACE FUNCTION append_audit(p_audit jsonb) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    whose text COLLATE "C" := p_audit ->> 'account';
    due bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('tollkeeper audit of ' || whose, 0));
    SELECT coalesce(max(sequence), 0) + 1 INTO due FROM audit_entries WHERE account = whose;
    IF (p_audit ->> 'sequence')::bigint <> due THEN
        RAISE EXCEPTION USING ERRCODE = 'TK002', HINT = 'audit_moved',
            MESSAGE = 'another audit entry was written first; read the head of the log again';
    END IF;
    INSERT INTO audit_entries (account, sequence, id, at, actor, action, subject, details, mac,
        mac_key)
    VALUES (whose, due, p_audit ->> 'id', (p_audit ->> 'at')::timestamptz, p_audit ->> 'actor',
        p_audit ->> 'action', p_audit ->> 'subject', p_audit -> 'details',
        coalesce((p_audit ->> 'mac')::bytea, ''), coalesce(p_audit ->> 'mac_key', ''));
END
$$;

CREATE FUNCTION add_audit(p_audit jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM append_audit(p_audit);
END
$$;

-- Roles for reports were let use it by hand, and still are.
SELECT set_config('tollkeeper.readers', coalesce(string_agg(given.grantee::regrole::text, ', '), ''),
    true)
FROM pg_proc AS p CROSS JOIN LATERAL aclexplode(p.proacl) AS given
WHERE p.oid = 'audit_page(text, text, bigint)'::regprocedure
    AND given.grantee NOT IN (0, p.proowner);

DROP FUNCTION audit_page(text, text, bigint);

CREATE FUNCTION audit_page(p_account text, p_after text, p_limit bigint)
RETURNS TABLE (id text, at timestamptz, account text, actor text, action text, subject text,
    details jsonb, sequence bigint, mac bytea, mac_key text)
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
    RETURN QUERY SELECT e.id, e.at, e.account, e.actor, e.action, e.subject, e.details,
        e.sequence, e.mac, e.mac_key
        FROM audit_entries AS e
        WHERE e.account = p_account AND e.sequence > seen
        ORDER BY e.sequence LIMIT p_limit;
END
$$;

DO $$
BEGIN
    IF current_setting('tollkeeper.readers') <> '' THEN
        EXECUTE 'GRANT EXECUTE ON FUNCTION audit_page TO '
            || current_setting('tollkeeper.readers');
    END IF;
END
$$;

CREATE FUNCTION audit_head(p_account text) RETURNS TABLE (sequence bigint, mac bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT e.sequence, e.mac FROM audit_entries AS e
        WHERE e.account = p_account ORDER BY e.sequence DESC LIMIT 1;
END
$$;

-- From one account to the next by the index, however many entries each has.
CREATE FUNCTION audit_accounts(p_after text, p_limit bigint) RETURNS TABLE (account text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
    last text COLLATE "C" := coalesce(p_after, '');
BEGIN
    FOR place IN 1 .. least(p_limit, 2147483647)::integer LOOP
        SELECT e.account INTO last FROM audit_entries AS e
            WHERE e.account > last ORDER BY e.account LIMIT 1;
        EXIT WHEN NOT FOUND;
        account := last;
        RETURN NEXT;
    END LOOP;
END
$$;

-- Keys ------------------------------------------------------------------------------------------

DROP FUNCTION add_key(text, text, text, text[], text, timestamptz, timestamptz, timestamptz,
    bigint, timestamptz, text[], bytea[], text[], timestamptz[], timestamptz[], jsonb);
DROP FUNCTION replace_key(text, text, text, text[], text, timestamptz, timestamptz, timestamptz,
    bigint, text[], bytea[], text[], timestamptz[], timestamptz[], jsonb);
DROP FUNCTION put_secrets(text, text[], bytea[], text[], timestamptz[], timestamptz[]);
DROP FUNCTION key_by_id(text, text);
DROP FUNCTION key_by_kid(text);
DROP FUNCTION key_page(text, text, bigint);

CREATE FUNCTION put_secrets(p_key_id text, p_secrets jsonb) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO key_secrets (key_id, position, kid, verifier, pepper_id, not_before, not_after)
    SELECT p_key_id, s.ordinality, s.kid, s.verifier, s.pepper_id, s.not_before, s.not_after
    FROM ROWS FROM (jsonb_to_recordset(p_secrets) AS (kid text, verifier bytea, pepper_id text,
        not_before timestamptz, not_after timestamptz)) WITH ORDINALITY AS s;
END
$$;

CREATE FUNCTION add_key(p_key jsonb, p_audit jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO api_keys SELECT * FROM jsonb_populate_record(NULL::api_keys, p_key);
    PERFORM put_secrets(p_key ->> 'id', p_key -> 'secrets');
    PERFORM append_audit(p_audit);
END
$$;

-- Who changes a key has locked its row before; it must be there in that version.
CREATE FUNCTION lock_key(p_id text, p_account text, p_version bigint) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    there bigint;
BEGIN
    SELECT version INTO there FROM api_keys WHERE id = p_id AND account = p_account FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TK001', MESSAGE = 'no such key', HINT = 'key_not_found';
    ELSIF there <> p_version THEN
        RAISE EXCEPTION USING ERRCODE = 'TK002',
            MESSAGE = 'someone changed the key first; read it again', HINT = 'key_changed';
    END IF;
END
$$;

CREATE FUNCTION replace_key(p_key jsonb, p_audit jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    new api_keys := jsonb_populate_record(NULL::api_keys, p_key);
BEGIN
    PERFORM lock_key(new.id, new.account, new.version - 1);
    UPDATE api_keys SET name = new.name, description = new.description, scopes = new.scopes,
        prefix = new.prefix, created_at = new.created_at, expires_at = new.expires_at,
        revoked_at = new.revoked_at, disabled_at = new.disabled_at, version = new.version,
        limits = new.limits, quota_calls = new.quota_calls, quota_period = new.quota_period,
        networks = new.networks, metadata = new.metadata, seal = new.seal,
        seal_pepper_id = new.seal_pepper_id
    WHERE id = new.id;
    DELETE FROM key_secrets WHERE key_id = new.id;
    PERFORM put_secrets(new.id, p_key -> 'secrets');
    PERFORM append_audit(p_audit);
END
$$;

CREATE FUNCTION remove_key(p_id text, p_account text, p_version bigint, p_audit jsonb)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM lock_key(p_id, p_account, p_version);
    DELETE FROM key_secrets WHERE key_id = p_id;
    DELETE FROM api_keys WHERE id = p_id;
    PERFORM append_audit(p_audit);
END
$$;

CREATE FUNCTION key_by_id(p_account text, p_id text) RETURNS TABLE (document json)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY SELECT k.document FROM key_documents AS k
        WHERE k.id = p_id AND k.account = p_account;
END
$$;

CREATE FUNCTION key_by_kid(p_kid text) RETURNS TABLE (document json)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY SELECT k.document FROM key_documents AS k
        WHERE k.id = (SELECT f.key_id FROM key_secrets AS f WHERE f.kid = p_kid);
END
$$;

CREATE FUNCTION key_page(p_account text, p_after text, p_limit bigint)
RETURNS TABLE (document json)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
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
    RETURN QUERY SELECT k.document FROM key_documents AS k
        WHERE k.account = p_account AND (k.created_at, k.id) > (last_at, coalesce(p_after, ''))
        ORDER BY k.created_at, k.id LIMIT p_limit;
END
$$;

CREATE FUNCTION all_keys(p_after text, p_limit bigint) RETURNS TABLE (document json)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY SELECT k.document FROM key_documents AS k
        WHERE k.id > coalesce(p_after, '') ORDER BY k.id LIMIT p_limit;
END
$$;

REVOKE ALL ON FUNCTION add_audit, audit_page, audit_head, audit_accounts, put_secrets, add_key,
    lock_key, replace_key, remove_key, key_by_id, key_by_kid, key_page, all_keys FROM PUBLIC;
