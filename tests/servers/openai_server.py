"""A real server on loopback that speaks the OpenAI chat-completions format, faults included.

::

    with openai_server() as server:
        model = OpenaiChatModel(server.base_url)
        ...
        assert server.last.json["model"] == "echo"
        assert not server.disconnects

The model's name says how it behaves (see :data:`tests.servers.openai_plays.PLAYS`, and
``status-503``, ``error-insufficient_quota``); ``server.plays["mine"]`` takes a behaviour of one's
own. ``python -m tests.servers.openai_server --port 8000`` serves until it is interrupted.
"""

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator

from attrs import define

from tests.servers.http_player import HttpPlayer, Play, SeenRequest, http_player
from tests.servers.openai_answers import Json, error
from tests.servers.openai_plays import PLAYS, SECRET_WORDS, play_for

__all__ = ["OpenaiServer", "Play", "SeenRequest", "openai_server"]


@define(eq=False)
class OpenaiServer:
    """The server as tests see it."""

    player: HttpPlayer
    plays: dict[str, Callable[[Json], Play]]

    @property
    def base_url(self) -> str:
        """What a client is configured with."""
        return f"{self.player.origin}/v1"

    @property
    def requests(self) -> list[SeenRequest]:
        """All requests, the oldest first."""
        return self.player.requests

    @property
    def last(self) -> SeenRequest:
        """The request that came last."""
        return self.player.last

    @property
    def disconnects(self) -> list[SeenRequest]:
        """The requests whose client left before the answer had ended."""
        return self.player.disconnects


@contextlib.contextmanager
def openai_server(*, api_key: str | None = None, port: int = 0) -> Iterator[OpenaiServer]:
    """Serve until the block ends; with *api_key*, any other key is refused."""
    plays: dict[str, Callable[[Json], Play]] = {}

    def script(seen: SeenRequest) -> Play:
        if api_key is not None and seen.headers.get("authorization") != f"Bearer {api_key}":
            return _json_of(error(SECRET_WORDS, code="invalid_api_key"), status=401)
        if (seen.method, seen.path) == ("GET", "/v1/models"):
            return _json_of(b'{"object": "list", "data": []}')
        if (seen.method, seen.path) != ("POST", "/v1/chat/completions"):
            return _json_of(b'{"detail": "Not Found"}', status=404)
        body = seen.json
        own = plays.get(body["model"])
        return own(body) if own is not None else play_for(body["model"], body)

    with http_player(script, port=port) as player:
        yield OpenaiServer(player, plays)


def _json_of(body: bytes, *, status: int = 200) -> Play:
    return Play((body,), status=status, framing="length")


def main() -> None:
    """Serve on the command line, and show each request."""
    parser = argparse.ArgumentParser(description="A chat-completions server for tests.")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--api-key", help="refuse every other key")
    options = parser.parse_args()
    with openai_server(api_key=options.api_key, port=options.port) as server:
        print(f"{server.base_url} answers; models: {', '.join(PLAYS)}, status-NNN, error-CODE")
        shown = 0
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                for seen in server.requests[shown:]:
                    print(f"{seen.method} {seen.path} {seen.body.decode()[:200]}")
                    shown += 1
                time.sleep(0.2)


if __name__ == "__main__":
    main()
