"""Tables of texts, one row for each paragraph, from any library."""

from __future__ import annotations

import pandas as pd

from fisc.core import DataError, TableLike, as_frame

__all__ = ["as_texts"]


def as_texts(name: str, table: TableLike) -> pd.DataFrame:
    """Return a table with a column ``text``, none of it missing; raise DataError for any other."""
    frame = as_frame(name, table, what="a table with a column 'text', as read_speech returns")
    if "text" not in frame.columns or len(frame) == 0:
        raise DataError(
            f"{name} holds no texts; expected a table with a column 'text', as read_speech returns"
        )
    wrong = [i for i, text in enumerate(frame["text"]) if not isinstance(text, str)]
    if wrong:
        raise DataError(
            f"{len(wrong)} of {len(frame)} texts of {name} are missing or not text (first: row {wrong[0]}); "
            "drop those rows"
        )
    return frame
