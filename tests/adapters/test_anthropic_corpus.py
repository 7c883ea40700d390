"""What Anthropic answers is decoded to the values in the corpus."""

from collections.abc import Iterator

import pytest

from tests.adapters.wire_contract_cases import Servers, all_servers
from tests.adapters.wire_corpus_cases import cases, decoded, wanted
from tests.wire.corpus import Example
from tollkeeper.adapters.anthropic.chat_model import AnthropicChatModel
from tollkeeper.contracts.chat_wire_suite import KEY
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio
PROVIDERS = ("anthropic",)


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with all_servers() as servers:
        yield servers


@pytest.mark.parametrize(("example", "streamed"), cases(*PROVIDERS))
async def test_an_example_is_decoded_to_its_values(
    servers: Servers, example: Example, streamed: bool
) -> None:
    server = servers(example.provider)
    async with AnthropicChatModel(server.base_url, Secret(KEY)) as model:
        found = await decoded(model, server, example, streamed=streamed)
        assert found == wanted(example, streamed=streamed)
