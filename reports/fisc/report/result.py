"""A result that becomes a section of a report."""

from __future__ import annotations

import re

import fisc.core
from fisc.report.page import Section

__all__ = ["Result"]


class Result(fisc.core.Result):
    """Base of frozen dataclasses that hold what an instrument found.

    A subclass says what it found by ``summary()`` and ``section()``, and offers ``to_frame()`` and
    ``plot(ax=None)``. `fisc.core.Result` adds the way to plain JSON and back, a short ``repr`` and an
    equality that looks into arrays and tables; this class adds a notebook's view.

    Examples
    --------
    >>> import dataclasses
    >>> @dataclasses.dataclass(frozen=True)
    ... class Mean(Result):
    ...     value: float
    ...     def summary(self):
    ...         return f"mean {self.value}"
    >>> Mean.from_dict(Mean(2.0).to_dict())
    <Mean: mean 2.0>
    """

    def section(self) -> Section:
        """Return the result as a section of a report.

        Returns
        -------
        Section
            The summary as it stands, under the class's name; a subclass that has pictures
            and tables shows them.
        """
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", type(self).__name__)
        body = "\n".join(f"    {line}" for line in self.summary().splitlines())
        return Section(words, body=body, provenance=getattr(self, "provenance", None))

    def _repr_html_(self) -> str | None:
        return self.section()._repr_html_()
