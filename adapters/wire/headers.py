"""The headers that a model's quirks add to a request. Pure."""

import re
from collections.abc import Mapping

from tollkeeper.domain.errors import Unsupported

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS = re.compile(
    r"authorization|proxy-.*|host|cookie|connection|upgrade|te|trailer|expect|transfer-.*"
    r"|content-.*|accept|accept-encoding|user-agent|.*api-key",
    re.IGNORECASE,
)


def checked_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return *headers*, none of which may touch the key, the framing or the body's form.

    Raises:
        Unsupported: one does, or is no header at all.
    """
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or _OURS.fullmatch(name):
            raise Unsupported(f"the header {name[:100]!r} is not for quirks to set")
        if not isinstance(value, str) or not (value.isascii() and value.isprintable()):
            raise Unsupported(f"the header {name} holds characters that no header can carry")
    return headers
