"""OpenAI's errors: https://platform.openai.com/docs/guides/error-codes."""

from tests.servers.wire.errors.table import BAD, RATE, SERVER, Words, openai_shape, table

OPENAI = table(
    openai_shape,
    (
        Words(400, "Invalid value for 'temperature'.", param="temperature", code="invalid_value"),
        Words(401, "You must be a member of an organization to use the API.", BAD),
        Words(
            403,
            "Country, region, or territory not supported.",
            "request_forbidden",
            "unsupported_country_region_territory",
        ),
        Words(404, "The model `gpt-0` does not exist.", BAD, "model_not_found"),
        Words(409, "The resource was updated by another request.", BAD),
        Words(413, "Request entity too large.", BAD, "request_too_large"),
        Words(422, "Unable to process the request despite the format being correct.", BAD),
        Words(429, "Rate limit reached for requests.", "requests", RATE),
        Words(500, "The server had an error while processing your request.", SERVER),
        Words(503, "The engine is currently overloaded, please try again later.", SERVER),
    ),
    context_overflow=Words(
        400,
        "This model's maximum context length is 8192 tokens. However, your messages resulted in "
        "9000 tokens. Please reduce the length of the messages.",
        code="context_length_exceeded",
        param="messages",
    ),
    content_filter=Words(
        400,
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy. "
        "Please try again with a different prompt.",
        code="invalid_prompt",
    ),
    unknown_model=Words(
        404,
        "The model `gpt-0` does not exist or you do not have access to it.",
        code="model_not_found",
    ),
    quota=Words(
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
        "insufficient_quota",
    ),
    invalid_key=Words(401, "Incorrect API key provided: sk-w***ng.", code="invalid_api_key"),
    no_key=Words(401, "You didn't provide an API key.", code=None),
    overloaded=Words(503, "The engine is currently overloaded, please try again later.", SERVER),
    rate_limit=Words(429, "Rate limit reached for gpt-0 on tokens per min (TPM).", "tokens", RATE),
)
