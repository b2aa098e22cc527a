"""The data layer: a catalogue of data sets, loaders, fetchers, builders and their cache.

``load_*`` functions work offline and at once, ``fetch_*`` functions use the network once and
then the cache, ``read_*`` functions read the user's own files. All return a DataFrame whose
history is available from `provenance`.
"""

from fisc.core import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
