"""From the running text of a speech to numbered paragraphs of a readable length."""

from __future__ import annotations

import dataclasses
import re

from fisc.basir.text.tokens import sentences

__all__ = ["LEAST_WORDS", "MOST_WORDS", "Paragraph", "SplitReport", "clean_lines", "split_paragraphs"]

LEAST_WORDS = 15
# Stands where a page ends; a character that no text uses, so that it survives the cleaning.
PAGE_END = "\ue000"
MOST_WORDS = 250

# "12.", "1 2 ." or "12 ." before a capital, at the start of a line or after the end of a sentence.
_NUMBER = re.compile(
    r"(?:(?<=\n)|(?<=\A)|(?<=[.?!:;,”\"'’)\]a-z] ))((?:\d ?){1,3}) ?\.[ \t]*(?=[“\"'‘(]?[A-Z])"
)
_PART = re.compile(r"^\s*PART\s*[-–—:]?\s*[‘'\"“(]?(A|B|I|II)\b[’'\"”)]?", re.MULTILINE)
_PART_NAMES = {"A": "A", "B": "B", "I": "A", "II": "B"}
_ANNEX = re.compile(r"^\s*(?:ANNEX(?:URE)?S?|Annex(?:ure)?s?)\b(?:\s|[-–:.]|$)", re.MULTILINE)
_OPENING = re.compile(
    r"(?:I\s+rise\s+to|I\s+present\s+the|I\s+am\s+presenting|I\s+have\s+the\s+honou?r|to\s+present\s+the\s+(?:statement|budget)"
    r"|Speaker,|Sir,)",
    re.IGNORECASE,
)
_GLUED = re.compile(r"\b(ofthe|inthe|tothe|forthe|onthe|andthe|the|and)([a-z]{5,})\b")
_GLUED_ALONE = re.compile(r"\b(?:ofthe|inthe|tothe|forthe|onthe|andthe)\b")
_UNGLUED = {
    "ofthe": "of the",
    "inthe": "in the",
    "tothe": "to the",
    "forthe": "for the",
    "onthe": "on the",
    "andthe": "and the",
}


@dataclasses.dataclass(frozen=True)
class Paragraph:
    """A paragraph of a speech."""

    number: int | None  # number printed in the speech, if any; pieces of one long paragraph share it
    part: str  # "A" (the economy and spending), "B" (taxes), or "" where the speech has no parts
    page: int  # page on which it begins, from 1
    text: str


@dataclasses.dataclass(frozen=True)
class SplitReport:
    """What was cut or repaired on the way."""

    contents_words: int  # words of the table of contents and of the annexures, both left out
    annex_words: int
    glued: int  # words that were glued to an article or conjunction and were separated
    split: int  # paragraphs cut because they were too long; pieces joined to a neighbour because too short
    merged: int


def clean_lines(text: str) -> tuple[str, int]:
    r"""Repair what text extraction breaks: hyphens and spaces at line joins, odd blanks, glued words.

    Examples
    --------
    >>> clean_lines("The infra-\nstructure of roads.We honour it, thehonour is ours.")
    ('The infrastructure of roads. We honour it, the honour is ours.', 1)
    """
    out = (
        text.replace("\r\n", "\n")
        .replace("\r", "\n")
        .replace("\u00ad", "")
        .replace("\u00a0", " ")
        .replace("\x0c", "\n")
    )
    out = re.sub(r"[\x00-\x08\x0b\x0e-\x1f\uf000-\uf8ff•▪]", " ", out)
    out = re.sub(rf"(?<=[a-z])[-‐]({PAGE_END}?)\n(?=[a-z])", r"\1", out)
    out = re.sub(r"(?<=[a-z]{2})\.(?=[A-Z][a-z])", ". ", out)
    out = re.sub(r"[ \t]+", " ", out)
    words = set(re.findall(r"[a-z]+", out))

    glued = 0

    def part(match: re.Match[str]) -> str:
        nonlocal glued
        first, rest = match.groups()
        if rest not in words:
            return match.group()
        glued += 1
        return f"{_UNGLUED.get(first, first)} {rest}"

    out = _GLUED.sub(part, out)
    out, alone = _GLUED_ALONE.subn(lambda m: _UNGLUED[m.group()], out)
    return out, glued + alone


def split_paragraphs(text: str) -> tuple[list[Paragraph], SplitReport]:
    r"""Split a speech into paragraphs of 15 to 250 words.

    Printed numbers mark paragraphs where they run upward; otherwise lines do. Contents before the
    opening words and annexures after the speech are left out and counted.

    Examples
    --------
    >>> body = " ".join(["The duty on steel is reduced."] * 5)
    >>> [p.number for p in split_paragraphs("Sir, " + body + "\n2. " + body)[0]]
    [None, 2]
    """
    text, glued = clean_lines(text)
    start = _end_of_contents(text)
    stop = _start_of_annex(text, start)
    printed = dict(_numbered(text, start, stop))
    cuts: list[tuple[int, int | None]] = [(start, None), *printed.items()]
    if len(cuts) < 8:  # too few printed numbers: take the lines
        breaks = [start + m.end() for m in re.finditer(r"\n+", text[start:stop])]
        cuts = [(start, None), *((b, printed.get(b)) for b in breaks)]
    parts = [(m.start(), _PART_NAMES[m.group(1)]) for m in _PART.finditer(text, start, stop)]
    before = "A" if any(name == "B" for _, name in parts) else ""
    raw: list[Paragraph] = []
    for (a, number), (b, _) in zip(cuts, [*cuts[1:], (stop, None)], strict=True):
        body = _NUMBER.sub("", text[a:b], count=1) if number is not None else text[a:b]
        body = _PART.sub("", body)
        part = next((name for at, name in reversed(parts) if at <= a), before)
        body = re.sub(r"\s+", " ", body).strip()
        if body:
            raw.append(Paragraph(number, part, 1 + text.count(PAGE_END, 0, a), body))
    whole, merged = _merge_short(raw)
    out: list[Paragraph] = []
    split = 0
    for paragraph in whole:
        pieces = _pieces(paragraph.text)
        split += len(pieces) > 1
        page = paragraph.page
        for piece in pieces:
            out.append(dataclasses.replace(paragraph, text=piece.replace(PAGE_END, ""), page=page))
            page += piece.count(PAGE_END)
    report = SplitReport(len(text[:start].split()), len(text[stop:].split()), glued, split, merged)
    return out, report


def _numbered(text: str, start: int, stop: int) -> list[tuple[int, int]]:
    """Return (offset, number) of the printed paragraph numbers, which run upward with small gaps."""
    found: list[tuple[int, int]] = []
    expected = 2
    for match in _NUMBER.finditer(text, start, stop):
        number = int(match.group(1).replace(" ", ""))
        if expected <= number <= expected + 4 or (number == 1 and not found):
            found.append((match.start(), number))
            expected = number + 1
    return found


def _end_of_contents(text: str) -> int:
    """Return where the speech begins: after a table of contents, if it has one."""
    head = text[: max(len(text) // 5, 3000)]
    contents = re.search(r"^\s*(?:CONTENTS|Contents)\b", head, re.MULTILINE)
    if contents is None:
        return 0
    opening = _OPENING.search(text, contents.end())
    if opening is None or opening.start() > len(head) + 3000:
        return 0
    line = text.rfind("\n", 0, opening.start()) + 1
    sentence = max((b for _, b in sentences(text[line : opening.start()])[:-1]), default=0)
    return line + sentence


def _start_of_annex(text: str, start: int) -> int:
    """Return where annexures begin: a line that says so, in the last three fifths of the text."""
    least = start + (len(text) - start) * 2 // 5
    match = _ANNEX.search(text, least)
    return match.start() if match is not None else len(text)


def _merge_short(paragraphs: list[Paragraph]) -> tuple[list[Paragraph], int]:
    """Join headings and other pieces of under 15 words to the paragraph that follows."""
    out: list[Paragraph] = []
    pending: Paragraph | None = None
    merged = 0
    for paragraph in paragraphs:
        if pending is not None:
            text = f"{pending.text} {paragraph.text}"
            paragraph = dataclasses.replace(paragraph, text=text, page=pending.page)
            merged += 1
            pending = None
        if len(paragraph.text.split()) < LEAST_WORDS:
            pending = paragraph
        else:
            out.append(paragraph)
    if pending is not None and out:
        out[-1] = dataclasses.replace(out[-1], text=f"{out[-1].text} {pending.text}")
        merged += 1
    elif pending is not None:
        out.append(pending)
    return out, merged


def _pieces(text: str) -> list[str]:
    """Cut a paragraph of more than 250 words at sentence ends into pieces of about equal length."""
    total = len(text.split())
    if total <= MOST_WORDS:
        return [text]
    target = total / -(-total // 200)
    pieces: list[list[str]] = [[]]
    for a, b in sentences(text):
        words = text[a:b].split()
        if pieces[-1] and len(pieces[-1]) + len(words) > min(target * 1.1, MOST_WORDS):
            pieces.append([])
        while len(pieces[-1]) + len(words) > MOST_WORDS:  # a sentence that is itself too long
            room = 200 - len(pieces[-1])
            pieces[-1].extend(words[:room])
            words = words[room:]
            pieces.append([])
        pieces[-1].extend(words)
    pieces = [p for p in pieces if p]
    if len(pieces) > 1 and len(pieces[-1]) < LEAST_WORDS:
        tail = pieces.pop()
        if len(pieces[-1]) + len(tail) > MOST_WORDS:
            tail = pieces[-1][-100:] + tail
            del pieces[-1][-100:]
            pieces.append(tail)
        else:
            pieces[-1].extend(tail)
    return [" ".join(p) for p in pieces]
