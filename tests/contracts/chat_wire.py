"""The contract of chat models that speak a provider's wire format over HTTP."""

from tollkeeper.contracts.chat_wire_answers import ChatWireAnswers
from tollkeeper.contracts.chat_wire_breaks import ChatWireBreaks
from tollkeeper.contracts.chat_wire_cancelled import ChatWireCancelled
from tollkeeper.contracts.chat_wire_errors import ChatWireErrors
from tollkeeper.contracts.chat_wire_faults import ChatWireFaults
from tollkeeper.contracts.chat_wire_keys import ChatWireKeys
from tollkeeper.contracts.chat_wire_requests import ChatWireRequests
from tollkeeper.contracts.chat_wire_streams import ChatWireStreams
from tollkeeper.contracts.chat_wire_tools import ChatWireTools
from tollkeeper.contracts.chat_wire_usage import ChatWireUsage


class ChatWireContract(
    ChatWireAnswers,
    ChatWireTools,
    ChatWireUsage,
    ChatWireRequests,
    ChatWireStreams,
    ChatWireBreaks,
    ChatWireFaults,
    ChatWireErrors,
    ChatWireKeys,
    ChatWireCancelled,
):
    """What a chat model promises that talks to a provider over HTTP, whatever the format.

    Fixtures: ``upstream``, a server on loopback that speaks the format and misbehaves on demand
    (:class:`tollkeeper.contracts.chat_wire_upstream.Upstream`), and ``connect``, which makes
    adapters of it (:class:`~tollkeeper.contracts.chat_wire_upstream.Connect`). What models in
    general promise is in :mod:`tollkeeper.contracts.chat_model`.
    """
