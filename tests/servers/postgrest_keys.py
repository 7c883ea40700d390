"""The keys of a Supabase project, and the role that each stands for.

Supabase's gateway knows the project's own keys; PostgREST knows signed tokens. Here one module
plays both.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from tests.servers.postgrest_errors import Refusal

ROLES = ("anon", "authenticated", "service_role")
_HINT = "Double check your Supabase `anon` or `service_role` API key."


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signed(claims: Mapping[str, Any], secret: str) -> str:
    """Make a JSON Web Token of *claims*, signed by HS256."""
    head = _packed(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    text = f"{head}.{_packed(json.dumps(claims).encode())}"
    return f"{text}.{_packed(hmac.digest(secret.encode(), text.encode(), hashlib.sha256))}"


@frozen
class Keys:
    """The keys of one project."""

    jwt_secret: str = field(default="a secret of the project for tests only, long", repr=False)
    secret: str = field(default="sb_secret_test_0123456789", repr=False)
    publishable: str = "sb_publishable_test_0123456789"

    @property
    def service(self) -> str:
        """The older kind of key that may do everything."""
        return self.token(role="service_role")

    @property
    def anon(self) -> str:
        """The older kind of key that browsers bear."""
        return self.token(role="anon")

    def user(self, user_id: str, *, lives: float = 3600) -> str:
        """Make the token of a user who signed in, good for *lives* seconds."""
        return self.token(
            role="authenticated", sub=user_id, aud="authenticated", exp=int(time.time() + lives)
        )

    def token(self, **claims: Any) -> str:
        """Sign *claims*."""
        return signed({"iss": "supabase", **claims}, self.jwt_secret)

    def claims_of(self, headers: Mapping[str, str]) -> dict[str, Any]:
        """Return whom a request comes from; its ``role`` is set.

        Raises:
            Refusal: it bears no key, or a wrong or old one.
        """
        key = headers.get("apikey")
        if not key:
            raise Refusal(401, "", "No API key found in request", None, "No `apikey` header")
        of_key = {self.secret: "service_role", self.publishable: "anon"}
        if key not in of_key:
            try:
                self._read(key)
            except Refusal:
                raise Refusal(401, "", "Invalid API key", None, _HINT) from None
        bearer = headers.get("authorization", f"Bearer {key}").removeprefix("Bearer ")
        if bearer in of_key:
            return {"role": of_key[bearer]}
        return {"role": "anon", **self._read(bearer)}

    def _read(self, token: str) -> dict[str, Any]:
        try:
            head, body, signature = token.split(".")
            right = hmac.digest(self.jwt_secret.encode(), f"{head}.{body}".encode(), hashlib.sha256)
            if not hmac.compare_digest(right, _unpacked(signature)):
                raise ValueError
            claims: dict[str, Any] = json.loads(_unpacked(body))
        except ValueError:
            raise Refusal(401, "PGRST301", "No suitable key or wrong key type") from None
        if claims.get("exp", time.time() + 1) <= time.time():
            raise Refusal(401, "PGRST303", "JWT expired")
        return claims
