"""litellm's translation of embeddings for one provider: requests written, answers read."""

import importlib
from collections.abc import Mapping
from typing import Any

from tollkeeper.adapters.litellm.faults import LitellmFault, corrupt
from tollkeeper.adapters.litellm.known import known_provider
from tollkeeper.adapters.litellm.outgoing import Outgoing, encode_json, refused
from tollkeeper.adapters.litellm.quiet import load, quietly
from tollkeeper.adapters.litellm.sealed import Sealed
from tollkeeper.adapters.litellm.styles import Style
from tollkeeper.adapters.litellm.unlogged import Unlogged
from tollkeeper.adapters.wire.vectors import PORT
from tollkeeper.domain.embeddings import EmbeddingRequest
from tollkeeper.domain.errors import ConfigurationError, Unsupported
from tollkeeper.domain.secret import Secret

OUT_OF_REACH = frozenset({"model", "input", "requests", "encoding_format", "dimensions"})
"""What ``extra`` may not set: the price and the reading of the answer rest on it."""


class EmbeddingTranslation:
    """litellm's classes for the embeddings of *litellm_provider*, imported when this is made.

    Raises:
        ConfigurationError: litellm is not installed, or does not know the provider.
    """

    def __init__(self, litellm_provider: str, style: Style, base_url: str) -> None:
        self.provider = litellm_provider
        self.style = style
        self._base_url = base_url
        self._known = known_provider(litellm_provider)
        self._utils: Any = load("litellm.utils")
        self._types: Any = load("litellm.types.utils")
        self._httpx: Any = importlib.import_module("httpx")

    def prepare(self, request: EmbeddingRequest, *, key: Secret) -> Outgoing:
        """Write *request*, with *key*.

        Raises:
            Unsupported: a parameter is not taken, or litellm cannot write the request.
            InvalidRequest: a value in ``extra`` is no JSON.
            ConfigurationError: litellm has no translation for the provider's embeddings.
        """
        beyond = sorted(OUT_OF_REACH & request.extra.keys())
        if beyond:
            raise Unsupported(f"extra may not set {', '.join(beyond)}: the request itself does")
        fault: Exception
        try:
            with quietly(f"{self.provider} embedding request"):
                outgoing = self._written(request, key)
        except (ConfigurationError, Unsupported):
            raise
        except Exception as error:
            fault = refused(error, self.provider)
        else:
            outgoing.check(self._base_url, key, self.provider, port=PORT)
            return outgoing
        raise fault

    def _written(self, request: EmbeddingRequest, key: Secret) -> Outgoing:
        if self.style.route == "gemini":
            return self._for_gemini(request, key)
        manager = self._utils.ProviderConfigManager
        config = manager.get_provider_embedding_config(model=request.model, provider=self._known)
        if config is None:
            return self._commonly(request, key)
        supported = config.get_supported_openai_params(model=request.model)
        params = self._params(request, supported)
        optional = config.map_openai_params(
            non_default_params=params, optional_params={}, model=request.model, drop_params=False
        )
        common = {"model": request.model, "optional_params": optional, "litellm_params": {}}
        headers = config.validate_environment(
            headers={}, messages=[], api_key=key.reveal(), api_base=self._base_url, **common
        )
        url = config.get_complete_url(api_base=self._base_url, api_key=key.reveal(), **common)
        data = config.transform_embedding_request(
            model=request.model,
            input=list(request.texts),
            optional_params=optional,
            headers=headers,
        )
        body = encode_json({**data, **request.extra})
        return Outgoing(url, _sealed(headers), body, False, reading={"config": config})

    def _params(self, request: EmbeddingRequest, supported: Any) -> dict[str, Any]:
        params: dict[str, Any] = {}
        for name, value in (("dimensions", request.dimensions), ("user", request.user)):
            if value is None:
                continue
            if name not in supported:
                raise Unsupported(
                    f"{request.model} does not take {name}: leave it out",
                    code="unsupported_parameter",
                )
            params[name] = value
        return params

    def _commonly(self, request: EmbeddingRequest, key: Secret) -> Outgoing:
        """Write it in the format that litellm leaves to OpenAI's own client."""
        chat = self._utils.ProviderConfigManager.get_provider_chat_config(
            model=request.model, provider=self._known
        )
        common: Any = load("litellm.llms.openai.chat.gpt_transformation")
        if not isinstance(chat, common.OpenAIGPTConfig):
            raise ConfigurationError(
                f"litellm has no translation for the embeddings of {self.provider} that this "
                "adapter can use"
            )
        params = self._params(request, ("dimensions", "user"))
        headers = chat.validate_environment(
            headers={},
            model=request.model,
            messages=[],
            optional_params={},
            litellm_params={},
            api_key=key.reveal(),
            api_base=self._base_url,
        )
        data = {
            "model": request.model,
            "input": list(request.texts),
            "encoding_format": "float",
            **params,
        }
        body = encode_json({**data, **request.extra})
        return Outgoing(f"{self._base_url}/embeddings", _sealed(headers), body, False)

    def _for_gemini(self, request: EmbeddingRequest, key: Secret) -> Outgoing:
        params = self._params(request, ("dimensions",))
        if "dimensions" in params:
            params = {"outputDimensionality": params["dimensions"]}
        module: Any = _gemini()
        data = module.transform_openai_input_gemini_content(
            input=list(request.texts), model=request.model, optional_params=params
        )
        body = encode_json({**data, **request.extra})
        url = f"{self._base_url}/models/{request.model}:batchEmbedContents"
        return Outgoing(url, Sealed({"x-goog-api-key": key.reveal()}), body, False)

    def read(self, outgoing: Outgoing, found: Mapping[str, Any], request: EmbeddingRequest) -> Any:
        """Let litellm read *found*; return its ``EmbeddingResponse``, or what has its form.

        Raises:
            CorruptResponse: it cannot.
        """
        config = outgoing.reading.get("config")
        if config is None and self.style.route != "gemini":
            return found
        empty = self._types.EmbeddingResponse()
        try:
            with quietly(f"{self.provider} embedding answer"):
                if config is None:
                    embeddings = found.get("embeddings") or ()
                    vectors = [each["values"] for each in embeddings]
                    return {"data": [{"embedding": vector} for vector in vectors]}
                response = self._httpx.Response(
                    200,
                    content=encode_json(found),
                    headers={"content-type": "application/json"},
                    request=self._httpx.Request("POST", self._base_url),
                )
                return config.transform_embedding_response(
                    model=request.model,
                    raw_response=response,
                    model_response=empty,
                    logging_obj=Unlogged(),
                    api_key="",
                    request_data={"input": list(request.texts)},
                    optional_params={},
                    litellm_params={},
                )
        except Exception as error:
            fault = corrupt(
                "the provider's answer is not in the format that litellm reads", port=PORT
            )
            fault.__cause__ = LitellmFault(error)
        raise fault


def _gemini() -> Any:
    return load("litellm.llms.vertex_ai.gemini_embeddings.batch_embed_content_transformation")


def _sealed(headers: Mapping[str, Any]) -> Sealed:
    return Sealed({str(name): str(value) for name, value in headers.items()})
