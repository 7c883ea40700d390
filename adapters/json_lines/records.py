"""What a line says; pure."""

import json
import math
from collections.abc import Mapping
from datetime import datetime

from attrs import frozen

_LONGEST_TEXT = 4096
_LONGEST_NAME = 256
_MOST_BITS = 64
_dumps = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@frozen
class SpanRecord:
    """A finished span; *duration* in seconds."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start: datetime
    duration: float
    attributes: Mapping[str, object]
    error: str | None


def encode(record: SpanRecord) -> str:
    """Write *record* as JSON, all ASCII, on one line; whatever the attributes hold."""
    return _dumps(
        {
            "trace_id": record.trace_id,
            "span_id": record.span_id,
            "parent_id": record.parent_id,
            "name": record.name[:_LONGEST_NAME],
            "start": record.start.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "duration_ms": round(record.duration * 1000, 3),
            "attributes": {k[:_LONGEST_NAME]: _value(v) for k, v in record.attributes.items()},
            "error": record.error,
        }
    )


def _value(value: object) -> str | int | float | bool:
    """Make *value* fit; of what should not be there, only its type is told."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value[:_LONGEST_TEXT]
    if isinstance(value, int) and int.bit_length(value) <= _MOST_BITS:
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return f"<{type(value).__name__}>"
