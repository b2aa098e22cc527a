"""The ground floor: errors, checks, files, tables, provenance and results, for every package above."""

from fisc.core import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
