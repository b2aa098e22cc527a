"""One file from the network, whole or with an error that says what to do instead."""

from __future__ import annotations

import urllib.error
import urllib.request

from fisc.core.errors import DataError, OfflineError

__all__ = ["get_url"]

MAX_BYTES = 200_000_000


def get_url(address: str) -> bytes:
    """Return the content behind an http(s) address.

    Raises
    ------
    DataError
        If it is not an address, or answers with an error.
    OfflineError
        If it cannot be reached.
    """
    if not address.startswith(("https://", "http://")):
        raise DataError(f"{address} is not an http(s) address")
    request = urllib.request.Request(address, headers={"User-Agent": "fisc"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            content: bytes = answer.read(MAX_BYTES)
            return content
    except urllib.error.HTTPError as error:
        raise DataError(
            f"{address} answers {error.code}; check the address, or give path= to a local copy"
        ) from error
    except (urllib.error.URLError, OSError) as error:
        raise OfflineError(
            f"{address} cannot be reached ({getattr(error, 'reason', error)}); give path= to a local copy"
        ) from error
