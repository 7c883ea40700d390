"""Secrets in environment variables."""

import re
from collections.abc import Mapping
from typing import Self

from attrs import field, frozen

from tollkeeper.domain.errors import ConfigurationError, NotFound
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.secret_versions import SecretVersions

PREVIOUS = "_PREVIOUS"
"""Ends the name of the variable that holds what a secret was before."""
_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@frozen
class EnvironmentSecretSource:
    """Looks *prefix* and the secret's name up in *variables*, anew at each call.

    *variables* is the host's own mapping: what it changes there is seen. A variable that is set
    to nothing counts as none.
    """

    variables: Mapping[str, str] = field(repr=False)
    prefix: str = ""

    @classmethod
    def from_url(cls, url: str, *, environ: Mapping[str, str]) -> Self:
        """Make one from ``env://``, or ``env://PREFIX_`` for names that begin so.

        Raises:
            ConfigurationError: *url* reads otherwise.
        """
        prefix = url.removeprefix("env://")
        if prefix == url or (prefix and not _PREFIX.fullmatch(prefix)):
            raise ConfigurationError(
                "secrets: write env://, or env://PREFIX_ with a prefix of yours"
            )
        return cls(environ, prefix)

    async def secret(self, name: str) -> Secret:
        """Return the variable's value."""
        value = self.variables.get(self.prefix + name)
        if not value:
            raise NotFound(
                f"no secret is called {name!a}: set the variable {self.prefix + name!a}",
                code="secret_not_found",
            )
        return Secret(value)

    async def versions(self, name: str) -> SecretVersions:
        """Return the variable's value, and that of the one whose name ends in ``_PREVIOUS``."""
        current = await self.secret(name)
        previous = self.variables.get(self.prefix + name + PREVIOUS)
        return SecretVersions(current, Secret(previous) if previous else None)
