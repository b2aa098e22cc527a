"""The data layer: a catalogue of data sets, loaders, fetchers, builders and their cache.

``load_*`` functions work offline and at once, ``fetch_*`` functions use the network once and
then the cache, ``read_*`` functions read the user's own files. All return a DataFrame whose
history is available from `provenance`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fisc.data.arguments import (
    check_array,
    check_is,
    check_number,
    check_seed,
    check_table,
    check_whole,
    is_number,
)
from fisc.data.errors import (
    CorruptFileError,
    DataError,
    DataWarning,
    FiscError,
    InUseError,
    MissingExtraError,
    OfflineError,
    OptionError,
    WriteError,
    check_option,
    nearest,
    require,
)
from fisc.data.files import atomic_write, fingerprint
from fisc.data.locations import cache_dir, data_home, offline
from fisc.data.provenance import Provenance, attach, provenance, record, version

if TYPE_CHECKING:
    from fisc.data.basir_hub import fetch_basir, leakage, read_basir
    from fisc.data.budgets import (
        load_budget_attention,
        load_budget_excerpts,
        load_budget_returns,
        load_nse_industries,
        load_sectors,
    )
    from fisc.data.builders import build, verify
    from fisc.data.cards import Card, Catalogue, card, catalogue
    from fisc.data.equities import load_sp500, load_sp500_index
    from fisc.data.population import GB2, load_employment_by_age, load_incomes, load_occupations
    from fisc.data.price_collect import PriceFetchError
    from fisc.data.price_fetch import fetch_prices
    from fisc.data.price_files import read_prices
    from fisc.data.price_set import PriceSet, PriceState, price_states, price_status, tradable
    from fisc.data.price_sources import Fetched, FileSource, PriceSource, TickerStatus
    from fisc.data.price_yahoo import RetryPolicy, YahooSource
    from fisc.data.taxes import load_tax_schedules

# Public names whose modules need pandas: imported when first asked for (PEP 562).
_LAZY = {
    "Card": "cards",
    "Catalogue": "cards",
    "build": "builders",
    "verify": "builders",
    "card": "cards",
    "catalogue": "cards",
    "load_budget_attention": "budgets",
    "load_budget_excerpts": "budgets",
    "load_budget_returns": "budgets",
    "load_nse_industries": "budgets",
    "load_sectors": "budgets",
    "load_sp500": "equities",
    "load_sp500_index": "equities",
    "GB2": "population",
    "load_employment_by_age": "population",
    "load_incomes": "population",
    "load_occupations": "population",
    "load_tax_schedules": "taxes",
    "Fetched": "price_sources",
    "FileSource": "price_sources",
    "PriceFetchError": "price_collect",
    "PriceSet": "price_set",
    "PriceSource": "price_sources",
    "PriceState": "price_set",
    "RetryPolicy": "price_yahoo",
    "TickerStatus": "price_sources",
    "YahooSource": "price_yahoo",
    "fetch_basir": "basir_hub",
    "fetch_prices": "price_fetch",
    "leakage": "basir_hub",
    "read_basir": "basir_hub",
    "price_states": "price_set",
    "price_status": "price_set",
    "read_prices": "price_files",
    "tradable": "price_set",
}

__all__ = [
    "GB2",
    "Card",
    "Catalogue",
    "CorruptFileError",
    "DataError",
    "DataWarning",
    "Fetched",
    "FileSource",
    "FiscError",
    "InUseError",
    "MissingExtraError",
    "OfflineError",
    "OptionError",
    "PriceFetchError",
    "PriceSet",
    "PriceSource",
    "PriceState",
    "Provenance",
    "RetryPolicy",
    "TickerStatus",
    "WriteError",
    "YahooSource",
    "atomic_write",
    "attach",
    "build",
    "cache_dir",
    "card",
    "catalogue",
    "check_array",
    "check_is",
    "check_number",
    "check_option",
    "check_seed",
    "check_table",
    "check_whole",
    "data_home",
    "fetch_basir",
    "fetch_prices",
    "fingerprint",
    "is_number",
    "leakage",
    "load_budget_attention",
    "load_budget_excerpts",
    "load_budget_returns",
    "load_employment_by_age",
    "load_incomes",
    "load_nse_industries",
    "load_occupations",
    "load_sectors",
    "load_sp500",
    "load_sp500_index",
    "load_tax_schedules",
    "nearest",
    "offline",
    "price_states",
    "price_status",
    "provenance",
    "read_basir",
    "read_prices",
    "record",
    "require",
    "tradable",
    "verify",
    "version",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
