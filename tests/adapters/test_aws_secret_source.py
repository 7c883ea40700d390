"""The source of AWS Secrets Manager keeps both contracts, on moto."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.adapters.aws_sources import behind, kept_client, opened, write
from tests.servers.aws_front import AwsFront, Refusal, aws_front
from tests.servers.aws_server import REGION, credentials, new_prefix, shared_aws_url
from tollkeeper.adapters.aws.secret_source import AwsSecretSource
from tollkeeper.adapters.system.clock import SystemClock
from tollkeeper.application.key_peppers import KeyPeppers
from tollkeeper.contracts.secret_source import Put, SecretSourceContract
from tollkeeper.contracts.versioned_secrets import Rotate, VersionedSecretsContract, texts
from tollkeeper.domain.errors import ConfigurationError, NotFound, Unavailable
from tollkeeper.domain.key_tokens import Pepper
from tollkeeper.ports.health import HealthCheck
from tollkeeper.ports.versioned_secrets import VersionedSecretSource

pytestmark = pytest.mark.anyio


@pytest.fixture
def prefix() -> str:
    return new_prefix()


@pytest.fixture
def front() -> Iterator[AwsFront]:
    with aws_front(shared_aws_url()) as front:
        yield front


class Hand:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def on_kept_client(prefix: str, *, ttl: float, hand: Hand | None = None) -> AwsSecretSource:
    client = kept_client("secretsmanager", "secret_source", shared_aws_url())
    return AwsSecretSource(client, prefix=prefix, ttl=ttl, monotonic=hand or Hand())


class TestAwsSecretSource(SecretSourceContract):
    """It keeps nothing."""

    @pytest.fixture
    async def secret_source(self, prefix: str) -> AsyncIterator[AwsSecretSource]:
        async with on_kept_client(prefix, ttl=0) as source:
            yield source

    @pytest.fixture
    def put(self, prefix: str) -> Put:
        async def put(name: str, text: str | None) -> None:
            write(prefix + name, text)

        return put


class TestAwsVersionedSecrets(VersionedSecretsContract):
    """It keeps what it hands out as current, and asks for versions all the same."""

    @pytest.fixture
    async def versioned_secrets(self, prefix: str) -> AsyncIterator[AwsSecretSource]:
        async with on_kept_client(prefix, ttl=300) as source:
            yield source

    @pytest.fixture
    def rotate(self, prefix: str) -> Rotate:
        async def rotate(name: str, text: str | None) -> None:
            write(prefix + name, text)

        return rotate


async def test_a_secret_is_kept_for_its_time_and_then_fetched_again(prefix: str) -> None:
    hand = Hand()
    write(f"{prefix}key", "first")
    async with on_kept_client(prefix, ttl=300, hand=hand) as source:
        assert (await source.secret("key")).reveal() == "first"
        write(f"{prefix}key", "second")
        hand.now = 299.9
        assert (await source.secret("key")).reveal() == "first"
        hand.now = 300.0
        assert (await source.secret("key")).reveal() == "second"


async def test_a_refresh_fetches_at_once_and_is_kept(prefix: str, front: AwsFront) -> None:
    write(f"{prefix}key", "first")
    async with opened(front.url, prefix=prefix) as source:
        assert (await source.secret("key")).reveal() == "first"
        write(f"{prefix}key", "second")
        assert (await source.refresh("key")).reveal() == "second"
        assert (await source.secret("key")).reveal() == "second"
    assert front.asked == ["GetSecretValue"] * 2


async def test_versions_that_were_fetched_are_what_is_handed_out(prefix: str) -> None:
    write(f"{prefix}key", "first")
    async with on_kept_client(prefix, ttl=300) as source:
        await source.secret("key")
        write(f"{prefix}key", "second")
        assert texts(await source.versions("key")) == ("second", "first")
        assert (await source.secret("key")).reveal() == "second"


async def test_many_who_ask_at_once_share_one_request(prefix: str, front: AwsFront) -> None:
    write(f"{prefix}key", "shared")
    async with opened(front.url, prefix=prefix) as source:
        found = await asyncio.gather(*(source.secret("key") for _ in range(200)))
    assert {secret.reveal() for secret in found} == {"shared"}
    assert front.asked == ["GetSecretValue"]


async def test_many_refreshes_at_once_are_two_requests_at_most(
    prefix: str, front: AwsFront
) -> None:
    """One that runs may have read before the change: those who come later share the next."""
    write(f"{prefix}key", "first")
    async with opened(front.url, prefix=prefix) as source:
        front.hook = lambda _: write(f"{prefix}key", "second") if len(front.asked) == 1 else None
        await asyncio.gather(*(source.refresh("key") for _ in range(100)))
        assert (await source.secret("key")).reveal() == "second"
    assert front.asked == ["GetSecretValue"] * 2


async def test_what_was_not_found_is_looked_for_again(prefix: str) -> None:
    async with on_kept_client(prefix, ttl=300) as source:
        with pytest.raises(NotFound):
            await source.secret("key")
        write(f"{prefix}key", "here now")
        assert (await source.secret("key")).reveal() == "here now"


async def test_a_refresh_that_finds_nothing_drops_what_was_kept(prefix: str) -> None:
    write(f"{prefix}key", "first")
    async with on_kept_client(prefix, ttl=300) as source:
        await source.secret("key")
        write(f"{prefix}key", None)
        for ask in (source.refresh, source.secret):
            with pytest.raises(NotFound):
                await ask("key")


async def test_a_secret_that_is_marked_for_deletion_is_not_found(prefix: str) -> None:
    write(f"{prefix}key", "first")
    behind().delete_secret(SecretId=f"{prefix}key")
    async with on_kept_client(prefix, ttl=300) as source:
        with pytest.raises(NotFound) as refused:
            await source.secret("key")
    assert refused.value.code == "secret_not_found"


async def test_a_binary_secret_is_a_fault_of_the_wiring(prefix: str) -> None:
    behind().create_secret(Name=f"{prefix}key", SecretBinary=b"hidden\xff")
    async with on_kept_client(prefix, ttl=300) as source:
        for ask in (source.secret, source.versions):
            with pytest.raises(ConfigurationError, match="'key' is binary; write it as a text"):
                await ask("key")


async def test_a_pair_that_never_stays_the_same_is_an_outage(prefix: str, front: AwsFront) -> None:
    write(f"{prefix}key", "0")
    front.hook = lambda _: write(f"{prefix}key", str(len(front.asked)))
    async with opened(front.url, prefix=prefix) as source:
        with pytest.raises(Unavailable, match="changes faster than it can be read"):
            await source.versions("key")


async def test_the_prefix_cannot_be_left(prefix: str) -> None:
    write(f"{prefix}key", "first")
    arn = behind().describe_secret(SecretId=f"{prefix}key")["ARN"]
    async with on_kept_client(f"{prefix}app/", ttl=0) as source:
        for name in ("../key", arn, f"/{prefix}key", "key"):
            with pytest.raises(NotFound):
                await source.secret(name)
    async with on_kept_client("", ttl=0) as source:
        with pytest.raises(NotFound):
            await source.secret(arn)
        assert (await source.secret(f"{prefix}key")).reveal() == "first"


async def test_two_sources_sign_with_their_own_keys(front: AwsFront) -> None:
    url = f"aws-secrets://{REGION}?endpoint={front.url}"
    async with (
        AwsSecretSource.from_url(url, environ=credentials("AKIAONE")) as one,
        AwsSecretSource.from_url(url, environ=credentials("AKIATWO")) as two,
    ):
        for source in (one, two, one):
            await source.health()
    assert front.keys == ["AKIAONE", "AKIATWO", "AKIAONE"]


async def test_health_tells_that_aws_answers_and_changes_nothing(
    prefix: str, front: AwsFront
) -> None:
    async with opened(front.url, prefix=prefix) as source:
        assert isinstance(source, HealthCheck)
        assert isinstance(source, VersionedSecretSource)
        assert await source.health() == "AWS Secrets Manager, 0 secrets are kept"
        front.faults.append(Refusal("AccessDeniedException"))
        # Who may read single secrets alone may not list them.
        assert await source.health() == "AWS Secrets Manager, 0 secrets are kept"
    assert front.asked == ["ListSecrets"] * 2


async def test_peppers_are_rotated_in_aws_without_a_restart(prefix: str, front: AwsFront) -> None:
    """A key under a pepper that is not known yet has it fetched once for all (T27)."""
    old, new = ("0123456789abcdef" * 2 + end for end in "xy")
    write(f"{prefix}pepper", old)
    async with (
        opened(front.url, prefix=prefix) as source,
        KeyPeppers(source, "pepper", SystemClock()) as peppers,
    ):
        assert peppers.current() == Pepper(old.encode())
        write(f"{prefix}pepper", new)
        front.asked.clear()
        wanted = Pepper(new.encode())
        found = await asyncio.gather(*(peppers.find(wanted.id) for _ in range(100)))
        assert set(found) == {wanted} == {peppers.current()}
        assert peppers.by_id(Pepper(old.encode()).id) is not None
        # The current version, the previous one, and whether it is still the current one.
        assert front.asked == ["GetSecretValue"] * 3


async def test_what_is_kept_has_a_bound(prefix: str) -> None:
    client = kept_client("secretsmanager", "secret_source", shared_aws_url())
    async with AwsSecretSource(client, prefix=prefix, most_kept=3) as source:
        for name in ("a", "b", "c", "d", "b"):
            write(f"{prefix}{name}", name)
            assert (await source.secret(name)).reveal() == name
        assert "3 secrets are kept" in await source.health()
        # The one that was fetched the longest time ago had to go.
        write(f"{prefix}a", "changed")
        assert (await source.secret("a")).reveal() == "changed"
