"""Budget speeches: which sectors a text touches, what is new in it, and what the market made of it.

A speech is read into paragraphs (`read_speech`), each paragraph is classified over a `Taxonomy` of
sectors with the words that are the evidence (`SectorClassifier`), attention and novelty are measured
against earlier years (`attention`), the market's reaction by a proper event study (`event_returns`),
and sectors are ranked with intervals and the right to say "no call" (`SectorRanker`). Rankings are
scored against chance (`chance_corrected_ndcg`, `evaluate_ranking`).
"""

from fisc.core import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
