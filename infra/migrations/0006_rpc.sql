-- For those who come by PostgREST, as Supabase's clients do.
--
-- They call the functions of the other migrations by the names of their arguments; JSON arrays
-- become arrays of the arguments' types. Here is what they need besides: to learn what is here, and
-- as whom they came. The use is granted as to anybody else, by grant_use in 0001, and there is
-- none for the roles anon and authenticated, which bear the keys of browsers.

-- One row: the number of the last migration, and the role that the caller has.
CREATE FUNCTION describe_schema()
RETURNS TABLE (version text, caller text, server text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT (SELECT max(version_num)::text FROM schema_version),
        coalesce(nullif(current_setting('role', true), 'none'), session_user::text),
        current_setting('server_version')
$$;

REVOKE ALL ON FUNCTION describe_schema FROM PUBLIC;

-- PostgREST looks at the schema again.
NOTIFY pgrst, 'reload schema';
