"""A secret that is being rotated: what it is now, and what it was before."""

from typing import Any

from attrs import field, frozen

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.secret import Secret


def _kept(previous: Any) -> Any:
    # An empty one counts as none, as everywhere.
    return previous or None


@frozen
class SecretVersions:
    """The *current* secret, and the *previous* one as long as it may still be in use.

    A previous secret that is empty, or the same as the current one, counts as none.

    Raises:
        InvalidRequest: one of them is no secret, or the current one is empty.
    """

    current: Secret
    previous: Secret | None = field(default=None, converter=_kept)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.current, Secret) or not isinstance(self.previous, Secret | None):
            raise InvalidRequest("the versions of a secret are Secrets", code="invalid_secret")
        if not self.current:
            raise InvalidRequest("a current secret is not empty", code="invalid_secret")
        if self.previous == self.current:
            object.__setattr__(self, "previous", None)
