"""Why a text got its sectors: the phrases, words and sentences that carried the score."""

from __future__ import annotations

import dataclasses
import html
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from fisc.basir.plots import plot_scores
from fisc.basir.sectors.embedding import label_vectors
from fisc.basir.sectors.fitted import FittedSectors, PairFeatures
from fisc.basir.text.formulas import mute_formulas
from fisc.basir.text.tokens import sentences
from fisc.core import Provenance, record
from fisc.report import Result, Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes


__all__ = ["Evidence", "SectorEvidence", "Span", "explain", "highlight"]

LEAST_COSINE = 0.45  # a word piece below this resemblance to a phrase is not shown as its match


@dataclasses.dataclass(frozen=True)
class Span(Result):
    """A stretch of the text.

    Attributes
    ----------
    start, end : int
        Character offsets.
    weight : float
        Strength, 0..1.
    phrase : str
        Phrase of the taxonomy that it matches.
    how : {"word", "meaning"}
        Whether the words are the same or the sentence model finds them alike.
    """

    start: int
    end: int
    weight: float
    phrase: str
    how: Literal["word", "meaning"]


@dataclasses.dataclass(frozen=True)
class SectorEvidence(Result):
    """Evidence for one sector.

    Attributes
    ----------
    sector : str
    score : float
        Probability, 0..1.
    predicted : bool
        Whether the decision rule returns the sector.
    spans : tuple of Span
        Matches, strongest first.
    sentence : tuple of (int, int)
        Offsets of the sentence that carries most of them.
    features : dict of str to float
        The five scores that add most to the logit, and how much.
    """

    sector: str
    score: float
    predicted: bool
    spans: tuple[Span, ...]
    sentence: tuple[int, int]
    features: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Evidence(Result):
    """Evidence for the sectors of one text.

    Attributes
    ----------
    text : str
    sectors : tuple of SectorEvidence
        The predicted ones first, then runners-up, by score.
    provenance : Provenance
    """

    text: str
    sectors: tuple[SectorEvidence, ...]
    provenance: Provenance

    @property
    def predicted(self) -> list[SectorEvidence]:
        """Evidence of the sectors that the decision rule returns."""
        return [s for s in self.sectors if s.predicted]

    def summary(self) -> str:
        """Return each sector with its score, words and sentence."""
        if not self.predicted:
            best = self.sectors[0]
            return f"no sector (the likeliest, {best.sector}, has only {best.score:.2f})"
        lines = []
        for item in self.predicted:
            words = ", ".join(dict.fromkeys(repr(self.text[s.start : s.end]) for s in item.spans[:4]))
            a, b = item.sentence
            lines.append(
                f"{item.sector}  {item.score:.2f}  by {words or 'the whole text'}: {self.text[a:b][:160]}"
            )
        return "\n".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each match: sector, score, predicted, words, phrase, how, weight, start, end, sentence."""
        columns = "sector score predicted words phrase how weight start end sentence".split()
        rows = [
            [s.sector, s.score, s.predicted, self.text[m.start : m.end], m.phrase, m.how, m.weight, m.start, m.end,
             self.text[s.sentence[0] : s.sentence[1]]]
            for s in self.sectors for m in s.spans
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=columns)

    def to_html(self) -> str:
        """Return the text as an HTML fragment with the evidence marked; everything is escaped."""
        return highlight(self.text, self.predicted)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the scores of the likeliest sectors."""
        return plot_scores([(s.sector, s.score, s.predicted) for s in self.sectors[:8]], ax=ax)

    def section(self) -> Section:
        """Return a report section with the marked text."""
        return Section("Sectors of a text", html=(self.to_html(),), provenance=self.provenance)


def explain(fitted: FittedSectors, text: str, *, runners_up: int = 3) -> Evidence:
    """Find the evidence for the sectors of a text, and for some runners-up below the threshold."""
    spans, features = fitted.passes([text])[0]
    pair, names = fitted.pair, fitted.taxonomy.names
    by_window = pair.probability(features)
    scores = by_window.max(axis=0)
    chosen = fitted.decide(scores[None, :], [text])[0][0]
    order = [int(j) for j in np.argsort(-scores, kind="stable")]
    wanted = [j for j in order if chosen[j]] + [j for j in order if not chosen[j]][: max(runners_up, 1)]
    hits = fitted.features.lexical.hits(mute_formulas(text))
    sentence_spans = sentences(text)
    items = []
    for j in wanted:
        best = int(by_window[:, j].argmax())
        a, b = spans[best]
        matches = [
            Span(h.start, h.end, h.weight, h.phrase, "word") for h in hits if h.sector == j and not h.covered
        ]
        matches = _strongest(matches + _meaning(fitted.features, text[a:b], a, j))
        added = pair.contributions(features[best, j])
        top = np.argsort(-added, kind="stable")[:5]
        items.append(
            SectorEvidence(
                names[j], float(scores[j]), bool(chosen[j]), tuple(matches),
                _carrier(sentence_spans, matches, (a, b)),
                {fitted.features.names[k]: float(added[k]) for k in top},
            )
        )  # fmt: skip
    learned = fitted.report.provenance
    history = record(
        options={"method": learned.options.get("method"), "rule": dataclasses.asdict(pair.rule)},
        inputs={"text": text},
        seed=learned.seed,
    )
    return Evidence(text, tuple(items), history)


def _meaning(features: PairFeatures, window: str, offset: int, sector: int) -> list[Span]:
    """Return the words that the sentence model matches with the sector's nearest phrase."""
    if not features.encoders:
        return []
    encoder = features.encoders[-1]
    labels = label_vectors(features.taxonomy, encoder)
    coded = encoder.encode([mute_formulas(window)])[0]
    own = np.flatnonzero(labels.owner == sector)
    if not len(coded.tokens) or not len(own):
        return []
    stops = np.append(labels.first, len(labels.token))
    first, last = stops[own[0]], stops[own[-1] + 1]
    cosine = labels.token[first:last] @ coded.tokens.T
    sizes = np.diff(stops[own[0] : own[-1] + 2])
    nearest = int((np.add.reduceat(cosine.max(axis=1), stops[own] - first) / sizes).argmax())
    rows = cosine[stops[own[nearest]] - first : stops[own[nearest] + 1] - first]
    out = []
    for piece in np.unique(rows.argmax(axis=1)):
        strength = float(rows[:, piece].max())
        if strength >= LEAST_COSINE:
            a, b = _whole_word(window, *map(int, coded.spans[piece]))
            out.append(
                Span(offset + a, offset + b, min(strength, 1.0), labels.words[own[nearest]], "meaning")
            )
    return out


def _whole_word(text: str, a: int, b: int) -> tuple[int, int]:
    """Widen a word piece to the word that it is part of."""
    while a > 0 and text[a - 1].isalnum():
        a -= 1
    while b < len(text) and text[b].isalnum():
        b += 1
    return a, b


def _strongest(matches: list[Span]) -> list[Span]:
    """Keep the strongest of overlapping matches, strongest first; words before meaning."""
    kept: list[Span] = []
    for match in sorted(matches, key=lambda m: (m.how != "word", -(m.end - m.start), -m.weight)):
        if all(match.end <= k.start or k.end <= match.start for k in kept):
            kept.append(match)
    return sorted(kept, key=lambda m: -m.weight)


def _carrier(
    sentence_spans: list[tuple[int, int]], matches: list[Span], window: tuple[int, int]
) -> tuple[int, int]:
    """Return the sentence with most of the evidence, or the window if there is none."""
    if not matches:
        inside = [s for s in sentence_spans if s[0] < window[1] and window[0] < s[1]]
        return inside[0] if inside else window
    return max(
        sentence_spans, key=lambda s: (sum(m.weight for m in matches if s[0] <= m.start < s[1]), -s[0])
    )


def highlight(text: str, sectors: list[SectorEvidence]) -> str:
    """Return a text as HTML with each sector's evidence marked in its own colour; the text is escaped.

    A ``<div>`` with the sectors as chips and the text with ``<mark>`` elements. The colours come with the
    classes ``e0`` to ``e5`` and the number of the sector, so that they need not be told apart by colour.
    """
    marks: list[tuple[int, int, int, Span]] = []
    for k, item in enumerate(sectors):
        for span in item.spans:
            if all(span.end <= a or b <= span.start for a, b, _, _ in marks):
                marks.append((span.start, span.end, k, span))
    chips = "".join(
        f'<span class="chip e{k % 6}">{k + 1} {html.escape(s.sector)} <small>{s.score:.0%}</small></span>'
        for k, s in enumerate(sectors)
    )
    out, at = [], 0
    for a, b, k, span in sorted(marks, key=lambda m: m[:2]):
        title = html.escape(
            f"{sectors[k].sector}: like “{span.phrase}” ({span.how}, {span.weight:.2f})", quote=True
        )
        out.append(html.escape(text[at:a]))
        out.append(
            f'<mark class="e{k % 6}" title="{title}">{html.escape(text[a:b])}<sup>{k + 1}</sup></mark>'
        )
        at = b
    out.append(html.escape(text[at:]))
    label = chips or '<span class="chip none">no sector</span>'
    return f'<div class="evidence"><p class="chips">{label}</p><p>{"".join(out)}</p></div>'
