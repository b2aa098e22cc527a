"""Attention, surprise, novelty, stance by sector, and the one-page report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fisc.basir import (
    SectorClassifier,
    attention,
    budget_day,
    novelty,
    read_speech,
    sector_stance,
    surprise,
)
from fisc.data import DataError, load_budget_attention, load_budget_excerpts

TEXTS = {
    "2001-02-28": "Duty on steel and on cement.",
    "2002-02-28": "More for cement, cement and steel plants.",
    "2003-02-28": "Tea gardens.",
}


def test_mentions_per_thousand_words_by_hand() -> None:
    found = attention(TEXTS)
    assert found.mentions.loc["2001-02-28", "Steel"] == pytest.approx(1000 / 6)
    assert found.mentions.loc["2002-02-28", "Cement"] == pytest.approx(2000 / 7)
    assert found.mentions.loc["2002-02-28", "Steel"] == pytest.approx(1000 / 7)
    assert found.words.tolist() == [6, 7, 2]
    assert found.mentions.loc["2003-02-28"].sum() == pytest.approx(500)
    assert found.from_dict(found.to_dict()).mentions.equals(found.mentions)


def test_mappings_frames_and_order_give_the_same() -> None:
    frame = pd.DataFrame({"date": list(TEXTS), "text": list(TEXTS.values())})
    one, two = attention(TEXTS), attention(frame.iloc[::-1])
    assert one.mentions.equals(two.mentions)
    assert len(one.to_frame()) == 3 * 81


def test_surprise_looks_back_only() -> None:
    mentions = load_budget_attention()
    news = surprise(mentions, last=5)
    row = 40
    expected = mentions.iloc[row] - mentions.iloc[row - 5 : row].mean()
    assert np.allclose(news.iloc[row], expected)
    changed = mentions.copy()
    changed.iloc[row + 1 :] = 99.0
    assert surprise(changed).iloc[: row + 1].equals(news.iloc[: row + 1])
    assert news.iloc[:3].isna().all().all()
    with pytest.raises(DataError, match="not in order of time"):
        surprise(mentions.iloc[::-1])


def test_attention_errors() -> None:
    with pytest.raises(DataError, match="lacks date"):
        attention(pd.DataFrame({"text": ["a"]}))
    with pytest.raises(DataError, match="no speeches were given"):
        attention({})
    with pytest.raises(DataError, match="has no words"):
        attention({"2001-02-28": " "})


def test_novelty_is_zero_for_a_copy_and_one_for_a_stranger() -> None:
    old = pd.DataFrame(
        {"date": ["2001-02-28"] * 2, "text": ["Duty on tea is raised.", "Roads in the hills."]}
    )
    new = pd.DataFrame({"text": ["Duty on tea is raised.", "A mission for quantum computing."]}, index=[7, 9])
    out = novelty(new, old)
    assert out["novelty"].round(6).tolist() == [0.0, 1.0]
    assert out.index.tolist() == [7, 9]
    assert out.loc[7, "nearest_text"] == "Duty on tea is raised."
    with pytest.raises(DataError, match="earlier holds no texts"):
        novelty(new, old.iloc[:0])


def test_stance_by_sector() -> None:
    paragraphs = pd.DataFrame(
        {"text": ["The duty on tea is raised.", "The duty on tea is cut. More outlay is provided for tea."]}
    )
    frame = sector_stance(paragraphs, [["Plantation"], ["Plantation"]])
    assert frame.loc["Plantation", ["paragraphs", "tax_up", "tax_down"]].tolist() == [2, 1, 1]
    assert frame.loc["Plantation", "tax_stance"] == 0
    with pytest.raises(DataError, match="2 paragraphs but 1 lists"):
        sector_stance(paragraphs, [[]])


def test_attention_agrees_with_the_packaged_counts(shared: Path) -> None:
    texts = {
        p.stem: p.read_text(errors="replace")
        for p in sorted((shared / "data" / "speeches").glob("*.txt"))[::6]
    }
    ours = attention(texts, phrases="keywords").mentions
    theirs = load_budget_attention().loc[ours.index, ours.columns]
    assert np.corrcoef(ours.to_numpy().ravel(), theirs.to_numpy().ravel())[0, 1] > 0.9


def _speech() -> bytes:
    paragraph = "The duty on steel and on cement is reduced, and Rs. 500 crore are provided for rural roads and banks. "
    return (
        "Sir, I rise to present the Budget. " + "\n".join(f"{i}. {paragraph * 2}" for i in range(2, 14))
    ).encode()


def test_the_report_of_a_budget_day(tmp_path: Path) -> None:
    excerpts = load_budget_excerpts()
    model = SectorClassifier("lexical").fit(excerpts["text"], excerpts["sectors"])
    earlier = pd.DataFrame({"date": ["2020-02-01"], "text": ["Health and wellbeing."]})
    day = budget_day(read_speech(_speech(), date="2022-02-01"), model, earlier=earlier)
    metal = day.headline.loc["NIFTY METAL"]
    assert metal["why"].startswith("Steel: ")
    assert metal["new"] > 0.5
    assert day.headline.loc["NIFTY PHARMA", "why"] == "not mentioned"
    assert set(day.headline["call"]) <= {"UP", "DOWN", "no call"}
    assert day.ranking.trained_to == "2021-02-01"
    day.report().to_html(tmp_path / "day.html")
    page = (tmp_path / "day.html").read_text()
    assert "no call" in page
    assert "<mark" in page
    assert day.from_dict(day.to_dict()).headline.equals(day.headline)


def test_the_report_never_learns_from_later_budgets() -> None:
    excerpts = load_budget_excerpts()
    model = SectorClassifier("lexical").fit(excerpts["text"], excerpts["sectors"])
    with pytest.raises(DataError, match="fewer than four budgets with returns lie before 2019-07-05"):
        budget_day(read_speech(_speech(), date="2019-07-05"), model)
    with pytest.raises(DataError, match="the day of the speech is not known"):
        budget_day(read_speech(_speech()), model)
    early = budget_day(read_speech(_speech(), date="2021-02-01"), model)
    assert early.ranking.trained_to == "2020-02-01"
