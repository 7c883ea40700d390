"""URLs as they may be shown: without what could be a secret."""

import re
from urllib.parse import unquote

from tollkeeper.domain.secret import MASK

_USER = re.compile(r"^([^:/?#]+://)[^/?#]*@")
_VALUE = re.compile(r"=[^&;]*")


def masked(url: str) -> str:
    """Return *url* with its user, password, values of options and fragment masked."""
    url, _, fragment = url.partition("#")
    url, _, query = url.partition("?")
    # Greedy up to the last @ before the path: a password may hold one.
    shown = _USER.sub(rf"\g<1>{MASK}@", url)
    if query:
        shown += "?" + (_VALUE.sub(f"={MASK}", query) if "=" in query else MASK)
    return shown + (f"#{MASK}" if fragment else "")


def secrets_of(url: str) -> list[str]:
    """Return the parts of *url* that :func:`masked` hides, as they are written and as meant."""
    found = []
    url, _, fragment = url.partition("#")
    url, _, query = url.partition("?")
    user = _USER.match(url)
    if user is not None:
        name, _, password = user[0].partition("://")[2].removesuffix("@").partition(":")
        found += [password or name]
    found += [value[1:] for value in _VALUE.findall(query)] if "=" in query else [query]
    written = [text for text in (*found, fragment) if text]
    return [*written, *(unquote(text) for text in written)]
