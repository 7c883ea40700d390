"""JSON Web Tokens, verified by PyJWT."""
