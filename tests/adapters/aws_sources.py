"""Sources of secrets on the AWS server of the tests."""

import atexit
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Self

from tests.servers.aws_server import REGION, aws_client, credentials, shared_aws_url
from tollkeeper.adapters.aws.addresses import Address, Credentials
from tollkeeper.adapters.aws.client import AwsClient
from tollkeeper.adapters.aws.secret_source import AwsSecretSource


class KeptClient(AwsClient):
    """Is made once for all tests: that takes longer than a test."""

    async def __aenter__(self) -> Self:
        if self._client is None:
            await super().__aenter__()
            atexit.register(self._close)
        return self

    def _close(self) -> None:
        self._client.close()

    async def __aexit__(self, *exc_info: object) -> None:
        """Stay open."""


@cache
def kept_client(service: str, port: str, url: str) -> AwsClient:
    """Return the client of *service* at *url* that the tests of this process share."""
    address = Address(REGION, url, timeout=30.0)
    return KeptClient(
        service, address, Credentials.of(credentials(), port=port), port=port, title=service
    )


@asynccontextmanager
async def opened(url: str, **options: str) -> AsyncIterator[AwsSecretSource]:
    """Open a source at *url* as settings do."""
    query = "&".join(f"{name}={value}" for name, value in {"endpoint": url, **options}.items())
    source = AwsSecretSource.from_url(f"aws-secrets://{REGION}?{query}", environ=credentials())
    async with source:
        yield source


def behind() -> Any:
    """Return what looks behind the adapter."""
    return aws_client("secretsmanager", shared_aws_url())


def write(name: str, text: str | None) -> None:
    """Make *text* the current version of the secret; None deletes it."""
    client = behind()
    if text is None:
        client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        return
    try:
        client.create_secret(Name=name, SecretString=text)
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=name, SecretString=text)
