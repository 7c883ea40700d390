-- What is done with the credentials of 0009.

-- Says whether the account's data key is good, and keeps it so until the end of the change.
CREATE FUNCTION share_data_key(p_account text, p_id text) RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    there text;
BEGIN
    SELECT state INTO there FROM data_keys WHERE id = p_id AND account = p_account FOR SHARE;
    RETURN coalesce(there <> 'destroyed', false);
END
$$;

CREATE FUNCTION refuse_data_key() RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'TK002', HINT = 'data_key_destroyed',
        MESSAGE = 'the data key is not there, or was destroyed; encrypt with the primary one';
END
$$;

CREATE FUNCTION refuse_twin() RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'TK002', HINT = 'credential_exists',
        MESSAGE = 'the account has a credential of that provider and label, or the id is taken';
END
$$;

CREATE FUNCTION add_credential(p_credential jsonb, p_audit jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    new credentials := jsonb_populate_record(NULL::credentials, p_credential);
BEGIN
    IF NOT share_data_key(new.account, new.data_key_id) THEN
        PERFORM refuse_data_key();
    END IF;
    INSERT INTO credentials SELECT new.* ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        PERFORM refuse_twin();
    END IF;
    PERFORM append_audit(p_audit);
END
$$;

CREATE FUNCTION lock_credential(p_id text, p_account text, p_version bigint) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    there bigint;
BEGIN
    SELECT version INTO there FROM credentials WHERE id = p_id AND account = p_account
        FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TK001', MESSAGE = 'no such credential',
            HINT = 'credential_not_found';
    ELSIF there <> p_version THEN
        RAISE EXCEPTION USING ERRCODE = 'TK002', HINT = 'credential_changed',
            MESSAGE = 'someone changed the credential first; read it again';
    END IF;
END
$$;

-- Without p_audit where nothing changed but the data key.
CREATE FUNCTION replace_credential(p_credential jsonb, p_audit jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    new credentials := jsonb_populate_record(NULL::credentials, p_credential);
    good boolean := share_data_key(new.account, new.data_key_id);
BEGIN
    PERFORM lock_credential(new.id, new.account, new.version - 1);
    IF NOT good THEN
        PERFORM refuse_data_key();
    END IF;
    BEGIN
        UPDATE credentials SET provider = new.provider, base_url = new.base_url,
            label = new.label, sealed = new.sealed, data_key_id = new.data_key_id,
            created_at = new.created_at, version = new.version
        WHERE id = new.id;
    EXCEPTION WHEN unique_violation THEN
        PERFORM refuse_twin();
    END;
    IF p_audit IS NOT NULL THEN
        PERFORM append_audit(p_audit);
    END IF;
END
$$;

CREATE FUNCTION remove_credential(p_id text, p_account text, p_version bigint, p_audit jsonb)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM lock_credential(p_id, p_account, p_version);
    DELETE FROM credentials WHERE id = p_id;
    PERFORM append_audit(p_audit);
END
$$;

-- The account's credentials go, and its data keys are destroyed; says how many credentials went.
CREATE FUNCTION forget_credentials(p_account text, p_audit jsonb)
RETURNS TABLE (forgotten bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM 1 FROM data_keys WHERE account = p_account ORDER BY id FOR UPDATE;
    DELETE FROM credentials WHERE account = p_account;
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    UPDATE data_keys SET state = 'destroyed', wrapped = '', version = version + 1
        WHERE account = p_account AND state <> 'destroyed';
    PERFORM append_audit(p_audit);
    RETURN NEXT;
END
$$;

CREATE FUNCTION credential_by_id(p_account text, p_id text) RETURNS TABLE (document json)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY SELECT c.document FROM credential_documents AS c
        WHERE c.id = p_id AND c.account = p_account;
END
$$;

CREATE FUNCTION credential_page(p_account text, p_after text, p_limit bigint)
RETURNS TABLE (document json)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    last_at timestamptz := '-infinity';
BEGIN
    IF p_after IS NOT NULL THEN
        SELECT c.created_at INTO last_at FROM credentials AS c
            WHERE c.id = p_after AND c.account = p_account;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'TK001', MESSAGE = 'no such credential',
                HINT = 'credential_not_found';
        END IF;
    END IF;
    RETURN QUERY SELECT c.document FROM credential_documents AS c
        WHERE c.account = p_account AND (c.created_at, c.id) > (last_at, coalesce(p_after, ''))
        ORDER BY c.created_at, c.id LIMIT p_limit;
END
$$;

CREATE FUNCTION credentials_under(p_data_key_id text, p_after text, p_limit bigint)
RETURNS TABLE (document json)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY SELECT c.document FROM credential_documents AS c
        WHERE c.data_key_id = p_data_key_id AND c.id > coalesce(p_after, '')
        ORDER BY c.id LIMIT p_limit;
END
$$;

REVOKE ALL ON FUNCTION share_data_key, refuse_data_key, refuse_twin, add_credential,
    lock_credential, replace_credential, remove_credential, forget_credentials,
    credential_by_id, credential_page, credentials_under FROM PUBLIC;

-- PostgREST looks at the schema again.
NOTIFY pgrst, 'reload schema';
