"""Elections of governors: what voters' families earned under the winners, and how counties voted."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pandas as pd

from fisc.core.errors import CorruptFileError, DataError, OfflineError, require
from fisc.core.files import atomic_write
from fisc.core.history import attach, record
from fisc.core.locations import cache_dir, offline
from fisc.data.download import get_url
from fisc.data.tables import embedded_bytes, embedded_provenance

__all__ = ["load_governor_elections", "load_governor_incomes"]

# File of doi:10.7910/DVN/DGUMFI, an R workspace with one table.
RETURNS_URL = "https://dataverse.harvard.edu/api/access/datafile/5028535"
# SHA-256 of the table that `load_governor_elections` returns, written as CSV: 70 492 rows.
RETURNS_SHA256 = "b0c42d7bcda60850808bf303dc5c5867538baa2c31bbe2db396a67f0ac57cc71"
FIRST_YEAR = 1940

_INCOMES = "governor_incomes.parquet"
# Names of the columns in the file of the Dataverse, in the order of ours.
_COLUMNS = {
    "election_year": "year",
    "state": "state",
    "fips": "county_fips",
    "democratic_raw_votes": "democratic_votes",
    "republican_raw_votes": "republican_votes",
}


def load_governor_incomes() -> pd.DataFrame:
    """Load incomes by state and year, 1998 to 2004, with the margin of the governor's election.

    Returns
    -------
    DataFrame, shape (231, 104)
        One row a state and year: ``unit``, ``state`` (postal code), ``year``, ``election_year`` of the governor in
        office, ``margin`` of the Democrat in that election (share of the two parties' votes, -1 to 1, negative where
        the Republican won), and ``q01`` to ``q99``, the percentiles of family income in multiples of the poverty
        threshold. 92 elections in 33 states.

    Notes
    -----
    The outcome is that of the paper's application, the sample is not: the paper has 356 state-years from 1984 to
    2010 with survey weights. A governor counts from the year after the election.

    References
    ----------
    Van Dijcke, D. (2026), arXiv:2504.03992; Dube, A. (2019), Minimum Wages and the Distribution of Family Incomes,
    American Economic Journal: Applied Economics 11, 268-304.

    Examples
    --------
    >>> incomes = load_governor_incomes()
    >>> len(incomes), int((incomes["margin"] >= 0).sum()), round(float(incomes["q50"].mean()), 2)
    (231, 88, 2.53)
    """
    content = embedded_bytes(_INCOMES)
    frame = pd.read_parquet(io.BytesIO(content))
    return attach(frame, embedded_provenance({_INCOMES: content}, "DiSCos (MIT); county returns"))


def load_governor_elections(path: str | Path | None = None, *, any_version: bool = False) -> pd.DataFrame:
    """Load the votes of every county in elections of governors, 1940 to 2020.

    Fetched once from the Harvard Dataverse to the cache, since the terms of the file could not be confirmed; reading
    it needs the extra ``rdata``.

    Parameters
    ----------
    path : str or Path, optional
        A copy of the file (.RData, .rda), or a table with its columns (.parquet, .csv, .csv.gz); nothing is fetched
        then.
    any_version : bool
        Accept a table other than the one that fisc knows by its checksum.

    Returns
    -------
    DataFrame, shape (70492, 5)
        One row a county and general election in which both parties won votes: ``year``, ``state`` (postal code),
        ``county_fips``, ``democratic_votes``, ``republican_votes``; sorted.

    Raises
    ------
    OfflineError
        If it must be fetched and there is no network, or FISC_OFFLINE is set.
    MissingExtraError
        If an R file is read without the extra.
    CorruptFileError
        If the table is not the one that fisc knows.
    DataError
        If the file lacks a column.

    References
    ----------
    Algara, C. and Amlani, S. (2021), Replication Data for: Partisanship & Nationalization in American Elections,
    Harvard Dataverse, doi:10.7910/DVN/DGUMFI.

    Examples
    --------
    >>> returns = load_governor_elections("returns.RData")  # doctest: +SKIP
    """
    file = _fetched() if path is None else Path(path)
    if not file.is_file():
        raise DataError(f"there is no file {str(file)!r}; give a copy of {RETURNS_URL}, or leave path= out")
    frame = _tidy(_read(file), file)
    digest = hashlib.sha256(frame.to_csv(index=False, lineterminator="\n").encode()).hexdigest()
    if digest != RETURNS_SHA256 and not any_version:
        raise CorruptFileError(
            f"{file} holds another table than the one that fisc knows ({len(frame)} rows, SHA-256 {digest[:12]}...); "
            "get the file anew, or pass any_version=True to use it as it is"
        )
    return attach(
        frame,
        record(
            options={"any_version": any_version},
            inputs={file.name: frame},
            notes=[] if digest == RETURNS_SHA256 else ["not the version that fisc knows"],
            source="doi:10.7910/DVN/DGUMFI",
        ),
    )


def _fetched() -> Path:
    """Return the file of the Dataverse in the cache, fetching it if it is not there."""
    file = cache_dir() / "governors" / "returns.RData"
    if not file.exists():
        if offline():
            raise OfflineError(
                f"FISC_OFFLINE is set, so {RETURNS_URL} is not fetched; give path= to a local copy"
            )
        content = get_url(RETURNS_URL)
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file, "wb") as handle:
            handle.write(content)
    return file


def _read(file: Path) -> pd.DataFrame:
    """Return the table of an R workspace, a Parquet or a CSV file."""
    name = file.name.lower()
    if name.endswith((".rdata", ".rda")):
        tables = require("rdata", extra="rdata").read_rda(file).values()
        frame: pd.DataFrame | None = next((t for t in tables if isinstance(t, pd.DataFrame)), None)
        if frame is None:
            raise DataError(f"{file} holds no data frame; give a copy of {RETURNS_URL}")
        return frame
    if name.endswith((".parquet", ".pq")):
        return pd.read_parquet(file)
    if name.endswith((".csv", ".csv.gz")):
        return pd.read_csv(file, low_memory=False)
    raise DataError(f"{file} is of a kind that is not read here; give .RData, .parquet or .csv")


def _tidy(raw: pd.DataFrame, file: Path) -> pd.DataFrame:
    """Return general elections in which both parties won votes, in our columns, sorted."""
    frame: pd.DataFrame = raw.rename(columns=_COLUMNS)
    missing = [ours for ours in _COLUMNS.values() if ours not in frame]
    if missing:
        raise DataError(f"{file} lacks the columns {missing}; give a copy of {RETURNS_URL}")
    if "election_type" in frame:
        frame = frame[frame["election_type"].astype(str) == "G"]
    frame = frame[list(_COLUMNS.values())]
    numbers = frame.drop(columns="state").apply(pd.to_numeric, errors="coerce")
    usable = (numbers["democratic_votes"] > 0) & (numbers["republican_votes"] > 0)
    usable &= (numbers["year"] >= FIRST_YEAR) & numbers["county_fips"].notna()
    kept: pd.DataFrame = numbers[usable].astype("int64")
    kept.insert(1, "state", frame.loc[usable, "state"].astype(str))
    return kept.sort_values(list(kept.columns), ignore_index=True)
