"""Which issuer, for which audience, by which keys: read from a URL, checked before all else."""

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import frozen

from tollkeeper.domain.errors import ConfigurationError, InvalidRequest
from tollkeeper.domain.user_tokens import MOST_LEEWAY, TokenTerms

KEY_PAIRS = ("RS256", "ES256", "EdDSA")
"""The algorithms whose keys may be published."""
EXAMPLE = "jwks+https://issuer.example/.well-known/jwks.json?issuer=…&audience=…"
_SCHEMES: dict[str, Literal["jwks", "pem", "hs256"]] = {
    "jwks+https": "jwks",
    "jwks+http": "jwks",
    "jwt+pem": "pem",
    "jwt+hs256": "hs256",
}
_SECONDS = re.compile(r"([0-9]{1,2})s")


@frozen
class Address:
    """Whose tokens are verified, and by what: *place* is a URL, the name of a file, or empty."""

    kind: Literal["jwks", "pem", "hs256"]
    place: str
    terms: TokenTerms
    algorithms: tuple[str, ...]


def address_of(url: str) -> Address:
    """Read a URL of one of three kinds; ``issuer`` and ``audience`` are needed in each.

    * ``jwks+https://host/path``: the issuer publishes its keys; ``jwks+http`` on this machine;
    * ``jwt+pem:///etc/key.pem``: one public key in a file;
    * ``jwt+hs256://``: a secret that is shared with the issuer.

    Options: ``algorithms`` (RS256,ES256,EdDSA), ``leeway`` (10s; 60s at most).

    Raises:
        ConfigurationError: *url* reads otherwise; all faults of its options at once.
    """
    scheme, separator, rest = url.partition("://")
    kind = _SCHEMES.get(scheme)
    if kind is None or not separator or not url.isprintable():
        raise ConfigurationError(f"token_verifier: the URL must read like {EXAMPLE}")
    place, _, query = rest.partition("?")
    faults: list[str] = []
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in ("issuer", "audience", "algorithms", "leeway"):
            known = "issuer, audience, algorithms, leeway"
            faults.append(f"there is no option {name!a}; there are {known}")
        elif name in options:
            faults.append(f"{name} is there twice")
        options[name] = value
    algorithms = _algorithms(options.get("algorithms"), kind, faults)
    terms = _terms(options, faults)
    place = _checked_place(scheme, place, faults)
    if faults or terms is None:
        raise ConfigurationError([f"token_verifier: {fault}" for fault in faults])
    return Address(kind, place, terms, algorithms)


def _terms(options: dict[str, str], faults: list[str]) -> TokenTerms | None:
    missing = [name for name in ("issuer", "audience") if not options.get(name)]
    faults.extend(
        f"{name} is missing: without it tokens made for others would pass; write {EXAMPLE}"
        for name in missing
    )
    found = _SECONDS.fullmatch(options.get("leeway", "10s"))
    leeway = timedelta(seconds=int(found[1])) if found else None
    if leeway is None or leeway > MOST_LEEWAY:
        faults.append("leeway is a number of seconds between 0s and 60s")
    if missing or leeway is None or leeway > MOST_LEEWAY:
        return None
    try:
        return TokenTerms(options["issuer"], options["audience"], leeway)
    except InvalidRequest as error:
        faults.append(error.public_message)
        return None


def _algorithms(named: str | None, kind: str, faults: list[str]) -> tuple[str, ...]:
    possible = ("HS256",) if kind == "hs256" else KEY_PAIRS
    algorithms = possible if named is None else tuple(named.split(","))
    if not set(algorithms) <= set(possible):
        faults.append(f"algorithms are some of {','.join(possible)}, and no others, by this scheme")
    return algorithms


def _checked_place(scheme: str, place: str, faults: list[str]) -> str:
    if scheme == "jwt+hs256":
        if place:
            faults.append("jwt+hs256:// names no place; write jwt+hs256://?issuer=…&audience=…")
        return ""
    if scheme == "jwt+pem":
        path = unquote(place)
        if not path.startswith("/") or not path.isprintable():
            faults.append("write jwt+pem:///etc/key.pem, the absolute name of a file")
        return path
    url = f"{scheme.removeprefix('jwks+')}://{place}"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        usable = bool(host.encode("idna")) and (parts.port is None or parts.port > 0)
    except ValueError:
        host, usable = "", False
    if not usable or " " in url or parts.username is not None or parts.fragment:
        faults.append(f"the URL names no key set of an issuer; write {EXAMPLE}")
    elif parts.scheme == "http" and not _is_here(host):
        faults.append(
            "jwks+http:// lets anybody on the way put in keys of their own; write jwks+https://"
        )
    return url


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
