"""Where a number came from: version, options, data fingerprints, seed, time."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fisc.core.addresses import scrubbed
from fisc.core.errors import DataError
from fisc.core.files import fingerprint
from fisc.core.result import Record

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Provenance", "attach", "provenance", "record", "version"]

_KEY = "fisc_provenance"


def version() -> str:
    """Return the installed version of fisc, or ``"0+unknown"`` outside an installation.

    Examples
    --------
    >>> version()[0].isdigit()
    True
    """
    import importlib.metadata

    try:
        return importlib.metadata.version("fisc")
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"


@dataclasses.dataclass(frozen=True)
class Provenance(Record):
    """The history of a result or a data set.

    Attributes
    ----------
    version : str
        Version of fisc.
    options : dict
        What was asked for, JSON-safe.
    inputs : dict of str to str
        Name of each input and its fingerprint.
    seed : int or None
        Seed of the random numbers, if any were drawn from one.
    time : str
        When, ISO 8601, UTC.
    notes : tuple of str
        What was repaired or dropped, counted.
    source : str
        Where the data come from.

    Examples
    --------
    >>> record(options={"alpha": 0.05}, inputs={"prices": "abc"}, seed=1).inputs
    {'prices': 'sha256:ba7816bf8f01cfea'}
    """

    version: str
    options: dict[str, Any]
    inputs: dict[str, str]
    seed: int | None
    time: str
    notes: tuple[str, ...] = ()
    source: str = ""


def record(
    *,
    options: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    seed: int | None = None,
    notes: Sequence[str] = (),
    source: str = "",
) -> Provenance:
    """Describe how a result was made, as of now.

    Parameters
    ----------
    options : mapping, optional
        Options of the call; values that JSON does not know are kept as text.
    inputs : mapping of str to object, optional
        Inputs by name; each is replaced by its `fingerprint`.
    seed : int, optional
        Seed of the random numbers.
    notes : sequence of str
        What was repaired or dropped.
    source : str
        Where the data come from.

    Returns
    -------
    Provenance
    """
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    return Provenance(
        version=version(),
        options={str(k): _plain(v) for k, v in (options or {}).items()},
        inputs={str(k): fingerprint(v) for k, v in (inputs or {}).items()},
        seed=seed,
        time=now.isoformat().replace("+00:00", "Z"),
        notes=tuple(scrubbed(note) for note in notes),
        source=scrubbed(source),
    )


def _plain(value: Any) -> Any:
    """Turn an option into something that JSON can hold."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # a numpy scalar
        return value.item()
    if isinstance(value, str):
        return scrubbed(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(v) for v in value]
    if hasattr(value, "tobytes") and hasattr(value, "shape"):
        return value.tolist() if value.size <= 64 else f"array {value.shape} {fingerprint(value)}"
    return scrubbed(str(value))


def attach(frame: pd.DataFrame, history: Provenance) -> pd.DataFrame:
    """Return `frame` with its provenance attached, readable by `provenance`."""
    frame.attrs[_KEY] = history.to_dict()
    return frame


def provenance(frame: pd.DataFrame) -> Provenance:
    """Return the provenance of a frame that fisc loaded, read or fetched.

    Parameters
    ----------
    frame : DataFrame
        An answer of a ``load_*``, ``read_*`` or ``fetch_*`` function, or a slice of one.

    Returns
    -------
    Provenance

    Raises
    ------
    DataError
        If the frame does not carry one.

    Examples
    --------
    >>> import fisc.data
    >>> fisc.data.provenance(fisc.data.load_sectors()).source[:5]
    'fisc:'
    """
    held = getattr(frame, "attrs", {}).get(_KEY)
    if held is None:
        raise DataError(
            "this frame carries no provenance: it did not come from fisc.data, or an operation "
            "dropped it; call fisc.data.provenance on the loaded frame before changing it"
        )
    return Provenance.from_dict(held)
