"""``fisc basir``: sectors of a budget speech, rankings, event studies, training, evaluation."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fisc.cli.terminal import console, print_json, progress_bar

if TYPE_CHECKING:
    import pandas as pd

    from fisc.basir import SectorClassifier, Taxonomy

__all__ = ["app"]

app = typer.Typer(
    help="Budget speeches: which sectors they touch, and how these will do.", no_args_is_help=True
)


class Method(enum.StrEnum):
    """Strengths of the classifier."""

    lexical = "lexical"
    pair = "pair"
    finetuned = "finetuned"


class EventModel(enum.StrEnum):
    """Models of the expected return."""

    market = "market"
    mean_adjusted = "mean_adjusted"
    market_adjusted = "market_adjusted"


Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write a page that opens offline in a browser.")]
Csv = Annotated[Path | None, typer.Option("--csv", help="Write the table as CSV.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
MethodOption = Annotated[
    Method, typer.Option("--method", help="lexical needs no torch; pair and finetuned do.")
]
Model = Annotated[Path | None, typer.Option("--model", help="Folder that `fisc basir train` wrote.")]
Sectors = Annotated[Path | None, typer.Option("--taxonomy", help="CSV with a column sector, and keywords.")]
EncoderName = Annotated[
    str | None, typer.Option("--encoder", help="Name or path of a sentence-transformers model.")
]
Speech = Annotated[str, typer.Argument(help="PDF or text file, or http(s) address.")]
Labelled = Annotated[
    Path | None,
    typer.Option(
        "--labels", help="CSV or JSON lines with text and sectors; the packaged excerpts by default."
    ),
]


@app.command()
def classify(
    speech: Speech,
    method: MethodOption = Method.lexical,
    model: Model = None,
    taxonomy: Sectors = None,
    encoder: EncoderName = None,
    html: Html = None,
    csv: Csv = None,
    json: Json = False,
    date: Annotated[str | None, typer.Option(help="Day of the speech, YYYY-MM-DD.")] = None,
    seed: Seed = 0,
) -> None:
    """Find the sectors of every paragraph of a speech, with the words that are the evidence."""
    from fisc.basir import classify_speech, read_speech

    with progress_bar("reading") as step:
        step("reading", 0, 3)
        paragraphs = read_speech(speech, date=date)
        step("preparing the classifier", 1, 3)
        classifier = _classifier(method, model, taxonomy, encoder, seed)
        step("classifying", 2, 3)
        found = classify_speech(classifier, paragraphs, title=_title(speech, paragraphs))
        step("done", 3, 3)
    frame = found.to_frame()
    _write(frame, csv)
    if html is not None:
        found.report().to_html(html)
    if json:
        print_json(frame.to_dict("records"))
        return
    out = console()
    out.print(found.summary(), markup=False)
    counts = frame.groupby("sector").agg(
        paragraphs=("paragraph", "nunique"), best=("score", "max"), words=("words", "first")
    )
    _table("Sectors", counts.sort_values(["paragraphs", "best"], ascending=False).head(25), {"best": 2})
    if html is not None:
        out.print(f"page: {html.absolute()}", markup=False)


@app.command()
def rank(
    speech: Annotated[
        str | None, typer.Argument(help="Speech to rank; without it the last packaged budget.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="surprise, attention, last_budget, ridge, lambdamart, ...")
    ] = "surprise",
    date: Annotated[str | None, typer.Option(help="Day of the speech, YYYY-MM-DD.")] = None,
    coverage: Annotated[float, typer.Option(help="Of the intervals, 0 to 1.")] = 0.9,
    csv: Csv = None,
    json: Json = False,
    seed: Seed = 0,
) -> None:
    """Rank sectors with intervals; "no call" where the interval covers zero."""
    if speech is not None:
        day = _budget_day(speech, date, method, coverage, None, seed)
        frame, text = day.headline, day.summary()
    else:
        from fisc.basir import SectorRanker
        from fisc.basir.ranking.signals import packaged_signals

        signals, returns = packaged_signals()
        last = signals.index.get_level_values(0).max()
        now = signals.index.get_level_values(0) == last
        ranker = SectorRanker(method, coverage=coverage, random_state=seed)
        ranking = ranker.fit(signals[~now], returns[~now]).rank(signals[now])
        frame, text = ranking.frame, ranking.summary()
    _write(frame.reset_index(), csv)
    if json:
        print_json(frame.reset_index().to_dict("records"))
        return
    console().print(text.splitlines()[0], markup=False)
    shown = [c for c in ("rank", "expected_pct", "low_pct", "high_pct", "call", "para") if c in frame.columns]
    _table("Ranking", frame[shown], {"expected_pct": 2, "low_pct": 2, "high_pct": 2})


@app.command()
def events(
    prices: Annotated[
        Path, typer.Argument(help="CSV or Parquet of closing prices: a date column, one column an asset.")
    ],
    market: Annotated[str, typer.Option(help="Column that is the market.")],
    dates: Annotated[
        str | None,
        typer.Option("--events", help="Days separated by commas; the budgets in the file's span by default."),
    ] = None,
    model: Annotated[EventModel, typer.Option(help="Model of the expected return.")] = EventModel.market,
    first: Annotated[int, typer.Option(help="First trading day of the window, relative to the event.")] = 0,
    last: Annotated[int, typer.Option(help="Last trading day of the window.")] = 0,
    csv: Csv = None,
    html: Html = None,
    json: Json = False,
) -> None:
    """Measure abnormal returns around budget days, and test them."""
    from fisc.basir.market.events import event_study

    frame = _prices(prices)
    study = event_study(
        frame, dates.split(",") if dates else _budgets_within(frame, market), market=market, model=model.value,
        window=(first, last),
    )  # fmt: skip
    _write(study.frame, csv)
    if html is not None:
        from fisc.report import Report

        Report("Budget days", [study.section()]).to_html(html)
    if json:
        print_json(study.frame.to_dict("records"))
        return
    console().print(study.summary(), markup=False)
    tests = study.tests(by="event")
    tests.index = tests.index.strftime("%Y-%m-%d")
    _table(
        "Across assets, by event",
        tests[["n", "mean_car_pct", "kp_t", "kp_p", "corrado_z", "variance_ratio"]],
        2,
    )


@app.command()
def train(
    out: Annotated[Path, typer.Option("--out", help="Folder for the model.")],
    method: MethodOption = Method.pair,
    labels: Labelled = None,
    taxonomy: Sectors = None,
    encoder: EncoderName = None,
    seed: Seed = 0,
) -> None:
    """Learn a classifier from labelled texts and save it."""
    from fisc.basir import SectorClassifier

    texts, sectors = _labelled(labels)
    with progress_bar("learning") as step:
        step("learning", 0, 1)
        model = SectorClassifier(method.value, _taxonomy(taxonomy), encoder, seed).fit(texts, sectors)
        step("saving", 1, 1)
    path = model.save(out)
    console().print(
        f"{model.report_.texts} texts, {model.report_.labels} labels; micro-F1 "
        f"{model.report_.inner_f1:.3f} out of fold "
        f"(threshold tuned on it)\nmodel: {path.absolute()}",
        markup=False,
    )


@app.command()
def evaluate(
    method: MethodOption = Method.lexical,
    labels: Labelled = None,
    taxonomy: Sectors = None,
    encoder: EncoderName = None,
    folds: Annotated[int, typer.Option(help="Parts of the cross-validation.")] = 5,
    json: Json = False,
    seed: Seed = 0,
) -> None:
    """Cross-validate a classifier: micro, macro and sample F1, LRAP, coverage error, with intervals."""
    from fisc.basir import SectorClassifier, cross_validate

    texts, sectors = _labelled(labels)
    score = cross_validate(
        SectorClassifier(method.value, _taxonomy(taxonomy), encoder, seed),
        texts,
        sectors,
        folds=folds,
        seed=seed,
    )
    if json:
        print_json(
            {
                "table": score.table.to_dict("index"),
                "wrongly_labelled": score.wrongly_labelled,
                "texts": score.texts,
            }
        )
        return
    console().print(
        f"{score.method}: {score.texts} texts, {score.without_sector} without a sector", markup=False
    )
    _table("Scores with 95 % intervals", score.table, 3)
    console().print(f"texts without a sector that got one: {score.wrongly_labelled:.0%}", markup=False)


@app.command()
def report(
    speech: Speech,
    out: Annotated[Path, typer.Option("--out", help="HTML file.")] = Path("budget-day.html"),
    method: Annotated[str, typer.Option(help="Method of the ranking.")] = "surprise",
    model: Model = None,
    date: Annotated[str | None, typer.Option(help="Day of the speech, YYYY-MM-DD.")] = None,
    coverage: Annotated[float, typer.Option(help="Of the intervals, 0 to 1.")] = 0.9,
    seed: Seed = 0,
) -> None:
    """Write the report of a budget day: ranking, past skill, evidence, what is new."""
    day = _budget_day(speech, date, method, coverage, model, seed)
    day.report().to_html(out)
    console().print(day.summary(), markup=False)
    console().print(f"page: {out.absolute()}", markup=False)


def _budget_day(
    speech: str, date: str | None, method: str, coverage: float, model: Path | None, seed: int
) -> Any:
    from fisc.basir import budget_day, read_speech

    with progress_bar("reading") as step:
        step("reading", 0, 2)
        paragraphs = read_speech(speech, date=date)
        step("sectors and ranking", 1, 2)
        day = budget_day(
            paragraphs,
            _classifier(Method.lexical, model, None, None, seed),
            method=method,
            coverage=coverage,
            seed=seed,
        )
        step("done", 2, 2)
    return day


def _classifier(
    method: Method, model: Path | None, taxonomy: Path | None, encoder: str | None, seed: int
) -> SectorClassifier:
    """Load the saved classifier, or learn one from the packaged excerpts."""
    from fisc.basir import SectorClassifier

    if model is not None:
        return SectorClassifier.load(model)
    texts, sectors = _labelled(None)
    if taxonomy is not None:  # another taxonomy knows other labels: zero-shot
        return SectorClassifier(method.value, _taxonomy(taxonomy), encoder, seed).fit(texts)
    return SectorClassifier(method.value, None, encoder, seed).fit(texts, sectors)


def _taxonomy(path: Path | None) -> Taxonomy | None:
    from fisc.basir import Taxonomy

    return Taxonomy.read(path) if path is not None else None


def _labelled(path: Path | None) -> tuple[list[str], list[list[str]]]:
    """Return texts and labels of a file, or of the packaged excerpts."""
    import pandas as pd

    from fisc.core import DataError
    from fisc.data import load_budget_excerpts

    if path is None:
        frame = load_budget_excerpts()
        return list(frame["text"]), list(frame["sectors"])
    if not path.exists():
        raise DataError(f"there is no file {path}; give CSV or JSON lines with the columns text and sectors")
    try:
        frame = (
            pd.read_csv(path, dtype=str, keep_default_na=False)
            if path.suffix == ".csv"
            else pd.read_json(path, lines=True)
        )
    except ValueError as error:
        raise DataError(f"{path} cannot be read: {error}; expected CSV or JSON lines") from error
    missing = [c for c in ("text", "sectors") if c not in frame.columns]
    if missing:
        raise DataError(
            f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}"
        )
    split = [
        s if isinstance(s, list) else [p.strip() for p in str(s).split(";") if p.strip()]
        for s in frame["sectors"]
    ]
    return list(frame["text"]), split


def _prices(path: Path) -> pd.DataFrame:
    """Return a table of prices by date; the first column that holds dates becomes the index."""
    import pandas as pd

    from fisc.core import DataError

    if not path.exists():
        raise DataError(
            f"there is no file {path}; give CSV or Parquet with closing prices, one column an asset"
        )
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    if not isinstance(frame.index, pd.DatetimeIndex):
        column = next(
            (c for c in frame.columns if str(c).lower() in ("date", "day", "time")), frame.columns[0]
        )
        frame = frame.set_index(column)
    try:
        frame.index = pd.to_datetime(frame.index)
    except (ValueError, TypeError) as error:
        raise DataError(f"the first column of {path} is not dates: {error}") from error
    return frame.select_dtypes("number")


def _budgets_within(frame: pd.DataFrame, market: str) -> pd.DataFrame:
    """Return the full budgets that the prices cover with an estimation window before them."""
    from fisc.basir.market.calendar import budget_calendar
    from fisc.core import DataError

    days = (
        frame.index[frame[market].notna()].sort_values()
        if market in frame.columns
        else frame.index.sort_values()
    )
    table = budget_calendar()
    within = table[
        (table["date"] >= days[min(60, len(days) - 1)])
        & (table["date"] < days[-1])
        & (table["kind"] != "supplementary")
    ]
    if not len(within):
        raise DataError(
            f"no budget lies within {days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d} of the prices; name days by --events"
        )
    return within


def _title(speech: str, paragraphs: pd.DataFrame) -> str:
    day = paragraphs.attrs.get("date")
    return f"Budget speech of {day}" if day else f"Speech: {speech.rsplit('/', 1)[-1]}"


def _write(frame: pd.DataFrame, path: Path | None) -> None:
    if path is not None:
        from fisc.core import atomic_write

        with atomic_write(path) as handle:
            frame.to_csv(handle, index=False)


def _table(title: str, frame: pd.DataFrame, decimals: int | dict[str, int]) -> None:
    """Print a table with the index as its first column."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column(str(frame.index.name or ""))
    for column in frame.columns:
        table.add_column(str(column), justify="left" if frame[column].dtype.kind in "OUT" else "right")
    for name, row in frame.iterrows():
        cells = []
        for column, value in row.items():
            places = decimals if isinstance(decimals, int) else decimals.get(str(column))
            cells.append(
                f"{value:.{places}f}" if places is not None and isinstance(value, float) else str(value)
            )
        table.add_row(Text(str(name)), *(Text(c) for c in cells))
    out = console()
    out.soft_wrap = False
    out.print(table)
