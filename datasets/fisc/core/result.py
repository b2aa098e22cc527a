"""What every result can do: go to plain JSON and back, show itself, be printed, compare itself."""

from __future__ import annotations

import json
import numbers
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from fisc.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from fisc.core.printing import PrintTable

__all__ = ["LATER", "Record", "Result"]

#: Metadata of a field with a default that came after data were written: who lacks it is read with the default.
LATER: Mapping[str, bool] = {"later": True}

# Fields that a reader of a table wants to know, in the order in which they are told.
_FACTS = (
    *("n", "n_minus", "n_plus", "n_effective_minus", "n_effective_plus"),
    *("clusters", "texts", "budgets", "events"),
    *("bandwidth", "bandwidth_minus", "bandwidth_plus", "method", "model", "kernel", "criterion", "scheme"),
    *("level", "coverage", "alpha"),
)


class Record:
    """Base of frozen dataclasses that go to plain JSON and back.

    ``to_dict`` gives a key for each field and ``"schema"``, the name and version of the class. NaN and
    infinity are null; ``"not_finite"`` lists by JSON pointer the nulls that stand for an infinity, or
    for a NaN outside arrays and tables. ``class X(Record, version=2)`` raises the version.

    Examples
    --------
    >>> import dataclasses
    >>> @dataclasses.dataclass(frozen=True, eq=False)
    ... class Span(Record):
    ...     low: float
    ...     high: float
    >>> Span(0.0, float("inf")).to_dict()["not_finite"]
    {'/high': 'inf'}
    >>> Span.from_dict(Span(0.0, float("inf")).to_dict()).high
    inf
    """

    _version: ClassVar[int] = 1
    # A bare record that somebody wrote by hand needs no schema; a result does.
    _needs_schema: ClassVar[bool] = False

    def __init_subclass__(cls, *, version: int = 1, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls._version = version
        # In place before @dataclass runs, which then does not write its own: it would fail to
        # compare arrays and tables.
        if "__eq__" not in cls.__dict__:
            cls.__eq__ = Record.__eq__  # type: ignore[method-assign]
            cls.__hash__ = None  # type: ignore[assignment]

    @classmethod
    def schema(cls) -> str:
        """Return the name and version of the class, as ``"fisc.r3d.R3DResult/1"``."""
        package = ".".join(cls.__module__.split(".")[:2])
        return f"{package}.{cls.__qualname__.rpartition('.')[2]}/{cls._version}"

    def to_dict(self) -> dict[str, Any]:
        """Return the object in types that JSON knows; `from_dict` restores an equal one.

        Returns
        -------
        dict
            ``"schema"``, a key for each field, and ``"not_finite"`` where a number became null.

        Raises
        ------
        DataError
            If a field holds something that JSON cannot, for instance a function.
        """
        from fisc.core.encoding import plain

        lost: dict[str, str] = {}
        fields = plain(self, "", lost)
        return {"schema": self.schema(), **fields, **({"not_finite": lost} if lost else {})}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the object that `to_dict` described.

        Parameters
        ----------
        values : mapping
            As `to_dict` or ``json.loads`` gave it.

        Returns
        -------
        an object of this class

        Raises
        ------
        DataError
            If it describes something else, lacks a field, has one too many, or holds a value of
            another type. Nothing that it names is imported.
        """
        from fisc.core.encoding import check_depth, check_fields, restore, structure

        if not isinstance(values, Mapping):
            raise DataError(f"expected the fields of a {cls.__name__} as a mapping, got {values!r:.60}")
        fields = {key: value for key, value in values.items() if key not in ("schema", "not_finite")}
        said = values.get("schema")
        if said is None and cls._needs_schema:
            raise DataError(f"the data have no schema; expected {cls.schema()!r}")
        if said is not None and said != cls.schema():
            raise DataError(
                f"the data are {said!r:.80}, not {cls.schema()!r}; was it written by another version?"
            )
        check_fields(fields, cls)
        check_depth(fields)
        lost = values.get("not_finite", {})
        if not isinstance(lost, Mapping):
            raise DataError(f"not_finite is {lost!r:.60}; expected a mapping of pointers")
        return structure(restore(fields, lost), cls)

    def to_json(self) -> str:
        """Return `to_dict` as one line of strict JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.to_dict() == other.to_dict()


class Result(Record):
    """Base of frozen dataclasses that hold what an instrument found.

    A subclass says what it found by ``summary()`` and offers ``to_frame()`` and ``plot(ax=None)``.

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

    _needs_schema: ClassVar[bool] = True

    def __init_subclass__(cls, *, version: int = 1, **kwargs: object) -> None:
        super().__init_subclass__(version=version, **kwargs)
        if "__repr__" not in cls.__dict__:
            cls.__repr__ = Result.__repr__  # type: ignore[method-assign]

    def summary(self) -> str:
        """Return the result in words and numbers, the finding on the first line."""
        return ""

    def terms(self) -> pd.DataFrame:
        """Return what was estimated, one row for each term.

        Returns
        -------
        DataFrame
            Indexed by term, with the column ``estimate`` and, where known, ``std_error``, ``low``,
            ``high`` and ``p``.

        Raises
        ------
        DataError
            If the result has no table, or none of estimates.
        """
        from fisc.core.printing import terms_of

        return terms_of(self._frame())

    def facts(self) -> dict[str, object]:
        """Return what a reader of the terms wants to know: n, bandwidth, clusters, method."""
        held = {name: getattr(self, name) for name in _FACTS if name in getattr(self, "__dict__", {})}
        # An array says one thing if its entries are the same, for instance a bandwidth for all quantiles.
        told = {
            n: v.flat[0] if getattr(v, "size", 0) and (v == v.flat[0]).all() else v for n, v in held.items()
        }
        plain = {name: value for name, value in told.items() if isinstance(value, numbers.Real | str)}
        # The two sides of a cutoff are told apart only where they differ.
        return {n: v for n, v in plain.items() if plain.get(n.rpartition("_")[0]) != v}

    def to_latex(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        stars: bool = False,
        decimals: int | None = None,
        caption: str | None = None,
        label: str | None = None,
    ) -> str:
        """Return the result's table for LaTeX, with the rules of the package booktabs.

        Parameters
        ----------
        path : path-like, optional
            Where to write it, whole or not at all.
        stars : bool
            Whether stars mark what is significant; the note says at which levels.
        decimals : int, optional
            Of all numbers; three digits of a typical value of each column if not given.
        caption : str, optional
            The first line of `summary` if not given.
        label : str, optional
            The name by which LaTeX refers to it, such as ``tab:effects``.

        Returns
        -------
        str
            A ``table`` environment with columns in words and notes below.

        Raises
        ------
        DataError
            If the result has no table.
        OptionError
            If stars are asked for, and there are neither p-values nor intervals.
        """
        return self._print_table(stars, decimals, caption, label).to_latex(path)

    def to_markdown(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        stars: bool = False,
        decimals: int | None = None,
        caption: str | None = None,
    ) -> str:
        """Return the result's table for Markdown; the parameters are those of `to_latex`."""
        return self._print_table(stars, decimals, caption, None).to_markdown(path)

    def to_docx(
        self,
        path: str | os.PathLike[str],
        *,
        stars: bool = False,
        decimals: int | None = None,
        caption: str | None = None,
    ) -> Path:
        """Write the result's table as a Word document; the parameters are those of `to_latex`.

        Raises
        ------
        MissingExtraError
            If python-docx is not installed (the extra ``word``).
        """
        return self._print_table(stars, decimals, caption, None).to_docx(path)

    def _frame(self) -> pd.DataFrame:
        to_frame = getattr(self, "to_frame", None)
        if to_frame is None:
            raise DataError(f"a {type(self).__name__} has no table; print its summary() instead")
        frame: pd.DataFrame = to_frame()
        return frame

    def _notes(self) -> tuple[str, ...]:
        """Return the sentences below a printed table."""
        from fisc.core.printing import in_sentence

        return tuple(filter(None, [in_sentence(self.facts())]))

    def _print_table(
        self, stars: bool, decimals: int | None, caption: str | None, label: str | None
    ) -> PrintTable:
        from fisc.core.printing import print_table

        return print_table(
            self._frame(),
            stars=stars,
            decimals=decimals,
            notes=self._notes(),
            caption=self._headline() if caption is None else caption,
            name=label or "",
        )

    def _headline(self) -> str:
        return next(iter(self.summary().strip().splitlines()), "")

    def __repr__(self) -> str:
        head = self._headline()
        return f"<{type(self).__name__}: {head}>" if head else f"<{type(self).__name__}>"
