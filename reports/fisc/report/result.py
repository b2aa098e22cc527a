"""What every result can do: go to JSON and back, show itself, become a section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from fisc.report import codec

if TYPE_CHECKING:
    from fisc.report.blocks import Section

__all__ = ["Result"]


class Result:
    """Mixin for frozen dataclasses that hold a result.

    A subclass offers ``summary()``, ``to_frame()``, ``plot(ax=None)`` and ``section()``; this
    class adds the way to JSON and back, the notebook's view and a short ``repr``.

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
        # Present before @dataclass runs, so that it does not write its own, which would print
        # every array.
        if "__repr__" not in cls.__dict__:
            cls.__repr__ = Result.__repr__  # type: ignore[method-assign]

    def summary(self) -> str:
        """Return the result in words and numbers."""
        return ""

    def section(self) -> Section:
        """Return the result as a section of a report."""
        from fisc.report.blocks import Section

        return Section(type(self).__name__, body=self.summary())

    def to_dict(self) -> dict[str, Any]:
        """Return the result in types that JSON knows; `from_dict` turns it back exactly."""
        encoded: dict[str, Any] = codec.encode(self)
        return encoded

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build the result that `to_dict` described."""
        decoded: Self = codec.decode(values)
        return decoded

    def _repr_html_(self) -> str:
        return self.section()._repr_html_()

    def __repr__(self) -> str:
        head = next(iter(self.summary().strip().splitlines()), "")
        return f"<{type(self).__name__}: {head}>" if head else f"<{type(self).__name__}>"
