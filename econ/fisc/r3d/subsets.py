"""Some rows of micro-data: those for which a condition or a mask is true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fisc.core import DataError

from .segments import Reading

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation


def chosen_rows(frame: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """Return the rows of a table for which the condition, or the entry of a mask, is true."""
    import duckdb

    subset = reading.subset
    if isinstance(subset, str):
        used = [i for i, name in enumerate(frame.columns) if str(name) in subset]
        numbered = frame.iloc[:, used].set_axis([str(frame.columns[i]) for i in used], axis=1)
        with duckdb.connect() as connection:
            numbered.insert(0, "fisc row", np.arange(len(frame)))
            rows = (
                filtered(connection.from_df(numbered), subset).project('"fisc row"').fetchnumpy()["fisc row"]
            )
        kept = frame.iloc[np.sort(np.asarray(rows))]
    else:
        mask = np.asarray(subset)
        if mask.dtype != bool or mask.shape != (len(frame),):
            raise DataError(
                f"subset is of shape {mask.shape} and type {mask.dtype}; give a condition in SQL such as "
                f"'year >= 2000', or {len(frame)} truth values"
            )
        kept = frame[mask]
    reading.notes.messages.append(f"subset: {len(kept)} of {len(frame)} rows")
    if not len(kept):
        raise DataError("no row is left by subset=; check the condition")
    return kept


def filtered(rows: DuckDBPyRelation, condition: str) -> DuckDBPyRelation:
    """Return the rows for which a condition in SQL is true."""
    import duckdb

    try:
        kept = rows.filter(condition)
    except duckdb.Error as error:
        raise DataError(
            f"subset={condition!r} is not a condition on these columns ({str(error).splitlines()[0]:.120}); write it "
            "as in SQL, such as \"year >= 2000 and state = 'OH'\""
        ) from error
    return kept
