"""Word-based evidence for a (text, sector) pair: phrase hits, TF-IDF, BM25, character n-grams."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from fisc.basir.sectors.taxonomy import Taxonomy
from fisc.basir.text.tokens import Token, tokenize
from fisc.core import AnyArray, DataError, FloatArray, IntArray

__all__ = ["LEXICAL_FEATURES", "Hit", "LexicalIndex"]

LEXICAL_FEATURES = (
    "best hit",
    "sum of hits",
    "covered hit",
    "keyword hit",
    "share of hits",
    "tf-idf cosine",
    "bm25",
    "character cosine",
    "tf-idf gap",
    "partial phrase",
)
KIND_WEIGHT = {"name": 1.0, "keyword": 1.0, "alias": 0.9, "weak": 0.4}


@dataclasses.dataclass(frozen=True)
class Hit:
    """A phrase of a sector found in a text."""

    sector: int  # column of the sector in the taxonomy
    phrase: str  # the phrase as the taxonomy has it
    start: int  # character offsets in the text
    end: int
    weight: float  # specificity of the phrase in 0..1: 1 if it points to one sector and has two words or more
    kind: str  # "name", "keyword", "alias" or "weak"
    covered: bool  # whether a longer phrase of another sector spans it ("fibre" inside "optical fibre cable")


@dataclasses.dataclass(frozen=True)
class _Phrase:
    keys: tuple[str, ...]
    text: str
    owners: tuple[tuple[int, str], ...]
    weight: float


class LexicalIndex:
    """Phrases and label documents of a taxonomy, ready to be matched against texts.

    The word frequencies of `texts` and of the label documents set the inverse document frequencies.
    """

    def __init__(self, taxonomy: Taxonomy, texts: Sequence[str] = ()):
        corpus = [*(s.document() for s in taxonomy.sectors), *texts]
        words = _word_vectorizer().fit(corpus)
        characters = _character_vectorizer().fit(corpus)
        self._prepare(taxonomy, words, characters)

    def _prepare(self, taxonomy: Taxonomy, words: TfidfVectorizer, characters: TfidfVectorizer) -> None:
        self.taxonomy = taxonomy
        self._by_first = _index_phrases(taxonomy)
        self._bags = _phrase_bags(self._by_first, len(taxonomy))
        documents = [s.document() for s in taxonomy.sectors]
        self._words, self._characters = words, characters
        self._label_words = words.transform(documents)
        # Character n-grams are compared with each phrase's own words, not with the long document.
        self._label_characters = characters.transform(
            [", ".join([s.name, *s.keywords]) for s in taxonomy.sectors]
        )
        self._bm25 = _bm25_weights(documents, words)

    def arrays(self) -> dict[str, AnyArray]:
        """Return vocabularies and inverse document frequencies, from which `from_arrays` builds the same index."""
        out = {}
        for name, vectorizer in (("words", self._words), ("characters", self._characters)):
            out[f"{name}_terms"] = vectorizer.get_feature_names_out().astype(str)
            out[f"{name}_idf"] = vectorizer.idf_
        return out

    @classmethod
    def from_arrays(cls, taxonomy: Taxonomy, arrays: Mapping[str, AnyArray]) -> LexicalIndex:
        """Build the index that `arrays` described, without the texts it was made from."""
        index = cls.__new__(cls)
        rebuilt = []
        for name, make in (("words", _word_vectorizer), ("characters", _character_vectorizer)):
            terms, idf = _checked_terms(name, arrays)
            vectorizer = make(vocabulary=terms)
            if name == "words":
                own = {term for sector in taxonomy.sectors for term in word_terms(sector.document())}
                if absent := own.difference(terms):
                    raise DataError(f"the saved words lack {min(absent)!r}, a word of the taxonomy")
            vectorizer.idf_ = idf
            rebuilt.append(vectorizer)
        index._prepare(taxonomy, *rebuilt)
        return index

    def hits(self, text: str, tokens: list[Token] | None = None) -> list[Hit]:
        """Find every phrase of every sector in a text, longest first where they overlap."""
        found = self._matches(tokens if tokens is not None else tokenize(text))
        hits = []
        for phrase, first, last, tok in found:
            inside = [p for p, a, b, _ in found if a <= first and last <= b and b - a > last - first]
            for sector, kind in phrase.owners:
                covered = any(all(o != sector for o, _ in p.owners) for p in inside)
                hits.append(
                    Hit(
                        sector, phrase.text, tok[first].start, tok[last].end,
                        phrase.weight * KIND_WEIGHT[kind], kind, covered,
                    )
                )  # fmt: skip
        return hits

    def _matches(self, tokens: list[Token]) -> list[tuple[_Phrase, int, int, list[Token]]]:
        keys = [(t.stem, "^" + t.stem if t.capital else t.stem) for t in tokens]
        found = []
        for i, alternatives in enumerate(keys):
            for first in set(alternatives):
                for phrase in self._by_first.get(first, ()):
                    n = len(phrase.keys)
                    if i + n <= len(keys) and all(phrase.keys[k] in keys[i + k] for k in range(1, n)):
                        found.append((phrase, i, i + n - 1, tokens))
        return found

    def features(self, texts: Sequence[str]) -> FloatArray:
        """Score every (text, sector) pair: shape (n, n_sectors, len(LEXICAL_FEATURES))."""
        n, m = len(texts), len(self.taxonomy)
        out = np.zeros((n, m, len(LEXICAL_FEATURES)))
        if n == 0:
            return out
        stems: list[set[str]] = []
        for i, text in enumerate(texts):
            tokens = tokenize(text)
            seen: set[tuple[int, str]] = set()
            for hit in self.hits(text, tokens):
                if hit.covered:
                    out[i, hit.sector, 2] = max(out[i, hit.sector, 2], hit.weight)
                    continue
                out[i, hit.sector, 0] = max(out[i, hit.sector, 0], hit.weight)
                if hit.kind in ("name", "keyword"):
                    out[i, hit.sector, 3] = max(out[i, hit.sector, 3], hit.weight)
                if (hit.sector, hit.phrase) not in seen:
                    seen.add((hit.sector, hit.phrase))
                    out[i, hit.sector, 1] += hit.weight
            stems.append({t.stem for t in tokens})
        out[:, :, 9] = self._partial(stems)
        out[:, :, 1] = np.log1p(out[:, :, 1])
        total = out[:, :, 0].sum(axis=1, keepdims=True)
        out[:, :, 4] = out[:, :, 0] / np.maximum(total, 1e-12)
        words = self._words.transform(texts)
        cosine = (words @ self._label_words.T).toarray()
        out[:, :, 5] = cosine
        counts = (words > 0).astype(np.float64)
        bm25 = np.asarray((counts @ self._bm25.T).todense())
        out[:, :, 6] = np.log1p(bm25)
        out[:, :, 7] = (self._characters.transform(texts) @ self._label_characters.T).toarray()
        out[:, :, 8] = cosine - cosine.max(axis=1, keepdims=True)
        return out

    def _partial(self, stems: list[set[str]]) -> FloatArray:
        """Return the best share of a longer phrase's words that occur anywhere in each text."""
        column, shares, owners = self._bags
        out = np.zeros((len(stems), len(self.taxonomy)))
        if not len(owners):
            return out
        found = [(i, column[w]) for i, words in enumerate(stems) for w in words if w in column]
        rows, columns = zip(*found, strict=True) if found else ((), ())
        present = sparse.csr_matrix((np.ones(len(found)), (rows, columns)), shape=(len(stems), len(column)))
        covered = (present @ shares.T).toarray()
        sectors, starts = np.unique(owners, return_index=True)
        out[:, sectors] = np.maximum.reduceat(covered, starts, axis=1)
        return out


def _checked_terms(name: str, arrays: Mapping[str, AnyArray]) -> tuple[list[str], FloatArray]:
    terms, idf = arrays.get(f"{name}_terms"), arrays.get(f"{name}_idf")
    if terms is None or idf is None or terms.dtype.kind != "U" or idf.dtype != np.float64:
        raise DataError(f"the arrays of {name} are missing or of another type; expected terms and their idf")
    if terms.ndim != 1 or terms.shape != idf.shape or not len(terms) or not np.isfinite(idf).all():
        raise DataError(f"{terms.shape} terms of {name}, but {idf.shape} finite weights; expected as many")
    unique = [str(t) for t in terms]
    if len(set(unique)) != len(unique):
        raise DataError(f"a term of {name} occurs twice")
    return unique, idf


def _word_vectorizer(vocabulary: Sequence[str] | None = None) -> TfidfVectorizer:
    return TfidfVectorizer(analyzer=word_terms, sublinear_tf=True, vocabulary=vocabulary)


def _character_vectorizer(vocabulary: Sequence[str] | None = None) -> TfidfVectorizer:
    least = 1 if vocabulary is not None else 2
    return TfidfVectorizer(
        analyzer="char_wb", ngram_range=(3, 5), min_df=least, sublinear_tf=True, vocabulary=vocabulary
    )


def _phrase_bags(
    by_first: dict[str, list[_Phrase]], n_sectors: int
) -> tuple[dict[str, int], sparse.csr_matrix, IntArray]:
    """Return words, a sparse matrix (n_phrases, n_words) of each word's share in its phrase, and the owners.

    Only phrases of two words or more; rare words have larger shares; phrases are sorted by sector.
    """
    frequency: dict[str, set[int]] = defaultdict(set)
    for phrases in by_first.values():
        for p in phrases:
            for k in p.keys:
                frequency[k].update(s for s, _ in p.owners)
    longer = [p for ps in by_first.values() for p in ps if len(p.keys) > 1 and not p.keys[0].startswith("^")]
    owned = sorted(((s, p) for p in longer for s, _ in p.owners), key=lambda pair: pair[0])
    column = {k: i for i, k in enumerate(sorted(frequency))}
    rows, columns, shares = [], [], []
    for i, (_, p) in enumerate(owned):
        raw = {k: math.log(1 + n_sectors / len(frequency[k])) for k in p.keys}
        for k, weight in raw.items():
            rows.append(i)
            columns.append(column[k])
            shares.append(weight / sum(raw.values()))
    matrix = sparse.csr_matrix((shares, (rows, columns)), shape=(len(owned), len(column)))
    return column, matrix, np.array([s for s, _ in owned], dtype=int)


def _index_phrases(taxonomy: Taxonomy) -> dict[str, list[_Phrase]]:
    owners: dict[tuple[str, ...], dict[int, str]] = defaultdict(dict)
    written: dict[tuple[str, ...], str] = {}
    for j, sector in enumerate(taxonomy.sectors):
        for phrase, kind in sector.phrases():
            tokens = tokenize(phrase)
            if not tokens:
                continue
            keys = tuple(("^" if t.capital else "") + t.stem for t in tokens)
            owners[keys].setdefault(j, kind)
            written.setdefault(keys, phrase)
    index: dict[str, list[_Phrase]] = defaultdict(list)
    for keys, who in owners.items():
        length = 1.0 if len(keys) > 1 else 0.85
        weight = length / math.sqrt(len(who))
        index[keys[0]].append(_Phrase(keys, written[keys], tuple(who.items()), weight))
    return dict(index)


def word_terms(text: str) -> list[str]:
    """Return stems and neighbouring pairs of stems that carry meaning."""
    stems = [t.stem for t in tokenize(text) if t.stem not in STOPWORDS and not t.stem[0].isdigit()]
    return stems + [f"{a} {b}" for a, b in itertools.pairwise(stems)]


def _bm25_weights(
    documents: Sequence[str], vectorizer: TfidfVectorizer, k1: float = 1.2, b: float = 0.75
) -> sparse.csr_matrix:
    """Return the BM25 weight of each term in each label document, as a sparse matrix."""
    vocabulary = vectorizer.vocabulary_
    rows, columns, values = [], [], []
    term_lists = [word_terms(d) for d in documents]
    lengths = np.array([len(t) for t in term_lists], dtype=float)
    document_frequency: dict[str, int] = defaultdict(int)
    for terms in term_lists:
        for term in set(terms):
            document_frequency[term] += 1
    n = len(documents)
    for i, terms in enumerate(term_lists):
        counts: dict[str, int] = defaultdict(int)
        for term in terms:
            counts[term] += 1
        norm = k1 * (1 - b + b * lengths[i] / max(lengths.mean(), 1.0))
        for term, count in counts.items():
            df = document_frequency[term]
            idf = math.log(1 + (n - df + 0.5) / (df + 0.5))
            rows.append(i)
            columns.append(vocabulary[term])
            values.append(idf * count * (k1 + 1) / (count + norm))
    return sparse.csr_matrix((values, (rows, columns)), shape=(n, len(vocabulary)))


STOPWORDS = frozenset(
    """
    a about above after again all also an and any are as at be been before being below between both but by
    can could did do does down during each few for from further had has have having he her here his how i
    if in into is it its itself just me more most my new no nor not now of off on once one only or other
    our out over own per same shall she should so some such than that the their them then there these they
    this those through to too two under until up upon very was we were what when where which while who
    whom why will with would year rs crore lakh percent cent rupee government india indian propose
    proposal scheme hon sir madam speaker make made maker firm company industry product good sell seller
    operator service private public producer manufacturer provider system etc
    """.split()
)
