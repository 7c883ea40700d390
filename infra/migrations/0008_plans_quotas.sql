-- What becomes of a plan's rate limit while the rate limiter is away; and how much keys have used.

ALTER TABLE plans ADD rate_on_outage text NOT NULL DEFAULT 'closed'
    CHECK (rate_on_outage IN ('closed', 'local', 'open'));

DROP FUNCTION put_plan(text, text[], text[], bigint, interval, bigint, bigint, jsonb);
DROP FUNCTION all_plans();
DROP FUNCTION plan_of(text, timestamptz);

CREATE FUNCTION put_plan(p_name text, p_operations text[], p_models text[],
    p_rate_requests bigint, p_rate_period interval, p_rate_on_outage text,
    p_max_output_tokens bigint, p_markup_bps bigint, p_audit jsonb)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO plans (name, operations, models, rate_requests, rate_period, rate_on_outage,
        max_output_tokens, markup_bps)
    VALUES (p_name, p_operations, p_models, p_rate_requests, p_rate_period, p_rate_on_outage,
        p_max_output_tokens, p_markup_bps)
    ON CONFLICT (name) DO UPDATE SET operations = excluded.operations, models = excluded.models,
        rate_requests = excluded.rate_requests, rate_period = excluded.rate_period,
        rate_on_outage = excluded.rate_on_outage,
        max_output_tokens = excluded.max_output_tokens, markup_bps = excluded.markup_bps;
    PERFORM append_audit(p_audit);
END
$$;

CREATE FUNCTION all_plans()
RETURNS TABLE (name text, operations text[], models text[], rate_requests bigint,
    rate_period interval, rate_on_outage text, max_output_tokens bigint, markup_bps bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT name, operations, models, rate_requests, rate_period, rate_on_outage,
        max_output_tokens, markup_bps
    FROM plans ORDER BY name
$$;

CREATE FUNCTION plan_of(p_account text, p_at timestamptz)
RETURNS TABLE (name text, operations text[], models text[], rate_requests bigint,
    rate_period interval, rate_on_outage text, max_output_tokens bigint, markup_bps bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT p.name, p.operations, p.models, p.rate_requests, p.rate_period,
        p.rate_on_outage, p.max_output_tokens, p.markup_bps
    FROM subscriptions AS s JOIN plans AS p ON p.name = s.plan
    WHERE s.account = p_account AND s.starts_at <= p_at
        AND (s.ends_at IS NULL OR p_at < s.ends_at);
END
$$;

-- Quotas ----------------------------------------------------------------------------------------
-- Counted by the key's id, for a key that is not here as well: what its secrets are makes no
-- difference.

CREATE TABLE key_quotas (
    key_id text COLLATE "C" NOT NULL,
    period text NOT NULL CHECK (period IN ('day', 'month')),
    since timestamptz NOT NULL,
    used bigint NOT NULL CHECK (used >= 0),
    PRIMARY KEY (key_id, period, since)
) WITH (fillfactor = 50); -- a busy row finds room for its next version beside the last one

-- One statement counts: whoever comes at the same time waits for the row, and then looks again.
CREATE FUNCTION take_quota(p_key_id text, p_period text, p_since timestamptz, p_calls bigint,
    p_limit bigint)
RETURNS TABLE (taken boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    counted bigint;
BEGIN
    INSERT INTO key_quotas AS q (key_id, period, since, used)
    SELECT p_key_id, p_period, p_since, p_calls WHERE p_calls <= p_limit
    ON CONFLICT (key_id, period, since) DO UPDATE SET used = q.used + p_calls
        WHERE q.used <= p_limit - p_calls
    RETURNING q.used INTO counted;
    taken := FOUND;
    IF counted = p_calls THEN
        -- The first of a period; what is over for long is of no use to anybody.
        DELETE FROM key_quotas WHERE key_id = p_key_id AND period = p_period
            AND since < p_since - interval '62 days';
    END IF;
    RETURN NEXT;
END
$$;

CREATE FUNCTION give_back_quota(p_key_id text, p_period text, p_since timestamptz,
    p_calls bigint)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE key_quotas SET used = greatest(used - p_calls, 0)
        WHERE key_id = p_key_id AND period = p_period AND since = p_since;
END
$$;

CREATE FUNCTION used_quota(p_key_id text, p_period text, p_since timestamptz)
RETURNS TABLE (used bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT q.used FROM key_quotas AS q
        WHERE q.key_id = p_key_id AND q.period = p_period AND q.since = p_since;
END
$$;

REVOKE ALL ON FUNCTION put_plan, all_plans, plan_of, take_quota, give_back_quota, used_quota
    FROM PUBLIC;
