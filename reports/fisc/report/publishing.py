"""Publishing: a report appears under its name whole, once, and in the ledger."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from fisc.core import DataError, InUseError, check_option
from fisc.core.files import locked
from fisc.report.ledger import Ledger
from fisc.report.page import Report
from fisc.report.states import failed_copy, is_good, mark_stale

__all__ = ["OverlapError", "Published", "publish"]


class OverlapError(InUseError):
    """Another run is making the same output, and the caller does not want to wait."""


@dataclasses.dataclass(frozen=True)
class Published:
    """What `publish` did.

    Attributes
    ----------
    path : pathlib.Path
        The file that a reader opens.
    run : int or None
        Its number in the ledger, if there is one.
    status : {"published", "stale", "failed"}
        Stale: a section failed, so the last good page stays under its name, with a banner; what could
        be made is ``failed.html`` in the folder of past outputs. Failed: there was no good page yet, and
        one stands that shows the errors in their place.
    message : str
        Which sections failed, and why.
    """

    path: Path
    run: int | None
    status: str
    message: str = ""


def publish(
    report: Report | Callable[[], Report],
    out_path: str | os.PathLike[str],
    *,
    ledger: Ledger | None = None,
    overlap: str = "wait",
    name: str | None = None,
    title: str = "",
    now: dt.datetime | str | None = None,
) -> Published:
    """Put a report in place, whole or not at all, and record the run.

    The page is written to a temporary file in the same folder, flushed to disk and renamed: at
    every moment, also after ``kill -9`` or on a full disk, the published name shows the previous
    report or the new one. A report with a failed section never replaces a good one; nor does one that
    could not be made at all. One run at a time makes one output.

    Parameters
    ----------
    report : Report or callable that returns one
        A callable is called inside the run, so that what it raises is recorded and two runs
        do not compute at once.
    out_path : path-like
        Ends in ``.html`` or ``.pdf``, which decides the format.
    ledger : Ledger, optional
        Where the run is recorded.
    overlap : {"wait", "refuse"}
        What to do while another run makes the same output.
    name : str, optional
        Name of the report in the ledger; the output's file name without its ending if not given.
    title : str
        For readers of the ledger.
    now : datetime or str, optional
        See `Report.to_html`.

    Returns
    -------
    Published

    Raises
    ------
    OverlapError
        If `overlap` is ``"refuse"`` and another run is under way; it is recorded as refused.
    OptionError
        If `overlap` or the ending of `out_path` is unknown.
    WriteError
        If the output cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from fisc.report import Section
    >>> with TemporaryDirectory() as folder:
    ...     done = publish(Report("Prices", [Section("Returns")]), f"{folder}/prices.html")
    ...     done.path.name, done.status
    ('prices.html', 'published')
    """
    target = Path(out_path).absolute()
    check_option("overlap", overlap, ("wait", "refuse"))
    check_option("the ending of out_path", target.suffix, (".html", ".pdf"))
    name = name or target.stem
    began = dt.datetime.now(dt.UTC)
    with _alone(target, overlap, ledger, name, title), contextlib.ExitStack() as stack:
        _sweep(target)
        run = None
        if ledger is not None:
            run = stack.enter_context(ledger.start(name, output=target, title=title))
        try:
            made = report if isinstance(report, Report) else report()
            if not isinstance(made, Report):
                raise DataError(f"expected a Report to publish, not a {type(made).__name__}")
            if run is not None:
                run.add_inputs(_inputs(made))
                run.add_findings([part.finding for part in made.sections if part.finding])
            message = "; ".join(f"section {part.title!r}: {part.error}" for part in made.failures)
            status = "published" if not message else "stale" if is_good(target) else "failed"
            # Nothing in a PDF tells later that it failed: such a one is never put under the name.
            aside = status == "stale" or (status == "failed" and target.suffix == ".pdf")
            _write(made, failed_copy(target) if aside else target, now)
        except Exception as error:
            mark_stale(target, str(error) or type(error).__name__, began)
            raise
        if status == "stale":
            mark_stale(target, message, began)
        if run is not None and message:
            run.fail(message)
    return Published(target, run.id if run is not None else None, status, message)


def _write(report: Report, path: Path, now: dt.datetime | str | None) -> None:
    if path.suffix == ".pdf":
        report.to_pdf(path, now=now)
    else:
        report.to_html(path, now=now)


@contextlib.contextmanager
def _alone(target: Path, overlap: str, ledger: Ledger | None, name: str, title: str) -> Iterator[None]:
    """Hold the output's lock, waiting for it or not."""
    stack = contextlib.ExitStack()
    try:
        stack.enter_context(locked(target, timeout=-1 if overlap == "wait" else 0))
    except InUseError as error:
        message = f"another run is making {target}"
        if ledger is not None:
            ledger.refuse(name, output=target, message=message, title=title)
        raise OverlapError(f"{message}; wait for it to end, or publish with overlap='wait'") from error
    with stack:
        yield


def _sweep(target: Path) -> None:
    """Remove what runs of this output that were killed have left; the lock is held, so none is alive."""
    temporary = re.compile(rf"\.{re.escape(target.name[:80])}\.[^.]+\.part")
    with contextlib.suppress(OSError):
        for left in [path for path in target.parent.iterdir() if temporary.fullmatch(path.name)]:
            left.unlink(missing_ok=True)


def _inputs(report: Report) -> dict[str, str]:
    """Return the fingerprints of all inputs; a name with two different ones gets a number."""
    found: dict[str, str] = {}
    for section in report.sections:
        for name, value in (section.provenance.inputs if section.provenance is not None else {}).items():
            free, number = name, 1
            while found.get(free, value) != value:
                number += 1
                free = f"{name} ({number})"
            found[free] = value
    return found
