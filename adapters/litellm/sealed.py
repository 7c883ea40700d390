"""Headers that hold a key, and do not show it."""

from collections.abc import Mapping

from attrs import field, frozen


@frozen
class Sealed:
    """The headers of one request: no repr and no traceback shows them."""

    _headers: Mapping[str, str] = field(factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self._headers)

    def opened(self) -> Mapping[str, str]:
        """Return the headers, at the one place that sends them."""
        return self._headers

    def holds(self, key: str) -> bool:
        """Whether a header says *key*."""
        return any(key in value for value in self._headers.values())
