-- Data keys of accounts, each wrapped by a key-encryption key, and what is encrypted with them: the
-- credentials that accounts bring for providers.
--
-- Both go in and come out as JSON documents, as keys do (see 0007). Who changes a credential or a
-- data key locks rows in this order: the data key, the credential, the audit log. Who encrypts
-- with a data key shares its row until the end, so that nobody destroys it meanwhile.

CREATE TABLE data_keys (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    account text COLLATE "C" NOT NULL,
    algorithm smallint NOT NULL,
    kek_id text NOT NULL,
    wrapped bytea NOT NULL,
    commitment bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('primary', 'readable', 'destroyed')),
    created_at timestamptz NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    UNIQUE (account, id),
    CHECK ((state = 'destroyed') = (wrapped = ''))
);

CREATE UNIQUE INDEX primary_data_keys ON data_keys (account) WHERE state = 'primary';
CREATE INDEX data_keys_by_account ON data_keys (account, created_at, id);
CREATE INDEX data_keys_in_use ON data_keys (id) WHERE state <> 'destroyed';

CREATE TABLE credentials (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    account text COLLATE "C" NOT NULL,
    provider text COLLATE "C" NOT NULL,
    base_url text NOT NULL,
    label text COLLATE "C" NOT NULL,
    sealed bytea NOT NULL,
    data_key_id text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    UNIQUE (account, provider, label),
    FOREIGN KEY (account, data_key_id) REFERENCES data_keys (account, id)
);

CREATE INDEX credentials_by_account ON credentials (account, created_at, id);
CREATE INDEX credentials_by_data_key ON credentials (data_key_id, id);

CREATE VIEW data_key_documents AS
SELECT d.id, d.account, d.state, d.created_at, json_build_object(
    'id', d.id, 'account', d.account, 'algorithm', d.algorithm, 'kek_id', d.kek_id,
    'wrapped', '\x' || encode(d.wrapped, 'hex'),
    'commitment', '\x' || encode(d.commitment, 'hex'), 'state', d.state,
    'created_at', d.created_at, 'version', d.version
) AS document
FROM data_keys AS d;

CREATE VIEW credential_documents AS
SELECT c.id, c.account, c.data_key_id, c.created_at, json_build_object(
    'id', c.id, 'account', c.account, 'provider', c.provider, 'base_url', c.base_url,
    'label', c.label, 'sealed', '\x' || encode(c.sealed, 'hex'), 'data_key_id', c.data_key_id,
    'created_at', c.created_at, 'version', c.version
) AS document
FROM credentials AS c;

-- Data keys -------------------------------------------------------------------------------------

-- Who makes a data key primary does so one after the other in an account.
CREATE FUNCTION await_primary_turn(p_account text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(
        hashtextextended('tollkeeper primary data key of ' || p_account, 0));
END
$$;

CREATE FUNCTION add_data_key(p_key jsonb, p_audit jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    new data_keys := jsonb_populate_record(NULL::data_keys, p_key);
BEGIN
    IF new.state = 'primary' THEN
        PERFORM await_primary_turn(new.account);
        UPDATE data_keys SET state = 'readable', version = version + 1
            WHERE account = new.account AND state = 'primary';
    END IF;
    INSERT INTO data_keys SELECT new.* ON CONFLICT (id) DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TK002', HINT = 'data_key_taken',
            MESSAGE = 'the data key''s id is taken; make a new one';
    END IF;
    PERFORM append_audit(p_audit);
END
$$;

CREATE FUNCTION lock_data_key(p_account text, p_id text) RETURNS data_keys
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    there data_keys;
BEGIN
    SELECT * INTO there FROM data_keys WHERE id = p_id AND account = p_account FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TK001', MESSAGE = 'no such data key',
            HINT = 'data_key_not_found';
    END IF;
    RETURN there;
END
$$;

-- Its row is locked.
CREATE FUNCTION require_unused(p_account text, p_id text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM 1 FROM credentials WHERE data_key_id = p_id AND account = p_account LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TK002', HINT = 'data_key_in_use',
            MESSAGE = 'values are still encrypted with the data key; encrypt them anew first';
    END IF;
END
$$;

CREATE FUNCTION replace_data_key(p_key jsonb, p_audit jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    new data_keys := jsonb_populate_record(NULL::data_keys, p_key);
    there data_keys := lock_data_key(new.account, new.id);
BEGIN
    IF there.version <> new.version - 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'TK002', HINT = 'data_key_changed',
            MESSAGE = 'someone changed the data key first; read it again';
    END IF;
    IF there.state = 'destroyed' THEN
        RAISE EXCEPTION USING ERRCODE = 'TK002', HINT = 'data_key_destroyed',
            MESSAGE = 'the data key was destroyed; it never comes back';
    ELSIF new.state = 'destroyed' THEN
        PERFORM require_unused(new.account, new.id);
    ELSIF new.state = 'primary' AND there.state <> 'primary' THEN
        PERFORM await_primary_turn(new.account);
        PERFORM 1 FROM data_keys WHERE account = new.account AND state = 'primary';
        IF FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'TK002', HINT = 'data_key_changed',
                MESSAGE = 'the account has another primary data key';
        END IF;
    END IF;
    UPDATE data_keys SET algorithm = new.algorithm, kek_id = new.kek_id, wrapped = new.wrapped,
        commitment = new.commitment, state = new.state, created_at = new.created_at,
        version = new.version
    WHERE id = new.id;
    PERFORM append_audit(p_audit);
END
$$;

CREATE FUNCTION destroy_data_key(p_account text, p_id text, p_audit jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    there data_keys := lock_data_key(p_account, p_id);
BEGIN
    IF there.state <> 'destroyed' THEN
        PERFORM require_unused(p_account, p_id);
        UPDATE data_keys SET state = 'destroyed', wrapped = '', version = version + 1
            WHERE id = p_id;
        PERFORM append_audit(p_audit);
    END IF;
END
$$;

CREATE FUNCTION primary_data_key(p_account text) RETURNS TABLE (document json)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY SELECT d.document FROM data_key_documents AS d
        WHERE d.account = p_account AND d.state = 'primary';
END
$$;

CREATE FUNCTION data_key_by_id(p_account text, p_id text) RETURNS TABLE (document json)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY SELECT d.document FROM data_key_documents AS d
        WHERE d.id = p_id AND d.account = p_account;
END
$$;

CREATE FUNCTION data_key_page(p_account text, p_after text, p_limit bigint)
RETURNS TABLE (document json)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    last_at timestamptz := '-infinity';
BEGIN
    IF p_after IS NOT NULL THEN
        SELECT d.created_at INTO last_at FROM data_keys AS d
            WHERE d.id = p_after AND d.account = p_account;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'TK001', MESSAGE = 'no such data key',
                HINT = 'data_key_not_found';
        END IF;
    END IF;
    RETURN QUERY SELECT d.document FROM data_key_documents AS d
        WHERE d.account = p_account AND (d.created_at, d.id) > (last_at, coalesce(p_after, ''))
        ORDER BY d.created_at, d.id LIMIT p_limit;
END
$$;

CREATE FUNCTION all_data_keys(p_after text, p_limit bigint) RETURNS TABLE (document json)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY SELECT d.document FROM data_key_documents AS d
        WHERE d.id > coalesce(p_after, '') AND d.state <> 'destroyed'
        ORDER BY d.id LIMIT p_limit;
END
$$;

REVOKE ALL ON FUNCTION await_primary_turn, add_data_key, lock_data_key, require_unused,
    replace_data_key, destroy_data_key, primary_data_key, data_key_by_id, data_key_page,
    all_data_keys FROM PUBLIC;
