"""What the commands print as JSON: exact amounts, times in UTC, nothing secret."""

from datetime import timedelta

from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.completions import Completion, Receipt
from tollkeeper.domain.embeddings import Embeddings
from tollkeeper.domain.ledger import Balance, Entry, Hold
from tollkeeper.domain.money import Money
from tollkeeper.domain.plans import Plan, Subscription
from tollkeeper.domain.transcripts import Transcript
from tollkeeper.domain.usage import UsageReport
from tollkeeper.infra.cli.output import Document, iso


def of_money(money: Money) -> Document:
    """Write an amount: decimal text, and whole nano-units as text, for no reader to round."""
    return {"amount": money.amount, "currency": money.currency, "nanos": str(money.nanos)}


def of_entry(entry: Entry) -> Document:
    """Write a line of the ledger."""
    return {
        "id": entry.id,
        "account": entry.account,
        "sequence": entry.sequence,
        "kind": str(entry.kind),
        "amount": of_money(entry.amount),
        "balance_after": of_money(entry.balance_after),
        "at": iso(entry.at),
        "description": entry.description,
        "idempotency_key": entry.idempotency_key,
        "hold_id": entry.hold_id,
        "held": None if entry.held is None else of_money(entry.held),
        "late": entry.late,
    }


def of_hold(hold: Hold) -> Document:
    """Write a hold."""
    return {
        "id": hold.id,
        "account": hold.account,
        "amount": of_money(hold.amount),
        "state": str(hold.state),
        "placed_at": iso(hold.placed_at),
        "expires_at": iso(hold.expires_at),
        "resolved_at": iso(hold.resolved_at),
    }


def of_balance(balance: Balance) -> Document:
    """Write a balance."""
    return {
        "posted": of_money(balance.posted),
        "held": of_money(balance.held),
        "available": of_money(balance.available),
    }


def of_report(report: UsageReport) -> Document:
    """Write a usage report."""
    return {
        "account": report.account,
        "since": iso(report.since),
        "until": iso(report.until),
        "totals": [
            {
                "operation": total.operation,
                "model": total.model,
                "meter": str(total.meter),
                "events": total.events,
                "quantity": total.quantity,
                "estimated": total.estimated,
                "charge": of_money(total.charge),
            }
            for total in report.totals
        ],
        "charges": [of_money(charge) for charge in report.charges],
        "balances": [of_balance(balance) for balance in report.balances],
    }


def of_receipt(receipt: Receipt | None) -> Document | None:
    """Write what a call set aside and took."""
    if receipt is None:
        return None
    return {
        "call_id": receipt.call_id,
        "account": receipt.account,
        "model": receipt.model,
        "held": of_money(receipt.held),
        "charged": of_money(receipt.charged),
        "balance_after": of_money(receipt.balance_after),
        "quantities": {str(meter): n for meter, n in receipt.quantities.items()},
        "provenance": str(receipt.provenance),
        "price_id": receipt.price_id,
        "entry_id": receipt.entry_id,
    }


def of_attempt(attempt: Attempt) -> Document:
    """Write what became of one request to a provider."""
    return {
        "id": attempt.id,
        "call_id": attempt.call_id,
        "account": attempt.account,
        "number": attempt.number,
        "provider": attempt.provider,
        "model": attempt.model,
        "credential": attempt.credential,
        "started_at": iso(attempt.started_at),
        "lasted_seconds": _seconds(attempt.lasted),
        "outcome": str(attempt.outcome),
        "error": attempt.error or None,
        "billed": str(attempt.billed),
        "settlement": str(attempt.settlement),
        "provenance": str(attempt.provenance),
        "quantities": {str(meter): n for meter, n in attempt.quantities.items()},
        "cost": of_money(attempt.cost),
        "price_id": attempt.price_id,
    }


def of_completion(answer: Completion) -> Document:
    """Write a whole answer; the signatures of thoughts are for the provider alone."""
    usage = answer.usage
    return {
        "provider": answer.provider,
        "model": answer.model,
        "text": answer.text,
        "reasoning": answer.reasoning,
        "thoughts": [
            {"text": thought.text, "redacted": bool(thought.redacted)}
            for thought in answer.thoughts
        ],
        "refusal": answer.refusal,
        "tool_calls": [
            {"id": call.id, "name": call.name, "arguments": call.arguments}
            for call in answer.tool_calls
        ],
        "finish_reason": None if answer.finish_reason is None else str(answer.finish_reason),
        "tokens": None
        if usage is None
        else {str(meter): n for meter, n in usage.quantities().items()},
        "provenance": None if answer.provenance is None else str(answer.provenance),
        "logprobs": [
            {"token": each.token, "logprob": each.logprob, "top": [list(one) for one in each.top]}
            for each in answer.logprobs
        ],
        "warnings": list(answer.warnings),
        "cached": answer.cached,
        "first_after_seconds": None if answer.first_after is None else _seconds(answer.first_after),
        "attempts": [of_attempt(attempt) for attempt in answer.attempts],
        "receipt": of_receipt(answer.receipt),
    }


def of_embeddings(found: Embeddings) -> Document:
    """Write vectors."""
    return {
        "provider": found.provider,
        "model": found.model,
        "vectors": [list(vector) for vector in found.vectors],
        "input_tokens": found.input_tokens,
        "provenance": None if found.provenance is None else str(found.provenance),
        "attempts": [of_attempt(attempt) for attempt in found.attempts],
        "receipt": of_receipt(found.receipt),
    }


def of_transcript(transcript: Transcript) -> Document:
    """Write a transcript."""
    return {
        "model": transcript.model,
        "text": transcript.text,
        "language": transcript.language,
        "quality": transcript.quality,
        "duration_seconds": _seconds(transcript.duration),
        "billed_seconds": _seconds(transcript.billed),
        "receipt": of_receipt(transcript.receipt),
    }


def _seconds(duration: timedelta) -> float:
    return duration / timedelta(seconds=1)


def of_plan(plan: Plan) -> Document:
    """Write a plan."""
    return {
        "name": plan.name,
        "models": list(plan.models),
        "operations": list(plan.operations),
        "rate_limit": None if plan.rate_limit is None else str(plan.rate_limit),
        "markup_bps": plan.markup_bps,
        "max_output_tokens": plan.max_output_tokens,
    }


def of_subscription(subscription: Subscription) -> Document:
    """Write who has which plan, and for how long."""
    return {
        "account": subscription.account,
        "plan": subscription.plan,
        "starts_at": iso(subscription.starts_at),
        "ends_at": iso(subscription.ends_at),
    }
