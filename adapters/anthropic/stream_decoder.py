"""A streamed answer, from bytes to deltas. Pure: the network is somebody else's concern.

The events are described at https://docs.claude.com/en/docs/build-with-claude/streaming.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from attrs import define, field

from tollkeeper.adapters.anthropic.decoding import (
    NULL,
    Block,
    Ending,
    Message,
    arguments_of,
    ending_extras,
    finish_of,
    is_thought,
    named,
    thought_of,
)
from tollkeeper.adapters.anthropic.faults import ADAPTER, corrupt, fault_of, provider_error
from tollkeeper.adapters.anthropic.usage import Usage, decode_usage, pools_of
from tollkeeper.adapters.wire.sse import EventSplitter
from tollkeeper.domain.completions import Delta, ToolCallDelta
from tollkeeper.domain.errors import TollkeeperError


class _Event(msgspec.Struct):
    type: str = ""
    index: int = 0
    delta: msgspec.Raw = NULL
    content_block: Block | None = None
    message: Message | None = None
    usage: msgspec.Raw = NULL
    error: Any = None


_event_decoder = msgspec.json.Decoder(_Event)
_piece_decoder = msgspec.json.Decoder(Block)
_ending_decoder = msgspec.json.Decoder(Ending)
_NO_USAGE = Usage()


@define
class _OpenBlock:
    """A block that is being written; *call* is its number among the tool calls."""

    begin: Block
    call: int = -1
    thinking: list[str] = field(factory=list)
    signature: list[str] = field(factory=list)
    argued: bool = False


class StreamDecoder:
    """Takes the bytes of an answer in, gives its deltas out, however the bytes were cut.

    The usage is held back and given last and once. What the start of a stream says about it
    counts only together with what the end says: at the start nothing is written yet.
    """

    def __init__(self, *, warnings: tuple[str, ...] = ()) -> None:
        self._warnings = warnings
        self._events = EventSplitter(ADAPTER)
        self._blocks: dict[int, _OpenBlock] = {}
        self._calls = 0
        self._started: Usage | None = None
        self._reported: Usage | None = None
        self._begun = False
        self._finished = False
        self._failure: TollkeeperError | None = None
        self.done = False
        """The provider said that nothing follows, or that it failed."""

    def feed(self, piece: bytes) -> Iterator[Delta]:
        """Take *piece* in and yield the deltas that it completes.

        Raises:
            CorruptResponse: the bytes break the format.
        """
        return iter(()) if self.done else self._read(self._events.feed(piece))

    def end(self) -> Iterator[Delta]:
        """Say that nothing follows, and yield what is left.

        Raises:
            CorruptResponse: the answer is not complete.
            TollkeeperError: what the provider itself reported inside the answer.
        """
        if not self.done:
            yield from self._read(self._events.end())
        if self._failure is not None:
            raise self._failure
        if not self.done:
            raise corrupt("the provider's answer ends before it is complete")
        if not self._finished:
            raise corrupt("the provider's answer does not say why it ended")
        yield from self.so_far()

    def so_far(self) -> Iterator[Delta]:
        """Yield the usage that was held back: ask for it before an error is raised."""
        reported, self._reported = self._reported, None
        if reported is not None:
            whole = (self._started or _NO_USAGE).updated(reported)
            usage, extras = pools_of(whole), whole.extras()
            if usage is not None or extras:
                yield Delta(usage=usage, extras=extras)

    def _read(self, events: Iterator[bytes]) -> Iterator[Delta]:
        for data in events:
            try:
                event = _event_decoder.decode(data)
                found = self._on(event)
            except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
                raise corrupt("the provider's answer is not in the format of messages") from error
            if found is not None:
                self._begun = True
                yield found
            if self.done:
                return

    def _on(self, event: _Event) -> Delta | None:
        kind = event.type
        if kind == "content_block_delta":
            return self._more(event.index, _piece_decoder.decode(event.delta))
        if kind == "content_block_start":
            return self._open(event.index, event.content_block)
        if kind == "content_block_stop":
            return self._close(event.index)
        if kind == "message_start":
            return self._start(event.message)
        if kind == "message_delta":
            return self._finish(event)
        if kind == "message_stop":
            self.done = True
        elif kind == "error" or event.error is not None:
            self._failure = provider_error(fault_of(event.error), begun=self._begun)
            self.done = True
        return None  # a ping, or what was not there when this was written

    def _start(self, message: Message | None) -> Delta:
        if message is None:
            raise corrupt("the provider's answer begins without its message")
        self._started = decode_usage(message.usage)
        return Delta(
            model=message.model or "",
            warnings=self._warnings,
            extras={"id": message.id} if message.id else {},
        )

    def _open(self, index: int, block: Block | None) -> Delta | None:
        if block is None:
            raise corrupt("the provider's answer begins a block without saying which")
        opened = self._blocks[index] = _OpenBlock(block)
        if block.type == "text" and block.text:
            return Delta(text=block.text)
        if block.type == "thinking" and block.thinking:
            opened.thinking.append(block.thinking)
            return Delta(reasoning=block.thinking)
        if block.type == "tool_use":
            opened.call = self._calls
            self._calls += 1
            id_, name = named(block)
            return Delta(tool_calls=(ToolCallDelta(opened.call, id_, name),))
        return None

    def _more(self, index: int, piece: Block) -> Delta | None:
        opened = self._blocks.get(index)
        if opened is None:
            raise corrupt("the provider's answer goes on with a block that it did not begin")
        if piece.type == "text_delta" and opened.begin.type == "text":
            return Delta(text=piece.text) if piece.text else None
        if piece.type == "input_json_delta" and opened.call >= 0:
            if not piece.partial_json:
                return None
            opened.argued = True
            return Delta(tool_calls=(ToolCallDelta(opened.call, arguments=piece.partial_json),))
        if piece.type == "thinking_delta" and piece.thinking:
            opened.thinking.append(piece.thinking)
            return Delta(reasoning=piece.thinking)
        if piece.type == "signature_delta":
            opened.signature.append(piece.signature or "")
        return None

    def _close(self, index: int) -> Delta | None:
        opened = self._blocks.pop(index, None)
        if opened is None:
            return None
        block = opened.begin
        if is_thought(block):
            block.thinking = "".join(opened.thinking)
            block.signature = (block.signature or "") + "".join(opened.signature)
            return Delta(thought=thought_of(block))
        if opened.call >= 0 and not opened.argued:
            whole = arguments_of(block.input)
            return Delta(tool_calls=(ToolCallDelta(opened.call, arguments=whole),))
        return None

    def _finish(self, event: _Event) -> Delta | None:
        usage = decode_usage(event.usage)
        if usage is not None:
            self._reported = (self._reported or _NO_USAGE).updated(usage)
        ending = _ending_decoder.decode(event.delta)
        if not ending.stop_reason or self._finished:
            return None
        self._finished = True
        return Delta(
            finish_reason=finish_of(ending.stop_reason),
            extras=ending_extras(ending),
        )
