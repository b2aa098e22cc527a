"""What every result can do: go to JSON and back, show itself, become a section."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from fisc.core import DataError
from fisc.report import codec

if TYPE_CHECKING:
    from fisc.report.blocks import Section

__all__ = ["Result"]


class Result:
    """Mixin for frozen dataclasses that hold a result.

    A subclass says what it found by ``summary()`` and ``section()``, and offers ``to_frame()``
    and ``plot(ax=None)``. This class adds the way to JSON and back, a notebook's view, a short
    ``repr`` (the first line of the summary) and an equality that looks into arrays and frames
    and holds NaN equal to NaN.

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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # In place before @dataclass runs, which then does not write its own: those would print
        # every array, and fail to compare them.
        for name in ("__repr__", "__eq__"):
            if name not in cls.__dict__:
                setattr(cls, name, Result.__dict__[name])

    def summary(self) -> str:
        """Return the result in words and numbers, the finding on the first line.

        Returns
        -------
        str
        """
        return ""

    def section(self) -> Section:
        """Return the result as a section of a report.

        Returns
        -------
        Section
            The summary as it stands, under the class's name; a subclass that has pictures
            and tables shows them.
        """
        from fisc.report.blocks import Section

        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", type(self).__name__)
        body = "\n".join(f"    {line}" for line in self.summary().splitlines())
        return Section(words, body=body, provenance=getattr(self, "provenance", None))

    def to_dict(self) -> dict[str, Any]:
        """Return the result in types that JSON knows; `from_dict` turns it back exactly.

        Returns
        -------
        dict
            A key a field, and ``"$type"``. NumPy scalars become Python numbers, and NaN and
            infinities tagged text (see `fisc.report.codec`), so that
            ``json.dumps(..., allow_nan=False)`` takes it.

        Raises
        ------
        DataError
            If a field holds something that JSON cannot, for instance a function.
        """
        encoded: dict[str, Any] = codec.encode(self)
        return encoded

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build the result that `to_dict` described.

        Parameters
        ----------
        values : mapping
            As `to_dict` or ``json.loads`` gave it.

        Returns
        -------
        Result
            Of this class or one derived from it.

        Raises
        ------
        DataError
            If it describes something else, or is damaged.
        """
        decoded = codec.decode(values)
        if not isinstance(decoded, cls):
            raise DataError(f"the data describe a {type(decoded).__name__}, not a {cls.__name__}")
        return decoded

    def _repr_html_(self) -> str:
        return self.section()._repr_html_()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(codec.encode(self) == codec.encode(other))

    def __repr__(self) -> str:
        head = next(iter(self.summary().strip().splitlines()), "")
        return f"<{type(self).__name__}: {head}>" if head else f"<{type(self).__name__}>"
