"""What Supabase answers, read strictly: the client itself hands broken JSON on as text."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
from attrs import frozen

from tollkeeper.adapters.supabase.failures import corrupt, cut_short, refused

Row = Mapping[str, Any]


@frozen
class Answer:
    """The JSON of a successful answer, and how many rows there are in all, where that was asked.

    *data* is None where the server answered without a body.
    """

    data: Any
    count: int | None
    port: str

    @property
    def rows(self) -> list[Row]:
        """The rows that came.

        Raises:
            CorruptResponse: the answer is not made of rows.
        """
        if not isinstance(self.data, list) or not all(isinstance(row, dict) for row in self.data):
            raise corrupt(self.port)
        return self.data

    @property
    def all_rows(self) -> list[Row]:
        """The rows, which must be all that there are.

        Raises:
            CorruptResponse: the answer is not made of rows, or does not say how many there are.
            Rejected: the server left some out (code ``rows_left_out``).
        """
        rows = self.rows
        if self.count is None or self.count < len(rows):
            raise corrupt(self.port)
        if self.count > len(rows):
            raise cut_short(self.port)
        return rows


def read_answer(response: httpx.Response, *, port: str, as_user: bool) -> Answer:
    """Read *response*.

    Raises:
        TollkeeperError: it is a refusal.
        CorruptResponse: it claims success, but holds no JSON, or half of it.
    """
    body = _json_of(response)
    if not response.is_success:
        wait = _seconds(response.headers.get("retry-after"))
        said = None if body is _BROKEN else body
        raise refused(response.status_code, said, port=port, as_user=as_user, wait=wait)
    if body is _BROKEN:
        raise corrupt(port)
    return Answer(body, _count_of(response, port=port), port)


_BROKEN = object()


def _json_of(response: httpx.Response) -> object:
    content = response.content
    if not content:
        # Only what is said to have no body may have none.
        return None if response.status_code in (201, 204, 205) or _is_head(response) else _BROKEN
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return _BROKEN


def _is_head(response: httpx.Response) -> bool:
    return response.request.method == "HEAD"


def _count_of(response: httpx.Response, *, port: str) -> int | None:
    """Read ``Content-Range: 0-9/25``, or ``*/0``; None where no total is told."""
    told = response.headers.get("content-range")
    if told is None:
        return None
    total = told.rpartition("/")[2]
    if total == "*":
        return None
    if not (total.isascii() and total.isdecimal()):
        raise corrupt(port)
    return int(total)


def _seconds(text: str | None) -> timedelta | None:
    if text is None or not (text.isascii() and text.isdecimal() and len(text) < 7):
        return None
    return timedelta(seconds=int(text))
