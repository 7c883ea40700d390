"""Messages of the outbox as they are written to SQL databases and read back."""

from tollkeeper.adapters.sql.rows import Row, aware
from tollkeeper.domain.outbox import Delivery, DeliveryState, Message


def message_document(message: Message) -> dict[str, object]:
    """Write *message* as JSON, as ``add_messages`` takes it."""
    return {
        "id": message.id,
        "account": message.account,
        "topic": message.topic,
        "idempotency_key": message.idempotency_key,
        "payload": message.payload,
        "created_at": aware(message.created_at).isoformat(),
        "due_at": aware(message.due_at).isoformat(),
        "max_tries": message.max_tries,
    }


def delivery_from_row(row: Row) -> Delivery:
    """Read a row of ``messages``."""
    return Delivery(
        message=Message(
            id=row["id"],
            account=row["account"],
            topic=row["topic"],
            idempotency_key=row["idempotency_key"],
            payload=row["payload"],
            created_at=row["created_at"],
            due_at=row["first_due"],
            max_tries=row["max_tries"],
        ),
        state=DeliveryState(row["state"]),
        claims=row["claims"],
        tries=row["tries"],
        due_at=row["due_at"],
        error=row["error"],
        ended_at=row["ended_at"],
    )
