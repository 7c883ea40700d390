"""Secrets in AWS Secrets Manager."""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self, TypeVar

from attrs import frozen

from tollkeeper.adapters.aws.addresses import Credentials, duration, parse_aws_url
from tollkeeper.adapters.aws.client import AwsClient, not_open
from tollkeeper.adapters.aws.flights import Ask, Cut, Flights
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    CredentialsRefused,
    NotFound,
    PortError,
    Unavailable,
)
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.secret_versions import SecretVersions

EXAMPLE = "aws-secrets://eu-west-1?prefix=prod/tollkeeper/&ttl=5m&timeout=5s"
_PORT, _TITLE = "secret_source", "AWS Secrets Manager"
_CURRENT, _PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"
# A colon would make it an ARN, which leads out of the prefix.
_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_PREFIX = re.compile(r"[A-Za-z0-9/_+=.@-]{0,256}")
_MISSING = frozenset({"ResourceNotFoundException", "InvalidRequestException"})
"""There is none, it has no such version, or it is marked for deletion."""
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
_READINGS = 5
_LONGEST_TTL = 86_400.0
T = TypeVar("T")
Flight = Callable[[str, Ask[T]], Awaitable[T]]


@frozen
class _Version:
    id: str
    secret: Secret | None
    """None if it is no text."""


@frozen
class _Kept:
    secret: Secret
    asked: float
    until: float


class AwsSecretSource:
    """Hands out the secrets whose names in Secrets Manager are a prefix and the name given.

    A secret is kept for *ttl* seconds, and handed out for that long even in an outage; at most
    *most_kept* are. :meth:`refresh` fetches one at once. Those who ask for one at the same time
    share a request. What is looked for in vain is not remembered. Secrets are texts: binary ones
    are refused.
    """

    def __init__(
        self,
        client: AwsClient,
        *,
        prefix: str = "",
        ttl: float = 300.0,
        most_kept: int = 1000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._ttl = ttl
        self._most_kept = most_kept
        self._now = monotonic
        self._kept: dict[str, _Kept] = {}
        self._secrets: Flights[Secret] = Flights()
        self._versions: Flights[SecretVersions] = Flights()

    @classmethod
    def from_url(cls, url: str, *, environ: Mapping[str, str]) -> Self:
        """Make one from ``aws-secrets://<region>?prefix=…&ttl=5m&timeout=5s``.

        Options: ``prefix`` (before each name), ``ttl`` (5m; 0s keeps nothing), ``timeout`` (5s),
        ``pool_size`` (8 requests at a time), ``endpoint``, ``insecure=yes`` (lets the endpoint be
        another machine without TLS). Of *environ* the AWS credentials are read.

        Raises:
            ConfigurationError: *url* reads otherwise, or the credentials are incomplete.
        """
        address, path, options = parse_aws_url(
            url,
            scheme="aws-secrets",
            example=EXAMPLE,
            port=_PORT,
            options={"prefix": _prefix, "ttl": _ttl},
        )
        if path:
            raise ConfigurationError(f"{_PORT}: write {EXAMPLE}")
        credentials = Credentials.of(environ, port=_PORT)
        client = AwsClient("secretsmanager", address, credentials, port=_PORT, title=_TITLE)
        return cls(client, **options)  # type: ignore[arg-type]  # their readers made them so

    def __repr__(self) -> str:
        return f"AwsSecretSource({self._client!r}, prefix={self._prefix!r})"

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._kept.clear()
        await self._secrets.close()
        await self._versions.close()
        await self._client.__aexit__(*exc_info)

    async def secret(self, name: str) -> Secret:
        """Return the current version, as it was at most *ttl* seconds ago.

        Raises:
            NotFound: there is none, or it is marked for deletion (code ``secret_not_found``).
            ConfigurationError: it is binary.
            CredentialsRefused: our credentials are wrong, or may not read it.
            PortError: AWS cannot be reached, limits us, or does not answer in time.
        """
        checked = _checked(name)
        kept = self._kept.get(checked)
        if kept is not None and self._now() < kept.until:
            return kept.secret
        return await self._shared(self._secrets.join, checked, lambda: self._fetch(checked))

    async def refresh(self, name: str) -> Secret:
        """Fetch the current version now, and keep it from now on; raises as :meth:`secret`.

        Where that fails, what was kept is handed out for the rest of its time.
        """
        checked = _checked(name)
        return await self._shared(self._secrets.anew, checked, lambda: self._fetch(checked))

    async def versions(self, name: str) -> SecretVersions:
        """Fetch what is staged as AWSCURRENT and AWSPREVIOUS; raises as :meth:`secret`."""
        checked = _checked(name)
        return await self._shared(self._versions.anew, checked, lambda: self._fetch_both(checked))

    async def health(self) -> str:
        """Ask AWS for the name of one secret; that we may not list them is no fault."""
        try:
            await self._client.call("list_secrets", until=self._client.deadline(), MaxResults=1)
        except CredentialsRefused as error:
            # The policy may allow single secrets alone, as it should: AWS knows us, that will do.
            if error.provider_code not in _DENIED:
                raise
        return f"{_TITLE}, {len(self._kept)} secrets are kept"

    async def _shared(self, flight: Flight[T], name: str, ask: Ask[T]) -> T:
        try:
            return await flight(name, ask)
        except Cut:
            pass
        raise not_open(_PORT, _TITLE)

    async def _fetch(self, name: str) -> Secret:
        asked, until = self._now(), self._client.deadline()
        version = await self._version(name, _CURRENT, until)
        return self._current(name, version, asked)

    async def _fetch_both(self, name: str) -> SecretVersions:
        until = self._client.deadline()
        for _ in range(_READINGS):
            asked = self._now()
            version = await self._version(name, _CURRENT, until)
            current = self._current(name, version, asked)
            previous = await self._version(name, _PREVIOUS, until)
            # What is rotated between the two answers would not belong together.
            again = await self._version(name, _CURRENT, until)
            if version is not None and again is not None and version.id == again.id:
                return SecretVersions(current, _text_of(previous, name) if previous else None)
        raise Unavailable(
            f"the secret {name!a} changes faster than it can be read",
            port=_PORT,
            adapter="aws",
        )

    def _current(self, name: str, version: _Version | None, asked: float) -> Secret:
        secret = _text_of(version, name) if version is not None else None
        if not secret:
            self._kept.pop(name, None)
            raise _not_found(name)
        kept = self._kept.get(name)
        # Of two that were asked for at once, the later one to ask knows better.
        if kept is None or kept.asked <= asked:
            self._kept.pop(name, None)
            self._kept[name] = _Kept(secret, asked, self._now() + self._ttl)
            while len(self._kept) > self._most_kept:
                del self._kept[next(iter(self._kept))]
        return secret

    async def _version(self, name: str, stage: str, until: float) -> _Version | None:
        """Return what is staged as *stage*, or None if there is nothing."""
        try:
            version = _read(
                await self._client.call(
                    "get_secret_value",
                    until=until,
                    SecretId=self._prefix + name,
                    VersionStage=stage,
                )
            )
        except PortError as error:
            if error.provider_code not in _MISSING:
                raise
            return None
        if version is None:
            raise CorruptResponse(f"the answer of {_TITLE} is not whole", port=_PORT, adapter="aws")
        return version


def _read(answer: Mapping[str, Any]) -> _Version | None:
    version, text = answer.get("VersionId"), answer.get("SecretString")
    if not isinstance(version, str) or not (isinstance(text, str) or "SecretBinary" in answer):
        return None
    return _Version(version, Secret(text) if isinstance(text, str) else None)


def _text_of(version: _Version, name: str) -> Secret:
    if version.secret is None:
        raise ConfigurationError(f"secrets: the secret {name!a} is binary; write it as a text")
    return version.secret


def _checked(name: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _not_found(name)
    return name


def _not_found(name: object) -> NotFound:
    return NotFound(f"no secret is called {name!a} in {_TITLE}", code="secret_not_found")


def _prefix(name: str, value: str) -> str:
    if not _PREFIX.fullmatch(value):
        raise ValueError(f"{name} is up to 256 letters, digits or /_+=.@-")
    return value


def _ttl(name: str, value: str) -> float:
    seconds = duration(name, value)
    if seconds > _LONGEST_TTL:
        raise ValueError(f"{name} is at most 24h")
    return seconds
