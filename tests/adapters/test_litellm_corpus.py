"""What providers answer is decoded through litellm to the values in the corpus."""

from collections.abc import Iterator

import pytest

from tests.adapters.litellm_calls import PROVIDERS, format_of
from tests.adapters.wire_contract_cases import Servers, all_servers
from tests.adapters.wire_corpus_cases import cases, decoded, wanted
from tests.wire.corpus import Example
from tollkeeper.adapters.litellm.chat_model import LitellmChatModel
from tollkeeper.contracts.chat_wire_suite import KEY
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio
FORMATS = [format_of(provider) for provider in PROVIDERS]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with all_servers() as servers:
        yield servers


@pytest.mark.parametrize(("example", "streamed"), cases(*FORMATS))
async def test_an_example_is_decoded_to_its_values(
    servers: Servers, example: Example, streamed: bool
) -> None:
    server = servers(example.provider)
    provider = example.provider.removesuffix("-native")
    async with LitellmChatModel(server.base_url, Secret(KEY), provider=provider) as model:
        found = await decoded(model, server, example, streamed=streamed)
        assert found == wanted(example, streamed=streamed)
