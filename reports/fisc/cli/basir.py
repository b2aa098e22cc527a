"""``fisc basir``: sectors of a budget speech, rankings, event studies, training, evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import fisc.basir as bs
import fisc.data
from fisc.basir import options
from fisc.cli.output import Csv, Html, Json, Out, RandomState, deliver, print_json, show_frame
from fisc.cli.terminal import console, progress_bar, say_written
from fisc.core import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["app"]

app = typer.Typer(
    help="Budget speeches: which sectors they touch, and how these will do.", no_args_is_help=True
)

_PERCENT = dict.fromkeys(("expected_pct", "low_pct", "high_pct"), ".2f")
Date = Annotated[str | None, typer.Option(help="Day of the speech, YYYY-MM-DD.")]
Level = Annotated[float, typer.Option("--level", "--coverage", help="Coverage of the intervals, 0 to 1.")]
Ranker = Annotated[str, typer.Option("--method", help="What the ranking rests on.")]
EventModelOption = Annotated[
    options.ReturnModel, typer.Option("--model", help="Model of the expected return.")
]
MethodOption = Annotated[
    options.Method, typer.Option("--method", help="lexical needs no torch; pair and finetuned do.")
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
    method: MethodOption = "lexical",
    model: Model = None,
    taxonomy: Sectors = None,
    encoder: EncoderName = None,
    date: Date = None,
    random_state: RandomState = 0,
    out: Out = None,
    html: Html = None,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Find the sectors of every paragraph of a speech, with the words that are the evidence."""
    with progress_bar("reading") as step:
        step("reading", 0, 3)
        paragraphs = bs.read_speech(speech, date=date)
        step("preparing the classifier", 1, 3)
        classifier = _classifier(method, model, taxonomy, encoder, random_state)
        step("classifying", 2, 3)
        found = bs.classify_speech(classifier, paragraphs, title=_title(speech, paragraphs))
        step("done", 3, 3)

    def say() -> None:
        console().print(found.summary(), markup=False)
        counts = (
            found.to_frame()
            .groupby("sector")
            .agg(paragraphs=("paragraph", "nunique"), best=("score", "max"), words=("words", "first"))
        )
        show_frame(
            counts.sort_values(["paragraphs", "best"], ascending=False).head(25), "Sectors", {"best": ".2f"}
        )

    deliver(found, found.title, as_json=as_json, csv=csv, html=html, out=out, say=say)


@app.command()
def rank(
    speech: Annotated[
        str | None, typer.Argument(help="Speech to rank; without it the last packaged budget.")
    ] = None,
    method: Ranker = "surprise",
    date: Date = None,
    level: Level = 0.9,
    random_state: RandomState = 0,
    out: Out = None,
    html: Html = None,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Rank sectors with intervals; "no call" where the interval covers zero."""
    found: bs.BudgetDay | bs.Ranking
    if speech is not None:
        found = _budget_day(speech, date, method, level, None, random_state)
        frame = found.headline
    else:
        signals, returns = bs.packaged_signals()
        now = signals.index.get_level_values(0) == signals.index.get_level_values(0).max()
        ranker = bs.SectorRanker(method, level=level, random_state=random_state)
        found = ranker.fit(signals[~now], returns[~now]).rank(signals[now])
        frame = found.frame

    def say() -> None:
        console().print(found.summary().splitlines()[0], markup=False)
        shown = ("rank", "expected_pct", "low_pct", "high_pct", "call", "para")
        show_frame(frame[[c for c in shown if c in frame.columns]], "Ranking", _PERCENT)

    deliver(found, "Ranking of sectors", as_json=as_json, csv=csv, html=html, out=out, say=say)


@app.command()
def events(
    prices: Annotated[
        Path,
        typer.Argument(
            help="Closing prices as CSV or Parquet, wide or long, as `fisc portfolio` reads them."
        ),
    ],
    market: Annotated[str, typer.Option(help="Column that is the market.")],
    dates: Annotated[
        str | None,
        typer.Option("--events", help="Days separated by commas; the budgets in the file's span by default."),
    ] = None,
    model: EventModelOption = "market",
    first: Annotated[int, typer.Option(help="First trading day of the window, relative to the event.")] = 0,
    last: Annotated[int, typer.Option(help="Last trading day of the window.")] = 0,
    out: Out = None,
    html: Html = None,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Measure abnormal returns around budget days, and test them."""
    frame = fisc.data.read_prices(prices)
    days = dates.split(",") if dates else _budgets_within(frame, market)
    study = bs.event_study(frame, days, market=market, model=model, window=(first, last))

    def say() -> None:
        console().print(study.summary(), markup=False)
        columns = ["n", "mean_car_pct", "kp_t", "kp_p", "corrado_z", "variance_ratio"]
        show_frame(study.tests(by="event")[columns], "Across assets, by event", ".2f")

    deliver(study, "Budget days", as_json=as_json, csv=csv, html=html, out=out, say=say)


@app.command()
def train(
    out: Annotated[Path, typer.Option("--out", help="Folder for the model.")],
    method: MethodOption = "lexical",
    labels: Labelled = None,
    taxonomy: Sectors = None,
    encoder: EncoderName = None,
    random_state: RandomState = 0,
    as_json: Json = False,
) -> None:
    """Learn a classifier from labelled texts and save it."""
    texts, sectors = _labelled(labels)
    with progress_bar("learning", show=not as_json) as step:
        step("learning", 0, 1)
        model = bs.SectorClassifier(method, _taxonomy(taxonomy), encoder, random_state).fit(texts, sectors)
        step("saving", 1, 1)
    path = model.save(out)
    report = model.report_
    if as_json:
        print_json(report)
        return
    console().print(
        f"{report.texts} texts, {report.labels} labels; micro-F1 {report.inner_f1:.3f} out of fold "
        f"(threshold tuned on it)\nmodel: {path.absolute()}",
        markup=False,
    )


@app.command()
def evaluate(
    method: MethodOption = "lexical",
    labels: Labelled = None,
    taxonomy: Sectors = None,
    encoder: EncoderName = None,
    folds: Annotated[int, typer.Option(help="Parts of the cross-validation.")] = 5,
    random_state: RandomState = 0,
    out: Out = None,
    html: Html = None,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Cross-validate a classifier: micro, macro and sample F1, LRAP, coverage error, with intervals."""
    texts, sectors = _labelled(labels)
    model = bs.SectorClassifier(method, _taxonomy(taxonomy), encoder, random_state)
    score = bs.cross_validate(model, texts, sectors, folds=folds, random_state=random_state)

    def say() -> None:
        console().print(
            f"{score.method}: {score.texts} texts, {score.without_sector} without a sector", markup=False
        )
        show_frame(score.table, "Scores with 95 % intervals", ".3f")
        console().print(f"texts without a sector that got one: {score.wrongly_labelled:.0%}", markup=False)

    deliver(score, "Sectors found", as_json=as_json, csv=csv, html=html, out=out, say=say)


@app.command()
def report(
    speech: Speech,
    html: Html = Path("budget-day.html"),
    method: Ranker = "surprise",
    model: Model = None,
    date: Date = None,
    level: Level = 0.9,
    random_state: RandomState = 0,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Write the report of a budget day: ranking, past skill, evidence, what is new."""
    day = _budget_day(speech, date, method, level, model, random_state)
    if html is not None:
        day.report().to_html(html)
        say_written(html)
    deliver(day, "Budget day", as_json=as_json, out=out)


def _budget_day(
    speech: str, date: str | None, method: str, level: float, model: Path | None, random_state: int
) -> bs.BudgetDay:
    with progress_bar("reading") as step:
        step("reading", 0, 2)
        paragraphs = bs.read_speech(speech, date=date)
        step("sectors and ranking", 1, 2)
        classifier = _classifier("lexical", model, None, None, random_state)
        day = bs.budget_day(paragraphs, classifier, method=method, level=level, random_state=random_state)
        step("done", 2, 2)
    return day


def _classifier(
    method: options.Method, model: Path | None, taxonomy: Path | None, encoder: str | None, random_state: int
) -> bs.SectorClassifier:
    """Load the saved classifier, or learn one from the packaged excerpts."""
    if model is not None:
        return bs.SectorClassifier.load(model)
    texts, sectors = _labelled(None)
    if taxonomy is not None:  # another taxonomy knows other labels: zero-shot
        return bs.SectorClassifier(method, _taxonomy(taxonomy), encoder, random_state).fit(texts)
    return bs.SectorClassifier(method, None, encoder, random_state).fit(texts, sectors)


def _taxonomy(path: Path | None) -> bs.Taxonomy | None:
    return bs.Taxonomy.read(path) if path is not None else None


def _labelled(path: Path | None) -> tuple[list[str], list[list[str]]]:
    """Return texts and labels of a file, or of the packaged excerpts."""
    import pandas as pd

    if path is None:
        frame = fisc.data.load_budget_excerpts()
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


def _budgets_within(frame: pd.DataFrame, market: str) -> pd.DataFrame:
    """Return the full budgets that the prices cover with an estimation window before them."""
    traded = frame[market].notna() if market in frame.columns else slice(None)
    days = frame.index[traded].sort_values()
    table = bs.budget_calendar()
    within: pd.DataFrame = table[
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
