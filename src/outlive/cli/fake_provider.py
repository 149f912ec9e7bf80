"""`outlive fake-provider`: a model provider for tests, with OpenAI's and Anthropic's protocols."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import click


@click.command("fake-provider")
@click.option("--ip", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "-p", "--port", type=click.IntRange(0, 65535), default=9234, show_default=True, help="0 picks a free one."
)
@click.option("--requests-per-minute", type=click.IntRange(min=1), help="For each key and model.")
@click.option("--tokens-per-minute", type=click.IntRange(min=1), help="For each key and model.")
@click.option("--context", type=click.IntRange(min=1), default=200_000, show_default=True, help="Tokens of a prompt.")
@click.option(
    "--speed", type=click.FloatRange(min=0.001), default=1.0, show_default=True, help="How fast its minutes pass."
)
@click.option("--batch-seconds", type=click.FloatRange(min=0), default=60.0, show_default=True)
@click.option("--script", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Rules, as JSON.")
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), help="Append what was answered, as JSON lines.")
def fake_provider(
    ip: str,
    port: int,
    requests_per_minute: int | None,
    tokens_per_minute: int | None,
    context: int,
    speed: float,
    batch_seconds: float,
    script: Path | None,
    log: Path | None,
) -> None:
    """Answer model calls without a model: for tests, and for trying things without a key.

    Point OPENAI_BASE_URL or ANTHROPIC_BASE_URL at it; any key will do.
    """
    from outlive.testing.providers import FakeProvider, RateLimits, rules_of

    async def serve() -> None:
        limits = RateLimits(requests_per_minute, tokens_per_minute)
        provider = FakeProvider(
            limits=limits, scale=speed, context=context, batch_seconds=batch_seconds, log_path=log, host=ip, port=port
        )
        if script is not None:
            try:
                provider.script.rules = rules_of(json.loads(script.read_text()))
            except ValueError as error:
                raise click.ClickException(f"{script}: {error}") from None
        try:
            await provider.start()
        except OSError as error:
            raise click.ClickException(f"cannot listen on {ip}:{port}: {error.strerror}. Try --port 0.") from None
        stopping = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        click.echo(f"OPENAI_BASE_URL={provider.openai_url}\nANTHROPIC_BASE_URL={provider.anthropic_url}")
        await stopping.wait()
        await provider.stop()

    asyncio.run(serve())
