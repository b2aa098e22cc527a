"""A whole speech: the sectors of each paragraph, with their evidence, as a table and as a page."""

from __future__ import annotations

import dataclasses
import html
from collections import Counter
from typing import TYPE_CHECKING

import pandas as pd

from fisc.basir.sectors.classifier import SectorClassifier
from fisc.basir.sectors.evidence import Evidence, highlight
from fisc.basir.text.amounts import find_amounts
from fisc.basir.text.tables import as_texts
from fisc.core import Provenance, TableLike, record
from fisc.report import Figure, Report, Result, Section, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["EVIDENCE_STYLE", "SpeechSectors", "classify_speech"]

# Colours of the marks: light tints that dark ink stands on, in either theme; numbers tell the sectors apart too.
EVIDENCE_STYLE = """<style>
.evidence{margin:0 0 1rem;line-height:1.6;overflow-wrap:anywhere}.evidence p{margin:.2rem 0}
.evidence .chips{display:flex;flex-wrap:wrap;gap:.35rem;align-items:center}
.evidence .chip{border-radius:1rem;padding:.05rem .6rem;font-size:.85rem;color:#1f2a37;background:#dfe4ea}
.evidence .chip.none{background:transparent;color:inherit;border:1px solid #889;opacity:.75}
.evidence .where{font-size:.8rem;opacity:.75;min-width:4.5rem}
.evidence mark{color:#1f2a37;border-radius:.2rem;padding:0 .12rem}.evidence
sup{font-size:.65em;line-height:0;margin-left:.1em}
.evidence .e0{background:#b3d7ee}.evidence .e1{background:#fbc9a5}.evidence .e2{background:#a8e0cd}
.evidence .e3{background:#eccadd}.evidence .e4{background:#f7dda6}.evidence .e5{background:#d5d9de}
@media print{.evidence{break-inside:avoid}.evidence mark,.evidence
.chip{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
</style>"""


@dataclasses.dataclass(frozen=True)
class SpeechSectors(Result):
    """Sectors of every paragraph of a speech.

    Attributes
    ----------
    paragraphs : DataFrame
        paragraph, part, page, text; an answer of `read_speech`.
    evidence : tuple of Evidence
        One for each paragraph.
    labels : tuple of int
        Paragraph number to show: the printed one where the speech has it.
    title : str
    method : str
    provenance : Provenance
    """

    paragraphs: pd.DataFrame
    evidence: tuple[Evidence, ...]
    labels: tuple[int, ...]
    title: str
    method: str
    provenance: Provenance

    def summary(self) -> str:
        """Return how many paragraphs touch a sector, and which most."""
        counts = self.counts()
        touched = sum(bool(e.predicted) for e in self.evidence)
        top = ", ".join(f"{name} ({n})" for name, n in counts.most_common(8))
        return f"{self.title}: {touched} of {len(self.evidence)} paragraphs touch {len(counts)} sectors\nmost: {top}"

    def counts(self) -> Counter[str]:
        """Return the number of paragraphs of each sector."""
        return Counter(s.sector for e in self.evidence for s in e.predicted)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each paragraph and sector.

        Columns paragraph, printed (its number in the speech), part, page, sector, score, words, sentence, and
        rupees (the largest amount in that sentence).
        """
        rows = []
        for (_, p), e, label in zip(self.paragraphs.iterrows(), self.evidence, self.labels, strict=True):
            for s in e.predicted:
                a, b = s.sentence
                sentence = e.text[a:b]
                rupees = max(
                    (x.value for x in find_amounts(sentence) if x.unit == "rupees"), default=float("nan")
                )
                words = ", ".join(dict.fromkeys(e.text[m.start : m.end] for m in s.spans[:5]))
                rows.append(
                    (p["paragraph"], label, p["part"], p["page"], s.sector, s.score, words, sentence, rupees)
                )
        columns = ["paragraph", "printed", "part", "page", "sector", "score", "words", "sentence", "rupees"]
        return pd.DataFrame(rows, columns=columns)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the number of paragraphs of the sectors that are touched most."""
        top = self.counts().most_common(20)[::-1]
        with style.context():
            ax = style.axes_of(ax, 7.0, 0.25 * len(top) + 1.0)
            ax.barh(range(len(top)), [n for _, n in top], color=style.COLOURS[0], height=0.65)
            ax.set_yticks(range(len(top)), [name for name, _ in top])
            ax.set_ylim(-0.7, max(len(top), 1) - 0.3)
            ax.grid(visible=False, axis="y")
            ax.grid(visible=True, axis="x")
            ax.set_xlabel("paragraphs")
        return ax

    def fragments(self) -> list[str]:
        """Return the paragraphs as HTML with the evidence marked; every text is escaped."""
        out = [EVIDENCE_STYLE]
        for (_, p), e, label in zip(self.paragraphs.iterrows(), self.evidence, self.labels, strict=True):
            where = f"para {label}" + (f", part {html.escape(str(p['part']))}" if p["part"] else "")
            body = highlight(e.text, e.predicted)
            out.append(
                body.replace('<p class="chips">', f'<p class="chips"><span class="where">{where}</span>', 1)
            )
        return out

    def section(self) -> Section:
        """Return a report section with the counts and the marked paragraphs."""
        return Section(
            "Sectors and their evidence",
            "Each paragraph with its sectors, their probability, and the words that carried them "
            "(numbers point to the sector).",
            figures=(
                Figure.from_matplotlib(
                    self.plot(), caption="Paragraphs by sector", alt="Bars of paragraphs by sector"
                ),
            ),
            html=tuple(self.fragments()),
            notes=tuple(self.paragraphs.attrs.get("notes", ())),
            provenance=self.provenance,
        )

    def report(self) -> Report:
        """Return a one-section report, to be written by ``to_html``."""
        return Report(self.title, [self.section()], subtitle=self.summary().splitlines()[0])


def classify_speech(
    classifier: SectorClassifier, paragraphs: TableLike, *, title: str = "Budget speech"
) -> SpeechSectors:
    """Find the sectors of every paragraph of a speech, with evidence.

    Parameters
    ----------
    classifier : SectorClassifier
        Fitted.
    paragraphs : table
        An answer of `read_speech`, or any table with a column ``text``.
    title : str

    Returns
    -------
    SpeechSectors

    Raises
    ------
    DataError
        If there is no column ``text``.

    Examples
    --------
    >>> import pandas as pd
    >>> from fisc.basir import SectorClassifier
    >>> model = SectorClassifier("lexical").fit(["Duty on tea."])
    >>> speech = pd.DataFrame({"text": ["The excise duty on cement is reduced.", "I thank the House."]})
    >>> classify_speech(model, speech).to_frame()["sector"].tolist()
    ['Cement']
    """
    given = as_texts("paragraphs", paragraphs)
    frame = given.reset_index(drop=True)
    for column, value in (("paragraph", range(1, len(frame) + 1)), ("part", ""), ("page", 1)):
        if column not in frame.columns:
            frame[column] = value
    frame.attrs = dict(given.attrs)
    texts = list(frame["text"])
    # One pass over all windows, which `explain` then finds ready; warns of foreign texts.
    classifier.predict(texts)
    evidence = tuple(classifier.explain(t) for t in texts)
    numbers: list[int | None] = frame.attrs.get("numbers") or [None] * len(frame)
    labels = tuple(
        int(n) if n is not None else int(i) for n, i in zip(numbers, frame["paragraph"], strict=True)
    )
    history = record(
        options={"method": classifier.method, "learned_from": classifier.report_.provenance.inputs},
        inputs={"speech": "\n".join(texts)}, seed=classifier.random_state,
    )  # fmt: skip
    return SpeechSectors(frame, evidence, labels, title, classifier.method, history)
