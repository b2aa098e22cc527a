"""``fisc data``: the catalogue, and data sets as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.padding import Padding
from rich.text import Text

import fisc.data
from fisc.cli.output import Json, Listing, listing, print_json
from fisc.cli.terminal import console, progress_bar
from fisc.core import data_home, offline

__all__ = ["app"]

app = typer.Typer(help="Data sets: list, describe, build to files, verify.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name in the catalogue; see `fisc data list`.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List every data set with source, licence, rows and span."""
    cards = fisc.data.catalogue()
    if as_json:
        print_json(
            Listing(
                [{**item, "span": card.span} for card, item in zip(cards, listing(cards).items, strict=True)]
            )
        )
        return
    out = console()
    out.soft_wrap = False
    for card in cards:
        rows = "" if card.rows is None else f"{card.rows:,} rows, "
        out.print(Text(card.name, style="bold") + Text(f"  {rows}{card.span}, {card.kind}", style="not bold"))
        out.print(Padding(Text(f"{card.title}. {card.source}; {card.licence}", style="dim"), (0, 0, 0, 4)))


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """Show the card of a data set: columns with units, source, licence, known faults."""
    found = fisc.data.card(name)
    if as_json:
        print_json(found)
    else:
        typer.echo(str(found))


@app.command()
def build(
    name: Name,
    out: Annotated[Path, typer.Option("--out", help="Folder for NAME.parquet and NAME.json.")],
    source: Annotated[
        str | None, typer.Option("--from", help="Folder or address that the data set is built from.")
    ] = None,
    tickers: Annotated[str | None, typer.Option(help="Tickers, separated by commas.")] = None,
    start: Annotated[str | None, typer.Option(help="First day, YYYY-MM-DD.")] = None,
    end: Annotated[str | None, typer.Option(help="Last day, YYYY-MM-DD.")] = None,
    year: Annotated[int | None, typer.Option(help="One year.")] = None,
    as_json: Json = False,
) -> None:
    """Write a data set as Parquet with a JSON card; again changes nothing."""
    options = {
        "source": source,
        "tickers": [t.strip() for t in tickers.split(",") if t.strip()] if tickers else None,
        "start": start,
        "end": end,
        "year": year,
    }
    with progress_bar(f"building {name}", show=not as_json) as step:
        built = fisc.data.build(name, out, options, progress=step)
    if as_json:
        print_json(built)
    elif built.rebuilt:
        kept = f", {built.parts_kept} parts kept from before" if built.parts_kept else ""
        typer.echo(f"wrote {built.data} ({built.rows:,} rows{kept})")
    else:
        typer.echo(f"{built.data} is up to date ({built.rows:,} rows); nothing was written")


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder that `fisc data build` wrote to.")],
    as_json: Json = False,
) -> None:
    """Compare the files of a folder with their cards; exit code 1 if one differs."""
    checks = fisc.data.verify(folder)
    if as_json:
        print_json(Listing([{"path": str(c.path), "ok": c.ok, "problem": c.problem} for c in checks]))
    else:
        for c in checks:
            typer.echo(f"{'ok    ' if c.ok else 'WRONG '} {c.path}{'' if c.ok else ' ' + c.problem}")
    if not all(c.ok for c in checks):
        raise typer.Exit(1)


@app.command()
def doctor(
    file: Annotated[Path, typer.Argument(help="A CSV or Parquet file of prices.")],
    as_json: Json = False,
) -> None:
    """Print what a price file is taken for, and what looks wrong; exit code 1 if it cannot be read."""
    found = fisc.data.examine(file)
    if as_json:
        print_json(found)
    else:
        typer.echo(found.summary())
    if not found.readable:
        raise typer.Exit(1)


@app.command()
def path(as_json: Json = False) -> None:
    """Print the folder where fisc keeps fetched data (FISC_HOME moves it)."""
    if as_json:
        print_json(Listing([{"home": str(data_home()), "offline": offline()}]))
    else:
        typer.echo(str(data_home()))
