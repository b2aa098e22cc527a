"""Reports put together by their file: sections of the package, of other packages, of notebooks.

A file may only name what is registered: the sections of this package, and functions that an installed
package has registered under the entry points ``fisc.sections``. Anything else has to be allowed by whoever
gives the command.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import inspect
import io
import traceback
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from fisc.cli.pipelines import registry
from fisc.cli.pipelines.notebook import run_notebook
from fisc.core import DataError, FiscError, nearest
from fisc.report import Section
from fisc.report.definition import ReportDefinition, SectionUse
from fisc.report.patience import at_most

__all__ = ["check_trust", "sections"]

GROUP = "fisc.sections"


def registered() -> dict[str, str]:
    """Return what installed packages registered: name and ``module:function``."""
    return {point.name: point.value for point in importlib.metadata.entry_points(group=GROUP)}


def check_trust(uses: str, allowed: Collection[str]) -> None:
    """Refuse what nobody vouches for.

    Raises
    ------
    DataError
        If `uses` is neither a section of the package, nor registered, nor allowed.
    """
    known = registered()
    if uses in registry.USES or uses in known or uses in known.values():
        return
    if uses.endswith(".ipynb"):
        wanted = Path(uses).name
        if wanted in allowed or uses in allowed:
            return
        raise DataError(f"the notebook {uses!r} holds code of its own; allow it by --allow {wanted}")
    module, colon, function = uses.partition(":")
    if not colon or not function.isidentifier() or not all(map(str.isidentifier, module.split("."))):
        guess = nearest(uses, [*registry.USES, *known])
        hint = f"did you mean {guess!r}? " if guess else ""
        raise DataError(
            f"uses={uses!r} is not a section; {hint}give one of {', '.join([*registry.USES, *known])}, "
            "a package.module:function, or a notebook.ipynb"
        )
    parents = module.split(".")
    if not {".".join(parents[: n + 1]) for n in range(len(parents))} & set(allowed):
        raise DataError(
            f"no installed package has registered {uses!r} under the entry points {GROUP}; "
            f"if you trust it, allow it by --allow {module}"
        )


def sections(definition: ReportDefinition, progress: Callable[[str, int, int], None]) -> list[Section]:
    """Make the sections of a file, in its order; one that cannot be made says why, and the next is made."""
    found: list[Section] = []
    for number, part in enumerate(definition.section):
        title = part.title or part.uses
        progress(title, number, len(definition.section))
        try:
            with at_most(definition.section_minutes), contextlib.redirect_stdout(_Sink()):
                found.extend(_made(definition, part, progress))
        except FiscError as error:
            found.append(Section.failed(title, error))
        except Exception as error:
            traceback.print_exc()
            found.append(Section.failed(title, error))
    return found


class _Sink(io.TextIOBase):
    """Takes what a section prints, however much: a page is made of what it returns."""

    def write(self, text: str) -> int:
        return len(text)


def _made(
    definition: ReportDefinition, part: SectionUse, progress: Callable[[str, int, int], None]
) -> Iterable[Section]:
    check_trust(part.uses, definition.allowed)
    if part.uses in registry.USES:
        alone = definition.model_copy(update={"options": part.options, "section": ()})
        return registry.pipeline(registry.USES[part.uses]).sections(alone, progress)
    own = {"random_state": definition.random_state, "folder": definition.folder}
    if part.uses.endswith(".ipynb"):
        return as_sections(run_notebook(definition.path(part.uses), {**own, **part.options}), part.uses)
    return as_sections(_call(part, own), part.uses)


def _call(part: SectionUse, own: dict[str, object]) -> object:
    """Call a function with the options of the file, and with seed and folder if it takes them."""
    where = registered().get(part.uses, part.uses)
    module, _, name = where.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise DataError(f"{where} cannot be loaded ({error}); is its package installed here?") from error
    if not callable(function):
        raise DataError(f"{where} is not a function")
    takes = inspect.signature(function)
    given = {**{name: value for name, value in own.items() if name in takes.parameters}, **part.options}
    try:
        takes.bind(**given)
    except TypeError as error:
        raise DataError(f"the options do not fit {where}{takes}: {error}") from error
    return function(**given)


def as_sections(made: object, where: str) -> list[Section]:
    """Return sections of what was returned: a section, a result that has one, or a list of them."""
    if isinstance(made, Section):
        return [made]
    if isinstance(made, list | tuple) and made:
        return [section for item in made for section in as_sections(item, where)]
    of = getattr(made, "section", None)
    if callable(of) and not isinstance(made, type):
        return as_sections(of(), where)
    raise DataError(
        f"{where} returned a {type(made).__name__}; expected a fisc.report.Section, a result with section(), "
        "or a list of them that is not empty"
    )
