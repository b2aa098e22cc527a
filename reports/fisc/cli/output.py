"""What every command does with what it found: JSON, tables, pages and pictures, under the same options.

``--json`` prints exactly the result's `to_dict`, strict JSON; ``--csv`` writes its table, ``--html`` its
page, and ``--out`` a folder with all of it. Each file is written whole or not at all.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, get_args

import typer

import fisc.report
from fisc.cli.terminal import console, print_table, say_written
from fisc.core.files import atomic_write
from fisc.core.result import Record

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "Csv",
    "Html",
    "Jobs",
    "Json",
    "Listing",
    "Out",
    "OwnRandomState",
    "RandomState",
    "deliver",
    "listing",
    "print_json",
]

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for scripts.")]
Csv = Annotated[Path | None, typer.Option("--csv", help="Write the table to this file.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write a page that opens offline in a browser.")]
Out = Annotated[
    Path | None, typer.Option("--out", help="Write JSON, table, page and pictures into this folder.")
]
RandomState = Annotated[
    int, typer.Option("--random-state", "--seed", min=0, help="Same number, same result.")
]
# Where Python derives the seed from the data unless one is given.
OwnRandomState = Annotated[
    int | None, typer.Option("--random-state", "--seed", min=0, help="Same number, same result.")
]
Jobs = Annotated[int, typer.Option("--jobs", help="Processes side by side; -1 for all cores.")]


def completion(literal: object) -> Callable[[], list[str]]:
    """Return what Tab offers for a repeatable option, from the literal of its values."""
    return lambda: list(get_args(literal))


class Deliverable(Protocol):
    """A result as every instrument gives it."""

    def summary(self) -> str: ...
    def to_frame(self) -> pd.DataFrame: ...
    def to_dict(self) -> dict[str, object]: ...
    def section(self) -> fisc.report.Section: ...


@dataclasses.dataclass(frozen=True, eq=False)
class Listing(Record):
    """What a command lists, one object an entry."""

    items: list[dict[str, object]]


def listing(records: Iterable[Record]) -> Listing:
    """Return records as one document, each without its own schema."""
    return Listing(
        [
            {k: v for k, v in record.to_dict().items() if k not in ("schema", "not_finite")}
            for record in records
        ]
    )


def print_json(record: Record | Deliverable) -> None:
    """Print a result as strict JSON on standard output."""
    typer.echo(json.dumps(record.to_dict(), indent=2, ensure_ascii=False, allow_nan=False))


def deliver(
    result: Deliverable,
    title: str,
    *,
    as_json: bool,
    csv: Path | None = None,
    html: Path | None = None,
    out: Path | None = None,
    pictures: Mapping[str, Callable[[], Axes]] | None = None,
    say: Callable[[], None] | None = None,
) -> None:
    """Write what was asked for (table, page, folder of everything), then print the result as JSON or in words.

    `pictures` gives the name of each further picture in the folder and what draws it; `say` prints the result for
    a person, in place of its summary.
    """
    files = {csv: "csv", html: "html"}
    if out is not None:
        files |= {out / "result.json": "json", out / "table.csv": "csv", out / "report.html": "html"}
    for path, kind in files.items():
        if path is not None:
            _write(result, title, path, kind)
            say_written(path)
    if out is not None:
        for name, draw in (pictures or {}).items():
            _picture(draw(), out / f"{name}.png")
            say_written(out / f"{name}.png")
    if as_json:
        print_json(result)
    elif say is not None:
        say()
    else:
        console().print(result.summary(), markup=False)


def _write(result: Deliverable, title: str, path: Path, kind: str) -> None:
    if kind == "html":
        fisc.report.Report(title, [result.section()]).to_html(path)
        return
    with atomic_write(path) as handle:
        if kind == "csv":
            frame = result.to_frame()
            # Row numbers say nothing; labels of rows are data.
            frame.to_csv(handle, index=frame.index.name is not None or not _numbered(frame))
        else:
            json.dump(result.to_dict(), handle, ensure_ascii=False, allow_nan=False)


def _numbered(frame: pd.DataFrame) -> bool:
    return type(frame.index).__name__ == "RangeIndex"


def _picture(axes: Axes, path: Path) -> None:
    figure = axes.get_figure(root=True)
    assert figure is not None
    with atomic_write(path, "wb") as handle:
        figure.savefig(handle, format="png", dpi=150, facecolor="white")


def show_frame(
    frame: pd.DataFrame,
    title: str,
    formats: Mapping[str, str] | str = "",
    *,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Print a frame as a table, the index as its first column.

    `formats` are those of numbers, for all columns or by column; `labels` are heads of columns, others are
    their names without underscores.
    """
    heads = [(labels or {}).get(str(c), str(c).replace("_", " ")) for c in frame.columns]
    right = [kind.kind not in "OUTM" if hasattr(kind, "kind") else False for kind in frame.dtypes]
    rows = []
    for name, row in zip(frame.index, frame.itertuples(index=False), strict=True):
        cells = [
            _cell(value, formats if isinstance(formats, str) else formats.get(str(column), ""))
            for column, value in zip(frame.columns, row, strict=True)
        ]
        rows.append([f"{name:%Y-%m-%d}" if hasattr(name, "strftime") else str(name), *cells])
    print_table(title, [str(frame.index.name or "").replace("_", " "), *heads], rows, [False, *right])


def _cell(value: object, pattern: str) -> str:
    if isinstance(value, float) and value != value:
        return "–"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return format(value, pattern)
    return str(value)
