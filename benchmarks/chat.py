"""A chat completion over HTTP: our adapters, a bare HTTP client, and the usual libraries."""

from benchmarks.asking import CHUNKS
from benchmarks.asking_others import (
    AnthropicSdk,
    Litellm,
    LitellmAnthropic,
    LitellmRouter,
    OpenaiSdk,
)
from benchmarks.asking_us import BareAiohttp, OurAnthropic, OurOpenai
from benchmarks.contender import Benchmark, Case, Entry

_TITLES = {
    "whole": "whole answer",
    "stream-22": "22-chunk stream",
    "stream-100": "100-chunk stream",
}

CHAT = Benchmark(
    name="chat",
    title="A chat completion over HTTP, loopback",
    operation="call",
    entries=(
        Entry("our-openai", "tollkeeper, openai", OurOpenai, side="ours", package="aiohttp"),
        Entry(
            "aiohttp",
            "bare aiohttp {version} + json",
            BareAiohttp,
            side="floor",
            package="aiohttp",
        ),
        Entry("openai-sdk", "openai {version}", OpenaiSdk, package="openai"),
        Entry("litellm", "litellm {version}, openai/", Litellm, package="litellm"),
        Entry("litellm-router", "litellm {version}, Router", LitellmRouter, package="litellm"),
        Entry(
            "our-anthropic",
            "tollkeeper, anthropic",
            OurAnthropic,
            side="ours",
            package="anthropic",
            beside="our-anthropic",
        ),
        Entry(
            "anthropic-sdk",
            "anthropic {version}",
            AnthropicSdk,
            package="anthropic",
            beside="our-anthropic",
        ),
        Entry(
            "litellm-anthropic",
            "litellm {version}, anthropic/",
            LitellmAnthropic,
            package="litellm",
            beside="our-anthropic",
        ),
    ),
    cases=tuple(
        Case(
            f"{_TITLES[mode]}, {callers} at once",
            callers,
            mode,
            parts=0 if mode == "whole" else count,
            run_in="whole",
        )
        for mode, count in CHUNKS.items()
        for callers in (1, 16, 64, 256)
    ),
    baseline="our-openai",
    needs_upstream=True,
)
