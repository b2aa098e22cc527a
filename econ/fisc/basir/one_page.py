"""The one-page report of a budget day: what was said, what is new, what it may mean, how sure one can be."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pandas as pd

from fisc.basir.ranking.backtest import Backtest, walk_forward
from fisc.basir.ranking.ranker import Ranking, SectorRanker
from fisc.basir.ranking.signals import (
    index_sectors,
    packaged_signals,
    ranking_signals,
    returns_by_budget,
    signals_by_budget,
)
from fisc.basir.sectors.classifier import SectorClassifier
from fisc.basir.sectors.mentions import Attention, attention, sector_stance, surprise
from fisc.basir.sectors.novel import novelty
from fisc.basir.sectors.speech_sectors import SpeechSectors, classify_speech
from fisc.basir.text.tables import as_texts
from fisc.core import DataError, Provenance, TableLike, read_date, record, renamed
from fisc.data import load_budget_attention
from fisc.report import Figure, Report, Result, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


__all__ = ["BudgetDay", "budget_day"]


@dataclasses.dataclass(frozen=True)
class BudgetDay(Result):
    """Everything about one speech.

    Attributes
    ----------
    date : str
    sectors : SpeechSectors
    ranking : Ranking
    skill : Backtest
        Past skill of the method that ranked, on budgets it had not seen.
    headline : DataFrame
        One row for each asset of the ranking: rank, expected_pct, low_pct, high_pct, call, mentions (per 1,000 words),
        surprise, para (printed number of the strongest paragraph), why (its sentence), new (its novelty, 0..1).
    attention : DataFrame
        mentions and surprise of each sector in this speech.
    stance : DataFrame
        Clauses that raise or lower taxes or spending, by sector.
    provenance : Provenance
    """

    date: str
    sectors: SpeechSectors
    ranking: Ranking
    skill: Backtest
    headline: pd.DataFrame
    attention: pd.DataFrame
    stance: pd.DataFrame
    provenance: Provenance

    def summary(self) -> str:
        """Return calls, past skill, and what the speech speaks of."""
        calls = int((self.headline["call"] != "no call").sum())
        tau = self.skill.score.table.loc["kendall_tau"]
        more = self.attention["surprise"].dropna().nlargest(3)
        return (
            f"{self.date}: {len(self.headline)} sectors, {calls} calls, {len(self.headline) - calls} no call\n"
            f"past skill ({self.skill.scheme.replace('_', ' ')}, {len(self.skill.score.by_budget)} budgets): "
            f"tau {tau['mean']:+.2f} [{tau.low:+.2f}, {tau.high:+.2f}]; chance 0\n"
            "spoken of more than before: " + ", ".join(f"{k} {v:+.1f}" for k, v in more.items())
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the headline table."""
        return self.headline

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the ranking."""
        return self.ranking.plot(ax=ax)

    def section(self) -> Section:
        """Return the one-page section."""
        table, reasons = self._tables()
        return Section(
            f"Budget of {self.date}",
            self.summary().splitlines()[2] + " (mentions per 1,000 words, against the five speeches before).",
            figures=(
                Figure.from_matplotlib(
                    self.ranking.plot(), caption="Expected abnormal return, with interval", alt="Ranking"
                ),
                Figure.from_matplotlib(
                    self.skill.plot(), caption="Past skill, budget by budget", alt="Skill"
                ),
            ),
            tables=(
                Table(table, caption="Sectors, best first", decimals=2),
                Table(reasons, caption="Why: the strongest paragraph of each", decimals=2, index=False),
                Table(self.attention.head(12), caption="Mentions per 1,000 words and surprise", decimals=2),
                Table(self.stance.head(12), caption="Taxes and spending, clauses by sector", decimals=2),
            ),
            notes=(
                f"Past coverage of the intervals: {self.skill.coverage:.0%} against "
                f"{self.skill.level:.0%} asked for.",
                f"Learned from {len(self.ranking.provenance.options.get('columns', []))} signals of budgets to "
                f"{self.ranking.trained_to}; nothing later was used.",
                "Not covered: income-tax slabs, deficit, borrowing. There are about thirty budgets with prices in all.",
            ),
            provenance=self.provenance,
            question="What does this budget mean for which sectors, and how sure can one be?",
            finding=self.summary().splitlines()[0] + "; " + self.summary().splitlines()[1],
        )

    def _tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the numbers and the reasons as two tables: sentences beside numbers make rows tall."""
        head = self.headline
        span = [f"{a:+.2f} to {b:+.2f}" for a, b in zip(head["low_pct"], head["high_pct"], strict=True)]
        numbers = pd.DataFrame(
            {
                "rank": head["rank"],
                "expected, %": [f"{v:+.2f}" for v in head["expected_pct"]],
                "interval, %": span,
                "call": head["call"],
                "mentions": head["mentions"],
                "surprise": head["surprise"],
            }
        ).map(lambda v: v.replace("-", "−") if isinstance(v, str) and v[:1] in "+-" else v)
        said = head[head["why"] != "not mentioned"]
        reasons = pd.DataFrame(
            {
                "sector": said.index,
                "para": said["para"],
                "sentence": [w if len(w) < 140 else w[:137] + "..." for w in said["why"]],
            }
        )
        if said["new"].notna().any():
            reasons["new"] = said["new"].to_numpy()
        return numbers, reasons.reset_index(drop=True)

    def report(self) -> Report:
        """Return the report: the one page, then every paragraph with its evidence."""
        return Report(
            f"Budget of {self.date}",
            [self.section(), self.sectors.section()],
            subtitle="Sectors, evidence, ranking",
        )


@renamed(coverage="level", seed="random_state")
def budget_day(
    paragraphs: TableLike,
    classifier: SectorClassifier,
    *,
    date: str | None = None,
    method: str = "surprise",
    signals: TableLike | None = None,
    returns: pd.Series[float] | TableLike | None = None,
    earlier: TableLike | None = None,
    level: float = 0.9,
    random_state: int = 0,
) -> BudgetDay:
    """Put together the report of a budget day.

    Parameters
    ----------
    paragraphs : table
        An answer of `read_speech`.
    classifier : SectorClassifier
        Fitted.
    date : str, optional
        Day of the speech, YYYY-MM-DD; by default that of `paragraphs`.
    method : str
        Method of `SectorRanker`.
    signals, returns : tables, or a table and a Series, optional
        Past signals and abnormal returns (per cent), by default the packaged ones of 2017 to 2021. Only budgets
        before `date` are used.
    earlier : table, optional
        Paragraphs of earlier speeches (date, text), for novelty; without them the column ``new`` is missing.
    level : float
        Level of the intervals, 0..1.
    random_state : int
        Seed of the ranker and of the intervals of its skill.

    Returns
    -------
    BudgetDay

    Raises
    ------
    DataError
        If the date is unknown, or fewer than four budgets with returns lie before it.
    """
    said = as_texts("paragraphs", paragraphs)
    day = date or said.attrs.get("date")
    if day is None:
        raise DataError("the day of the speech is not known; give date='YYYY-MM-DD'")
    when = pd.Timestamp(read_date("date", day))
    if signals is None or returns is None:
        past_signals, past_returns = packaged_signals()
    else:
        past_signals, past_returns = signals_by_budget(signals), returns_by_budget(returns)
    before = pd.to_datetime(past_signals.index.get_level_values(0)) < when
    if len(set(past_signals.index.get_level_values(0)[before])) < 4:
        raise DataError(
            f"fewer than four budgets with returns lie before {day}; give signals and returns that reach further back"
        )
    past_signals, past_returns = past_signals[before], past_returns.reindex(past_signals.index[before])
    read = classify_speech(classifier, said, title=f"Budget speech of {day}")
    own = attention({day: said}, phrases="keywords")
    mentions = _joined(load_budget_attention(), own, when)
    news = surprise(mentions).loc[when]
    now = ranking_signals(mentions, past_returns, groups=index_sectors(), budgets=[when])
    assets = [a for a in now.index.get_level_values(1) if a in set(past_signals.index.get_level_values(1))]
    now = now[now.index.get_level_values(1).isin(assets)]
    if "volatility" in past_signals:
        latest = past_signals["volatility"].groupby(level=1).last()
        now = now.assign(volatility=latest.reindex(now.index.get_level_values(1)).to_numpy())
    columns = [c for c in past_signals.columns if c in now.columns]
    ranker = SectorRanker(method, level=level, random_state=random_state)
    ranking = ranker.fit(past_signals[columns], past_returns).rank(now[columns])
    skill = walk_forward(ranker, past_signals[columns], past_returns, first=2, random_state=random_state)
    labels = [[s.sector for s in e.predicted] for e in read.evidence]
    held = pd.DataFrame({"mentions": mentions.loc[when], "surprise": news}).sort_values(
        "mentions", ascending=False
    )
    headline = _headline(ranking, now, read, said, earlier)
    history = record(
        options={"date": day, "method": method, "level": level}, seed=random_state,
        inputs={"speech": "\n".join(said["text"]), "signals": past_signals.reset_index()},
    )  # fmt: skip
    return BudgetDay(
        day, read, ranking, skill, headline, held.rename_axis("sector"), sector_stance(said, labels), history
    )


def _joined(known: pd.DataFrame, own: Attention, when: pd.Timestamp) -> pd.DataFrame:
    """Return the packaged attention before a day, and the speech's own on it.

    The counting rules differ a little, so that the speech's row is scaled to the level that the packaged rows
    have on average: surprise is about shares of attention, not about the rule.
    """
    before = known[pd.to_datetime(known.index) < when].copy()
    before.index = pd.to_datetime(before.index)
    row = own.mentions.iloc[0].reindex(before.columns).fillna(0.0)
    level = float(before.tail(5).sum(axis=1).mean())
    scale = level / float(row.sum()) if row.sum() > 0 and level > 0 else 1.0
    before.loc[when] = row * scale
    return before


def _headline(
    ranking: Ranking,
    now: pd.DataFrame,
    read: SpeechSectors,
    paragraphs: pd.DataFrame,
    earlier: TableLike | None,
) -> pd.DataFrame:
    """Return the ranking's table with the strongest paragraph of each asset's sectors."""
    table = ranking.frame[["rank", "expected_pct", "low_pct", "high_pct", "call"]].copy()
    signals = now.droplevel(0)
    table["mentions"] = signals["attention"].reindex(table.index)
    table["surprise"] = signals["surprise"].reindex(table.index)
    found = read.to_frame()
    fresh = None if earlier is None else novelty(paragraphs, earlier)["novelty"].to_numpy()
    groups = index_sectors()
    rows = []
    for asset in table.index:
        own = found[found["sector"].isin(groups.get(asset, [asset]))].sort_values(
            "score", ascending=False, kind="stable"
        )
        if len(own):
            best = own.iloc[0]
            new = float("nan") if fresh is None else float(fresh[int(best["paragraph"]) - 1])
            rows.append((f"{int(best['printed'])}", f"{best['sector']}: {best['sentence']}", new))
        else:
            rows.append(("", "not mentioned", float("nan")))
    table["para"], table["why"], table["new"] = (list(column) for column in zip(*rows, strict=True))
    return table
