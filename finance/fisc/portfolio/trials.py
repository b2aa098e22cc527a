"""Two records that keep a search honest: every trial that was run, and a hold-out that counts its openings."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fisc.core import (
    CorruptFileError,
    DataError,
    DataWarning,
    FloatArray,
    atomic_write,
    check_number,
    fingerprint,
)
from fisc.core.files import locked
from fisc.portfolio.market import PERIODS_PER_YEAR, Date, Market
from fisc.portfolio.statistics import deflated_sharpe

__all__ = ["HoldOut", "TrialLog"]


class TrialLog:
    """A file with one line for every configuration and seed that was ever tried.

    Parameters
    ----------
    path : path
        JSON lines; made at the first trial. Several processes may add to it.

    Examples
    --------
    >>> import tempfile
    >>> log = TrialLog(Path(tempfile.mkdtemp()) / "trials.jsonl")
    >>> log.add({"network": "eiie"}, seed=0, sharpe=0.9)
    >>> len(log), log.sharpes().round(4).tolist()
    (1, [0.0567])
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def add(self, config: Mapping[str, object], *, seed: int, sharpe: float) -> None:
        """Record one trial.

        Parameters
        ----------
        config : mapping
            What was tried; JSON-able or printable values.
        seed : int
        sharpe : float
            Annualised, on whatever the choice is made by.
        """
        line = {
            "time": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "config": {key: repr(value) for key, value in config.items()},
            "seed": seed,
            "sharpe": float(sharpe),
        }
        with locked(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def trials(self) -> list[dict[str, Any]]:
        """Return the trials in the order of their record."""
        if not self.path.exists():
            return []
        found = []
        for number, line in enumerate(self.path.read_bytes().split(b"\n"), start=1):
            if not line:
                continue
            try:
                trial = json.loads(line)
                found.append({**trial, "sharpe": check_number("sharpe", trial["sharpe"])})
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise DataError(
                    f"line {number} of the trial log {self.path} is damaged ({error}); restore the file: "
                    "a log with missing trials makes the deflated Sharpe ratio too good"
                ) from error
        return found

    def sharpes(self) -> FloatArray:
        """Return the Sharpe ratios per period of all trials."""
        annual = np.array([trial["sharpe"] for trial in self.trials()], dtype=np.float64)
        return np.asarray(annual / np.sqrt(PERIODS_PER_YEAR))

    def deflated_sharpe(self, returns: ArrayLike) -> float:
        """Return the deflated Sharpe ratio of `returns` given every trial in the log."""
        if not len(self):
            raise DataError(f"the trial log {self.path} is empty; add every trial before deflating")
        return deflated_sharpe(returns, self.sharpes())

    def __len__(self) -> int:
        return len(self.trials())


@dataclasses.dataclass(frozen=True)
class HoldOut:
    """The last part of a market, locked; every opening is counted in a file.

    Made by `lock`. `development` is what may be used freely; `open` gives the whole market and
    the row at which the hold-out starts, and adds to the counter: results from a second opening
    are no longer a clean test, and a warning says so.

    Attributes
    ----------
    market : Market
    row : int
        First row of the hold-out.
    path : pathlib.Path
        The record.

    Examples
    --------
    >>> import tempfile
    >>> market = Market.from_prices([[1.0, 1.0]] * 10)
    >>> hold = HoldOut.lock(market, 7, Path(tempfile.mkdtemp()) / "holdout.json")
    >>> len(hold.development), hold.openings
    (7, 0)
    >>> _ = hold.open("final table")
    >>> hold.openings
    1
    """

    market: Market
    row: int
    path: Path

    @classmethod
    def lock(cls, market: Market, start: Date, path: str | Path) -> HoldOut:
        """Lock everything from `start` (a row number or a date) on, or find the lock again.

        Raises
        ------
        DataError
            If the record belongs to other data or another start.
        """
        row = int(start) if isinstance(start, int | np.integer) else market.row(start)
        if not 2 <= row <= len(market) - 2:
            raise DataError(f"a hold-out from row {row} of {len(market)} leaves nothing on one side")
        path = Path(path)
        identity = {"data": fingerprint(market.close), "row": row, "start": str(market.dates[row])}
        if path.exists():
            known = _record(path)
            if {key: known.get(key) for key in identity} != identity:
                raise DataError(
                    f"{path} locks other data or another start ({known.get('start')}, row {known.get('row')}); "
                    "a hold-out is chosen once: use its start, or another file for another study"
                )
        else:
            with atomic_write(path, "w") as file:
                json.dump({**identity, "openings": []}, file, indent=1)
        return cls(market, row, path)

    @property
    def development(self) -> Market:
        """The market before the hold-out."""
        return self.market[: self.row]

    @property
    def openings(self) -> int:
        """How often the hold-out has been opened."""
        return len(_record(self.path)["openings"])

    def open(self, reason: str) -> tuple[Market, int]:
        """Return the whole market and the hold-out's first row, and count it.

        Parameters
        ----------
        reason : str
            What for; kept in the record.
        """
        with locked(self.path):
            state = _record(self.path)
            now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
            state["openings"].append({"time": now, "reason": reason})
            with atomic_write(self.path, "w") as file:
                json.dump(state, file, indent=1)
        count = len(state["openings"])
        if count > 1:
            warnings.warn(
                f"the hold-out {self.path} has now been opened {count} times; only the first is a clean test",
                DataWarning,
                stacklevel=2,
            )
        return self.market, self.row


def _record(path: Path) -> dict[str, Any]:
    """Return the record of a hold-out, or raise a CorruptFileError."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(state, dict) or not isinstance(state["openings"], list):
            raise ValueError("it needs an object with a list of openings")
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise CorruptFileError(
            f"the record {path} is damaged ({error!r:.120}); restore it: without it nobody knows how often the "
            "hold-out was opened"
        ) from error
    return state
