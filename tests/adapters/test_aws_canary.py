"""A canary in a secret, a data key and a credential shows up nowhere but in the answer (T23)."""

import base64
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from tests.adapters.aws_sources import kept_client
from tests.servers.aws_front import AwsFront, Refusal, Reset, shared_front
from tests.servers.aws_server import REGION, aws_client, credentials, new_prefix, shared_aws_url
from tollkeeper.adapters.aws.key_encryption import AwsKeyEncryption
from tollkeeper.adapters.aws.secret_source import AwsSecretSource
from tollkeeper.domain.encryption import WrappedKey
from tollkeeper.domain.errors import TollkeeperError

pytestmark = pytest.mark.anyio
CANARY = "hidden-canary-of-the-secret"
DATA_KEY = b"hidden-canary-of-the-data-key-32"
CONTEXT = {"tenant": "acme"}
ARN = f"arn:aws:kms:{REGION}:123456789012:key/11111111-1111-1111-1111-111111111111"
HIDDEN = (
    CANARY,
    CANARY.encode().hex(),
    base64.b64encode(CANARY.encode()).decode(),
    DATA_KEY.decode(),
    DATA_KEY.hex(),
    base64.b64encode(DATA_KEY).decode(),
    credentials()["AWS_SECRET_ACCESS_KEY"],
)


@pytest.fixture
def front() -> AwsFront:
    front = shared_front("faults")
    front.reset()
    return front


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """Log everything that anybody has to say, and return it with all its arguments."""

    def said() -> str:
        return "\n".join(
            f"{record.getMessage()} {record.args!r} {record.exc_text} {record.__dict__!r}"
            for record in caplog.records
        )

    with caplog.at_level(logging.DEBUG):
        yield said


@pytest.fixture
async def source(front: AwsFront) -> AsyncIterator[AwsSecretSource]:
    prefix = new_prefix()
    behind = aws_client("secretsmanager", shared_aws_url())
    behind.create_secret(Name=f"{prefix}key", SecretString=CANARY)
    behind.create_secret(Name=f"{prefix}binary", SecretBinary=CANARY.encode())
    client = kept_client("secretsmanager", "secret_source", front.url)
    async with AwsSecretSource(client, prefix=prefix, ttl=0) as source:
        yield source


@pytest.fixture
async def keys(front: AwsFront) -> AsyncIterator[AwsKeyEncryption]:
    client = kept_client("kms", "key_encryption", front.url)
    async with AwsKeyEncryption(client, ARN) as keys:
        yield keys


def shown_by(error: BaseException, *others: object) -> str:
    """Return everything that shows *error*, its causes, and the locals on the way."""
    inside = error.__traceback__.tb_next if error.__traceback__ else None
    told = traceback.TracebackException(type(error), error, inside, capture_locals=True)
    return "".join(told.format()) + repr((error, vars(error), *others)) + str(error)


async def failing(ask: Awaitable[object]) -> TollkeeperError:
    with pytest.raises(TollkeeperError) as failed:
        await ask
    return failed.value


def an_answer(**fields: str) -> Refusal:
    body = "{" + ", ".join(f'"{name}": "{value}"' for name, value in fields.items()) + "}"
    return Refusal(status=200, body=body.encode())


async def test_no_log_shows_a_secret_that_was_fetched(
    front: AwsFront, source: AwsSecretSource, logged: Callable[[], str]
) -> None:
    """botocore logs each answer whole at this level (T23)."""
    assert (await source.secret("key")).reveal() == CANARY
    await source.versions("key")
    found = logged()
    assert "botocore.parsers" in found
    assert "Response body" in found
    assert not [text for text in HIDDEN if text in found]


async def test_no_log_shows_a_data_key(
    front: AwsFront, keys: AwsKeyEncryption, logged: Callable[[], str]
) -> None:
    """Neither one that was made, nor one that was opened (T23)."""
    encoded = base64.b64encode(DATA_KEY).decode()
    front.always = an_answer(Plaintext=encoded, CiphertextBlob="AAAA", KeyId=ARN)
    made = await keys.generate(context=CONTEXT)
    assert made.plaintext == DATA_KEY
    assert await keys.unwrap(made.wrapped, context=CONTEXT) == DATA_KEY
    found = logged() + repr(made) + repr(keys)
    assert "Response body" in found
    assert not [text for text in HIDDEN if text in found]


ANSWERS = {
    "denied": Refusal("AccessDeniedException", message=CANARY),
    "throttled": Refusal("ThrottlingException", message=CANARY),
    "down": Refusal("InternalServiceError", 500, message=CANARY),
    "a code": Refusal(CANARY + " "),
    "no JSON": Refusal(status=200, body=f'{{"SecretString": "{CANARY}"'.encode()),
    "no UTF-8": Refusal(status=200, body=f'{{"SecretString": "{CANARY}\xff"}}'.encode("latin-1")),
    "no version": an_answer(SecretString=CANARY),
    "no base64": an_answer(Plaintext=f"!{CANARY}", KeyId=ARN, CiphertextBlob="AAAA"),
    "a short key": an_answer(
        Plaintext=base64.b64encode(CANARY.encode()).decode(), KeyId=ARN, CiphertextBlob="AAAA"
    ),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_no_error_shows_what_was_answered(
    front: AwsFront,
    source: AwsSecretSource,
    keys: AwsKeyEncryption,
    logged: Callable[[], str],
    answer: Refusal,
) -> None:
    """Text, repr, causes, locals of every frame, and logs (T23)."""
    front.always = answer
    wrapped = WrappedKey(ARN, b"ciphertext")
    for ask in (
        source.secret("key"),
        source.versions("key"),
        source.refresh("key"),
        keys.generate(context=CONTEXT),
        keys.unwrap(wrapped, context=CONTEXT),
    ):
        error = await failing(ask)
        # What a provider says stays in its own error, which is the cause, and is shown to nobody.
        assert CANARY not in str(error) + repr(error) + error.public_message
        if answer.status == 200:
            assert not [text for text in HIDDEN if text in shown_by(error, source, keys)]
        assert credentials()["AWS_SECRET_ACCESS_KEY"] not in shown_by(error, source, keys)
    if answer.status == 200:
        assert not [text for text in HIDDEN if text in logged()]


async def test_a_binary_secret_and_a_broken_connection_show_nothing(
    front: AwsFront,
    source: AwsSecretSource,
    keys: AwsKeyEncryption,
    logged: Callable[[], str],
) -> None:
    """(T23)"""
    shown = shown_by(await failing(source.secret("binary")))
    front.always = Reset()
    for ask in (source.secret("key"), keys.generate(context=CONTEXT)):
        shown += shown_by(await failing(ask), source, keys)
    shown += logged()
    assert not [text for text in HIDDEN if text in shown]
