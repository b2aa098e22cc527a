"""One file from the network, whole or with an error that says what to do instead."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request

from fisc.core.addresses import scrubbed
from fisc.core.errors import DataError, OfflineError
from fisc.core.locations import offline

__all__ = ["get_url"]

MAX_BYTES = 200_000_000
DEADLINE_S = 300.0
_SILENCE_S = 60.0
_PIECE = 65_536


def get_url(address: str, *, most: int = MAX_BYTES, deadline: float = DEADLINE_S) -> bytes:
    """Return the content behind an http(s) address, whole.

    Parameters
    ----------
    address : str
    most : int
        Bytes that may come at most.
    deadline : float
        Seconds that it may take in all.

    Returns
    -------
    bytes

    Raises
    ------
    DataError
        If it is not an address, or the server answers with an error, with too much, or with less than it
        announced.
    OfflineError
        If it cannot be reached, takes too long, or FISC_OFFLINE is set.
    """
    shown = scrubbed(address)
    if not address.startswith(("https://", "http://")):
        raise DataError(f"{shown} is not an http(s) address")
    if offline():
        raise OfflineError(f"FISC_OFFLINE is set, so {shown} is not fetched; give a local copy")
    until = time.monotonic() + deadline
    try:
        request = urllib.request.Request(
            address, headers={"User-Agent": "fisc", "Accept-Encoding": "identity"}
        )
        with urllib.request.urlopen(request, timeout=min(_SILENCE_S, deadline)) as answer:
            return _whole(answer, shown, most, until, deadline)
    except urllib.error.HTTPError as error:
        raise DataError(
            f"{shown} answers {error.code} {error.reason}; check the address, or give a local copy"
        ) from None
    except (urllib.error.URLError, OSError) as error:
        if isinstance(error, (DataError, OfflineError)):
            raise
        why = scrubbed(str(getattr(error, "reason", error)))
        raise OfflineError(f"{shown} cannot be reached ({why}); give a local copy") from None
    except http.client.HTTPException as error:
        why = f"{type(error).__name__}: {scrubbed(str(error))[:80]}"
        raise DataError(f"{shown} does not answer as a web server does ({why}); give a local copy") from None
    except (ValueError, UnicodeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{shown} is not an address ({scrubbed(str(error))[:80]}); correct it") from None


def _whole(answer: http.client.HTTPResponse, shown: str, most: int, until: float, deadline: float) -> bytes:
    """Read an answer to its end, and hold it to the length that it announced."""
    pieces: list[bytes] = []
    came = 0
    while piece := answer.read1(_PIECE):
        pieces.append(piece)
        came += len(piece)
        if came > most:
            raise DataError(
                f"{shown} is larger than {most // 1_000_000} MB; give a local copy of what is needed"
            )
        if time.monotonic() > until:
            raise OfflineError(
                f"{shown} took more than {deadline:g} s, {came} bytes came; try again, or give a local copy"
            )
    announced = answer.headers.get("Content-Length", "")
    if announced.isdigit() and came != int(announced):
        raise DataError(
            f"{shown} announced {announced} bytes and sent {came}: the download was cut off; try again, or give a "
            "local copy"
        )
    return b"".join(pieces)
