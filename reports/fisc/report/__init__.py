"""The report layer: sections of prose, figures and tables that become one HTML or PDF file.

A result of any instrument gives a `Section`; a `Report` is a list of sections. Rendering makes
one self-contained file that needs no network and no script. `publish` puts that file in place
whole or not at all and writes each run into a `Ledger`.
"""

from fisc.core import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
