"""Tables as HTML: numbers as a reader wants them, great-tables for the table itself."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from fisc.core.cells import cells, is_numeric
from fisc.report.blocks import Table

__all__ = ["render"]

_DECIMALS = 3


def render(table: Table) -> tuple[str, int]:
    """Return the ``<table>`` element of a table, all data escaped, and how many letters wide it is.

    The width is that of the widest cells side by side, with three letters a column for the space between.
    """
    import great_tables

    frame = table.frame
    if frame.shape[1] == 0:
        return '<p class="empty">The table has no columns.</p>', 0
    shown, gap = _shortened(frame, table.max_rows)
    labels, stub = _row_labels(shown, table)
    columns: dict[str, list[str]] = {f"r{i}": values for i, (_, values) in enumerate(labels)}
    titles: dict[str, str] = {f"r{i}": title for i, (title, _) in enumerate(labels)}
    numeric: set[str] = set()
    percent = set(table.percent)
    for i, label in enumerate(frame.columns):
        column = shown.iloc[:, i]
        key = f"c{i}"
        columns[key] = cells(column, _decimals(table, label), label in percent)
        titles[key] = _label(label, shown.columns.nlevels)
        if is_numeric(frame.iloc[:, i]):
            numeric.add(key)
    if gap is not None:
        for values in columns.values():
            values.insert(gap, "⋯")
    # Escaped here, and passed through untouched, so that no version of the library decides.
    escaped = pd.DataFrame({k: [html.escape(v) for v in values] for k, values in columns.items()})
    gt = great_tables.GT(escaped, id="table", rowname_col="r0" if stub else None)
    shown_keys = [key for key in columns if not (stub and key == "r0")]
    gt = gt.fmt_passthrough(columns=list(columns), escape=False)
    heads: dict[str, Any] = {key: _verbatim(titles[key]) for key in shown_keys}
    gt = gt.cols_label(**heads)
    if stub:
        gt = gt.tab_stubhead(label=_verbatim(titles["r0"]))
    gt = gt.cols_align("right", columns=[k for k in shown_keys if k in numeric])
    gt = gt.cols_align("left", columns=[k for k in shown_keys if k not in numeric])
    if frame.columns.nlevels == 2:
        for place, (title, keys) in enumerate(_groups(frame)):
            gt = gt.tab_spanner(_verbatim(title), columns=keys, id=f"s{place}", gather=False)
    text = gt.as_raw_html()
    text = text[text.index("<table") : text.rindex("</table>") + len("</table>")]
    across = sum(
        3 + max(map(len, [*values, *titles[key].split()]), default=0) for key, values in columns.items()
    )
    # Its ids are made from labels, and so may clash; the scopes of headers say the same.
    return re.sub(r'\s(?:data-quarto-[a-z-]+|style|id|headers)="[^"]*"', "", text), across


def _verbatim(words: str) -> Any:
    """Return a label that is shown as it stands: braces would be read as a notation of units."""
    import great_tables

    return great_tables.html(html.escape(words).replace("{", "&#123;").replace("}", "&#125;"))


def _shortened(frame: pd.DataFrame, most: int) -> tuple[pd.DataFrame, int | None]:
    """Return the rows to show, and where rows were left out."""
    if len(frame) <= most:
        return frame, None
    head = math.ceil(most / 2)
    return pd.concat([frame.iloc[:head], frame.iloc[len(frame) - (most - head) :]]), head


def _row_labels(frame: pd.DataFrame, table: Table) -> tuple[list[tuple[str, list[str]]], bool]:
    """Return titles and texts of the columns made from the index, and whether one is a stub."""
    index = frame.index
    counts = isinstance(table.frame.index, pd.RangeIndex) and index.name is None
    if not table.index or counts:
        return [], False
    names = ["" if name is None else str(name) for name in index.names]
    levels = [index.get_level_values(i).to_series() for i in range(index.nlevels)]
    return [(name, cells(level)) for name, level in zip(names, levels, strict=True)], len(names) == 1


def _decimals(table: Table, label: Hashable) -> int:
    if isinstance(table.decimals, Mapping):
        return next((int(n) for name, n in table.decimals.items() if name == label), _DECIMALS)
    return int(table.decimals)


def _label(label: Hashable, levels: int) -> str:
    if levels == 1 or not isinstance(label, tuple):
        return str(label)
    return str(label[-1]) if levels == 2 else " · ".join(str(part) for part in label if str(part))


def _groups(frame: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Return runs of columns that share the upper of two labels."""
    runs: list[tuple[str, list[str]]] = []
    for i, upper in enumerate(frame.columns.get_level_values(0)):
        if runs and runs[-1][0] == str(upper):
            runs[-1][1].append(f"c{i}")
        else:
            runs.append((str(upper), [f"c{i}"]))
    return [run for run in runs if run[0]]
