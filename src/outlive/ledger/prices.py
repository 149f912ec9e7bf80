"""What calls cost, by the price table of genai-prices, in whole nano-dollars.

Prices that are plain rates are taken from the table once an hour and multiplied here; what has tiers is left to the
library. The table comes with the library's version, which is written beside each sum; nothing is fetched.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from outlive.ledger.errors import UnknownPrice
from outlive.ledger.types import NANO, Call, Price, Tokens
from outlive.limits import HOUR

_MILLION: Final = 1_000_000
_RATES: Final = {"input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok"}


@dataclass(frozen=True, slots=True)
class Priced:
    """A sum and the table it comes from."""

    cost: int
    version: str


class Prices:
    """The price table, loaded when it is first asked (0.4 s and 36 MB that many ledgers never need)."""

    def __init__(self) -> None:
        self._library: Any = None
        self._missing = False
        self._rates: dict[tuple[str, str], tuple[int, Price | None]] = {}

    def is_ready_for(self, call: Call) -> bool:
        """Whether the call can be priced without loading anything."""
        return call.price is not None or self._library is not None or self._missing

    async def ready_for(self, call: Call) -> None:
        """Load the table if the call needs it, beside the loop."""
        if not self.is_ready_for(call):
            await asyncio.to_thread(self._load)

    def _load(self) -> None:
        try:
            import genai_prices
        except ImportError:
            self._missing = True
            return
        # the first calculation reads the whole table, which the loop should not wait for
        genai_prices.calc_price(genai_prices.Usage(input_tokens=1), "gpt-4o")
        self._library = genai_prices

    def cost(self, call: Call, tokens: Tokens, now: int) -> Priced:
        """What these tokens cost the call. Raises UnknownPrice where the call says "error". Call `ready_for` first."""
        if call.price is not None:
            return Priced(_halved(by_rates(call.price, tokens), call.batch), "own")
        found = self._known(call, tokens, now)
        if found is not None:
            return Priced(_halved(found, call.batch), f"genai-prices {self._library.__version__}")
        if isinstance(call.unknown_price, int):
            return Priced(call.unknown_price, "unknown: value")
        if call.unknown_price == "zero":
            return Priced(0, "unknown: zero")
        why = (
            "the price table is not installed (pip install 'outlive[ai]')"
            if self._missing
            else "the price table lacks it"
        )
        raise UnknownPrice(
            f"no price is known for model {call.model}"
            f"{f' of {call.provider}' if call.provider else ''}: {why}. "
            "Give the call a price of its own, or say unknown_price='zero'.",
            model=call.model,
            provider=call.provider,
        )

    def _known(self, call: Call, tokens: Tokens, now: int) -> int | None:
        if self._library is None:
            return None
        key = (call.provider, call.model)
        until, rates = self._rates.get(key, (0, None))
        if now >= until:
            try:
                rates = self._plain_rates(call)
            except LookupError:
                return None
            self._rates[key] = (now + HOUR, rates)
        if rates is not None:
            return by_rates(rates, tokens)
        total = self._calculated(call, tokens).total_price
        return int((Decimal(total) * NANO).to_integral_value(ROUND_HALF_UP))

    def _plain_rates(self, call: Call) -> Price | None:
        """The model's rates in nano-dollars per million tokens; None if they depend on how much is used."""
        found = self._calculated(call, Tokens(1, 1)).model_price
        rates: dict[str, int] = {}
        for name in _RATES:
            rate = getattr(found, name, None)
            if rate is None:
                continue
            if not isinstance(rate, Decimal):
                return None
            rates[name] = int(rate * NANO)
        if "input_mtok" not in rates:
            return None
        return Price(
            rates["input_mtok"],
            rates.get("output_mtok", 0),
            rates.get("cache_read_mtok"),
            rates.get("cache_write_mtok"),
        )

    def _calculated(self, call: Call, tokens: Tokens) -> Any:
        usage = self._library.Usage(
            input_tokens=tokens.input,
            output_tokens=tokens.output,
            cache_read_tokens=tokens.cached or None,
            cache_write_tokens=tokens.cache_write or None,
        )
        return self._library.calc_price(usage, call.model, provider_id=call.provider or None)


def by_rates(price: Price, tokens: Tokens) -> int:
    """Nano-dollars of these tokens, rounded half up. `cached` and `cache_write` are parts of `input`."""
    cached = price.input if price.cached is None else price.cached
    write = price.input if price.cache_write is None else price.cache_write
    plain = max(0, tokens.input - tokens.cached - tokens.cache_write)
    millionths = (
        plain * price.input + tokens.cached * cached + tokens.cache_write * write + tokens.output * price.output
    )
    return (millionths + _MILLION // 2) // _MILLION


def _halved(cost: int, batch: bool) -> int:
    """Batch APIs take half."""
    return (cost + 1) // 2 if batch else cost
