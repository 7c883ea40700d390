"""What AWS answers when it does not answer as it should, and what a caller hears of it."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.adapters.aws_sources import kept_client, write
from tests.servers.aws_front import AwsFront, Fault, Refusal, Reset, Stall, aws_front, shared_front
from tests.servers.aws_server import REGION, aws_client, credentials, new_prefix, shared_aws_url
from tests.servers.redis_server import free_port
from tollkeeper.adapters.aws.key_encryption import AwsKeyEncryption
from tollkeeper.adapters.aws.secret_source import AwsSecretSource
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    CredentialsRefused,
    PoolExhausted,
    PortError,
    Rejected,
    Throttled,
    Timeout,
    Unavailable,
)

pytestmark = pytest.mark.anyio
Ask = Callable[[], Awaitable[object]]
CONTEXT = {"tenant": "acme"}
_ROOT = Path(__file__).parents[2]


@pytest.fixture
def front() -> Iterator[AwsFront]:
    with aws_front(shared_aws_url()) as front:
        yield front


@pytest.fixture(scope="module")
def key() -> str:
    arn: str = aws_client("kms", shared_aws_url()).create_key()["KeyMetadata"]["Arn"]
    return arn


async def opened(stack: AsyncExitStack, url: str, key: str, options: str = "") -> list[Ask]:
    """Open both adapters at *url*, and return what each can be asked."""
    prefix = new_prefix()
    write(f"{prefix}key", "a secret")
    query = f"endpoint={url}{options}"
    source = AwsSecretSource.from_url(
        f"aws-secrets://{REGION}?prefix={prefix}&ttl=0s&{query}", environ=credentials()
    )
    keys = AwsKeyEncryption.from_url(f"aws-kms://{REGION}/{key}?{query}", environ=credentials())
    await stack.enter_async_context(source)
    await stack.enter_async_context(keys)
    return [lambda: source.secret("key"), lambda: keys.generate(context=CONTEXT)]


@pytest.fixture
def kept_front() -> AwsFront:
    """Take a front whose clients stay open: nothing may stall there."""
    front = shared_front("faults")
    front.reset()
    return front


@pytest.fixture
async def asks(kept_front: AwsFront, key: str) -> AsyncIterator[list[Ask]]:
    prefix = new_prefix()
    write(f"{prefix}key", "a secret")
    clients = [
        kept_client(service, port, kept_front.url)
        for service, port in (("secretsmanager", "secret_source"), ("kms", "key_encryption"))
    ]
    source = AwsSecretSource(clients[0], prefix=prefix, ttl=0)
    keys = AwsKeyEncryption(clients[1], key)
    async with source, keys:
        yield [lambda: source.secret("key"), lambda: keys.generate(context=CONTEXT)]


ANSWERS: list[tuple[Refusal, type[PortError]]] = [
    (Refusal("AccessDeniedException"), CredentialsRefused),
    (Refusal("UnrecognizedClientException"), CredentialsRefused),
    (Refusal("InvalidSignatureException"), CredentialsRefused),
    (Refusal("ExpiredTokenException"), CredentialsRefused),
    (Refusal("NobodyKnowsThisException", 403), CredentialsRefused),
    (Refusal("ThrottlingException"), Throttled),
    (Refusal("NobodyKnowsThisException", 429), Throttled),
    (Refusal("InternalServiceError", 500), Unavailable),
    (Refusal("KMSInternalException", 500), Unavailable),
    (Refusal(status=503, body=b"<html>down</html>"), Unavailable),
    (Refusal(status=502, body=b"\xff\xfe"), Unavailable),
    (Refusal("ValidationException"), Rejected),
    (Refusal("", 400, body=b"[]"), Rejected),
    (Refusal("x\ny <script>"), Rejected),
    (Refusal(status=200, body=b"{"), CorruptResponse),
    (Refusal(status=200, body=b"\xff\xfe"), CorruptResponse),
]


@pytest.mark.parametrize(("answer", "kind"), ANSWERS, ids=range(len(ANSWERS)))
async def test_each_answer_has_its_error(
    kept_front: AwsFront, asks: list[Ask], answer: Refusal, kind: type[PortError]
) -> None:
    kept_front.always = answer
    for ask, port in zip(asks, ("secret_source", "key_encryption"), strict=True):
        with pytest.raises(PortError) as failed:
            await ask()
        assert type(failed.value) is kind
        assert (failed.value.port, failed.value.adapter) == (port, "aws")
        assert failed.value.code == kind.default_code
        assert "told by the server" not in failed.value.public_message
        assert failed.value.provider_code in (answer.code, "", str(answer.status))
        assert "\n" not in failed.value.provider_code
    kept_front.always = None
    for ask in asks:
        await ask()


async def test_no_answer_in_time_is_a_timeout(front: AwsFront, key: str) -> None:
    front.always = Stall()
    async with AsyncExitStack() as stack:
        for ask in await opened(stack, front.url, key, "&timeout=300ms"):
            began = time.monotonic()
            with pytest.raises(Timeout, match="did not answer in time"):
                await ask()
            assert time.monotonic() - began < 5


async def test_a_refused_connection_is_an_outage(key: str) -> None:
    async with AsyncExitStack() as stack:
        for ask in await opened(stack, f"http://127.0.0.1:{free_port()}", key):
            with pytest.raises(Unavailable, match="cannot be reached"):
                await ask()


async def test_a_connection_that_was_kept_for_too_long_is_tried_once_more(
    kept_front: AwsFront, asks: list[Ask]
) -> None:
    for ask in asks:
        kept_front.faults.append(Reset())
        await ask()
    assert len(kept_front.asked) == 4


async def test_a_server_that_always_breaks_off_is_an_outage(
    kept_front: AwsFront, asks: list[Ask]
) -> None:
    kept_front.always = Reset()
    for ask in asks:
        with pytest.raises(Unavailable):
            await ask()
    assert len(kept_front.asked) == 4


@pytest.mark.parametrize("fault", [Refusal("ThrottlingException"), Refusal("X", 500)], ids=repr)
async def test_what_fails_is_not_tried_again_by_itself(
    kept_front: AwsFront, asks: list[Ask], fault: Fault
) -> None:
    kept_front.always = fault
    with pytest.raises(PortError):
        await asks[0]()
    assert kept_front.asked == ["GetSecretValue"]


async def test_callers_beyond_the_pool_hear_that_nothing_was_sent(
    front: AwsFront, key: str
) -> None:
    front.always = Stall()
    async with AsyncExitStack() as stack:
        _, generate = await opened(stack, front.url, key, "&timeout=1s&pool_size=2")
        ends = await asyncio.gather(*(generate() for _ in range(5)), return_exceptions=True)
        assert sorted(type(end).__name__ for end in ends) == [
            *("PoolExhausted", "PoolExhausted", "PoolExhausted", "Timeout", "Timeout")
        ]
        assert len(front.asked) == 2
        assert isinstance(next(e for e in ends if isinstance(e, PoolExhausted)), PortError)


async def test_one_after_the_other_does_not_exhaust_the_pool(front: AwsFront, key: str) -> None:
    """Whoever gave up has left a thread behind, which ends soon after."""
    async with AsyncExitStack() as stack:
        _, generate = await opened(stack, front.url, key, "&timeout=300ms&pool_size=1")
        front.faults.append(Stall())
        with pytest.raises(Timeout):
            await generate()
        async with asyncio.timeout(10):
            while isinstance(await outcome(generate), PortError):
                await asyncio.sleep(0.05)


async def outcome(ask: Ask) -> object:
    try:
        return await ask()
    except PortError as error:
        return error


async def test_a_kept_secret_outlives_an_outage_and_no_longer_than_its_time(
    kept_front: AwsFront,
) -> None:
    prefix, now = new_prefix(), [0.0]
    write(f"{prefix}key", "kept")
    client = kept_client("secretsmanager", "secret_source", kept_front.url)
    source = AwsSecretSource(client, prefix=prefix, ttl=300, monotonic=lambda: now[0])
    async with source:
        await source.secret("key")
        kept_front.always = Refusal("InternalServiceError", 500)
        now[0] = 299.0
        assert (await source.secret("key")).reveal() == "kept"
        with pytest.raises(Unavailable):
            await source.refresh("key")
        assert (await source.secret("key")).reveal() == "kept"
        now[0] = 300.0
        with pytest.raises(Unavailable):
            await source.secret("key")
        kept_front.always = None
        assert (await source.secret("key")).reveal() == "kept"


async def test_nothing_is_asked_before_opening_and_after_closing(front: AwsFront, key: str) -> None:
    stack = AsyncExitStack()
    async with stack:
        asks = await opened(stack, front.url, key)
    for ask in asks:
        with pytest.raises(Unavailable) as failed:
            await ask()
        assert failed.value.code == "not_open"
    assert front.asked == []


async def test_closing_frees_those_who_wait(front: AwsFront, key: str) -> None:
    front.always = Stall()
    async with AsyncExitStack() as stack:
        secret, _ = await opened(stack, front.url, key, "&timeout=20s")
        waiting = [asyncio.ensure_future(secret()) for _ in range(3)]
        while not front.asked:
            await asyncio.sleep(0.01)
        began = time.monotonic()
    for end in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(end, Unavailable)
        assert end.code == "not_open"
    assert time.monotonic() - began < 5


async def test_a_profile_that_is_not_there_is_a_fault_of_the_wiring() -> None:
    profile = {"AWS_PROFILE": "a-profile-that-nobody-has"}
    source = AwsSecretSource.from_url(f"aws-secrets://{REGION}", environ=profile)
    with pytest.raises(ConfigurationError, match="AWS_PROFILE"):
        await source.__aenter__()


WITHOUT = """
import asyncio
from tollkeeper.adapters.aws.secret_source import AwsSecretSource
from tollkeeper.domain.errors import CredentialsRefused
async def main():
    async with AwsSecretSource.from_url("aws-secrets://eu-west-1?timeout=9s", environ={}) as source:
        try:
            await source.secret("key")
        except CredentialsRefused as error:
            print(error)
asyncio.run(main())
"""


def test_missing_credentials_are_named_with_the_remedy(tmp_path: Path) -> None:
    """In a process that has none: nothing is sent then."""
    nowhere = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", "PYTHONPATH": str(_ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], env=nowhere, check=True, capture_output=True, text=True
    )
    assert "no AWS credentials are found; set AWS_ACCESS_KEY_ID" in done.stdout
