"""A report described by a TOML file: what it holds, where it goes, when it is made."""

from __future__ import annotations

import datetime as dt
import difflib
import tomllib
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fisc.core import DataError, nearest
from fisc.report.cron import parse
from fisc.report.loops import TODAY, expand, fill

__all__ = [
    "Email",
    "History",
    "ReportDefinition",
    "Retry",
    "Schedule",
    "SectionUse",
    "load_definition",
    "load_definitions",
    "made_on",
    "problems",
    "validate",
    "with_cron",
]


class _Strict(BaseModel):
    """A table of the file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Schedule(_Strict):
    """When the report is made."""

    cron: Annotated[str, Field(description="Five fields: minute, hour, day, month, weekday.")]
    timezone: Annotated[str, Field(description="Name of the time zone, for instance Asia/Kolkata.")] = "UTC"
    misfire_grace_minutes: Annotated[
        float,
        Field(gt=0, description="A run missed by more than this (the machine was off) is left out."),
    ] = 24 * 60.0
    overlap: Annotated[
        Literal["wait", "refuse"],
        Field(description="What a run does while another one makes the same report."),
    ] = "wait"

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            guess = nearest(value, zoneinfo.available_timezones())
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise ValueError(f"there is no time zone {value!r}{hint}") from error
        return value

    @field_validator("cron")
    @classmethod
    def _readable_cron(cls, value: str) -> str:
        parse(value)
        return value


class Retry(_Strict):
    """How often a failed run of a schedule is tried again before its next time."""

    times: Annotated[int, Field(ge=0, le=100, description="How often a failed run is tried again.")] = 0
    minutes: Annotated[
        float, Field(gt=0, description="Minutes from the end of a failed run to the next.")
    ] = 15.0


class History(_Strict):
    """Which past outputs are kept."""

    keep: Annotated[int, Field(ge=1, description="How many past outputs are kept.")] = 30


class Email(_Strict):
    """Who gets the report; the server's settings come from the environment (FISC_SMTP_*)."""

    to: Annotated[tuple[str, ...], Field(min_length=1, description="Addresses.")]
    subject: Annotated[str, Field(description="Subject; the title if empty.")] = ""
    on_success: Annotated[bool, Field(description="Whether a new page is sent.")] = True
    on_failure: Annotated[bool, Field(description="Whether a failure is told, once retries are used up.")] = (
        True
    )
    failure_to: Annotated[
        tuple[str, ...], Field(description="Who is told of a failure; the same addresses if empty.")
    ] = ()

    @field_validator("to", "failure_to")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            if address.count("@") != 1 or any(c.isspace() or c in ",;<>" for c in address):
                raise ValueError(f"{address!r} is not an e-mail address")
        return value


class SectionUse(_Strict):
    """One section of a report that its file puts together."""

    uses: Annotated[
        str,
        Field(
            min_length=1, description="A section of the package, package.module:function, or notebook.ipynb."
        ),
    ]
    title: Annotated[str, Field(description="Its title if it cannot be made.")] = ""
    options: Annotated[dict[str, Any], Field(description="Its options.")] = {}


class ReportDefinition(_Strict):
    """What a TOML file says about a report.

    Attributes
    ----------
    kind : str
        Which report; decides what `options` may hold. Empty for one made of `section`.
    section : sequence of SectionUse
        The sections of a report that the file puts together.
    title : str
        Shown on top.
    output : str
        The published file, ``.html`` or ``.pdf``; relative to the folder of the TOML file.
    random_state : int
        Seed of everything random; the old key ``seed`` means the same.
    section_minutes : float
        Minutes after which a section that hangs is stopped.
    options : dict
        Options of the kind.
    schedule, retry, history, email
        When it is made, how often a failure is tried again, what is kept, who gets it.
    file : pathlib.Path
        The TOML file, whose path names the report in the ledger; not part of it.
    folder : pathlib.Path
        The folder that relative paths start from; not part of the file.
    variant : str
        Which of the pages of the file, if its parameters make several; not part of it.
    allowed : frozenset of str
        Modules and notebooks that whoever gave the command vouches for; not part of the file.
    """

    kind: Annotated[str, Field(description="Which report.")] = ""
    section: Annotated[tuple[SectionUse, ...], Field(description="Its sections, in place of a kind.")] = ()
    title: Annotated[str, Field(min_length=1, max_length=200, description="Title of the page.")]
    output: Annotated[str, Field(description="Published file, .html or .pdf; relative to this file.")]
    random_state: Annotated[int, Field(ge=0, description="Seed of everything random.")] = 0
    section_minutes: Annotated[
        float, Field(gt=0, le=10_000, description="Minutes after which a section that hangs is stopped.")
    ] = 60.0
    options: Annotated[dict[str, Any], Field(description="Options of the kind.")] = {}
    schedule: Schedule | None = None
    retry: Retry = Retry()
    history: History = History()
    email: Email | None = None
    file: Annotated[Path, Field(exclude=True)] = Path()
    folder: Annotated[Path, Field(exclude=True)] = Path()
    variant: Annotated[str, Field(exclude=True)] = ""
    allowed: Annotated[frozenset[str], Field(exclude=True)] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _old_seed(cls, held: Any) -> Any:
        if isinstance(held, dict) and "seed" in held:
            if "random_state" in held:
                raise ValueError("give random_state or its old name seed, not both")
            held = {"random_state" if key == "seed" else key: value for key, value in held.items()}
        return held

    @field_validator("output")
    @classmethod
    def _known_ending(cls, value: str) -> str:
        if Path(value).suffix not in (".html", ".pdf"):
            raise ValueError(f"output={value!r} must end in .html or .pdf")
        return value

    @property
    def name(self) -> str:
        """The report's name in the ledger: the path of its file, as two files may share a title."""
        own = str(self.file) if self.file != Path() else self.title
        return f"{own} [{self.variant}]" if self.variant else own

    @property
    def output_path(self) -> Path:
        """The published file, absolute."""
        return (self.folder / Path(self.output).expanduser()).absolute()

    def path(self, given: str) -> Path:
        """Return a path of the options, relative ones from the folder of the file."""
        return (self.folder / Path(given).expanduser()).absolute()


def load_definitions(
    path: str | Path, kinds: Mapping[str, type[BaseModel]], uses: Mapping[str, str] | None = None
) -> list[ReportDefinition]:
    """Read and check a report file: one definition, or one for each combination of its parameters.

    Parameters
    ----------
    path : path-like
        A TOML file.
    kinds : mapping of str to pydantic model
        The kinds of report that exist, with the model of their options.
    uses : mapping of str to str
        The package's sections, with the kind whose options they take.

    Returns
    -------
    list of ReportDefinition
        With `options` checked and completed by their defaults.

    Raises
    ------
    DataError
        If the file cannot be read, is not TOML, or does not say what a report needs; every
        problem is named with its place, and a misspelled key with the nearest one.
    """
    file = Path(path).expanduser()
    try:
        held = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"cannot read {file} ({error.strerror or error}); `fisc report new NAME` writes one"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{file} is not TOML: {error}") from error
    try:
        pages = expand(held)
    except DataError as error:
        raise DataError(f"{file}: {error}") from error
    return [validate(page, kinds, file, uses).model_copy(update={"variant": label}) for label, page in pages]


def load_definition(path: str | Path, kinds: Mapping[str, type[BaseModel]]) -> ReportDefinition:
    """Read and check a file that stands for one report; see `load_definitions`."""
    found = load_definitions(path, kinds)
    if len(found) > 1:
        raise DataError(f"{path} stands for {len(found)} reports; expected one")
    return found[0]


def made_on(definition: ReportDefinition, day: dt.date) -> ReportDefinition:
    """Return the definition with the day it is made on in the place of ``{today}``."""
    values = {TODAY: day.isoformat()}
    sections = tuple(
        part.model_copy(update={"options": fill(part.options, values)}) for part in definition.section
    )
    title = str(fill(definition.title, values))
    return definition.model_copy(
        update={"title": title, "options": fill(definition.options, values), "section": sections}
    )


def validate(
    held: Mapping[str, Any],
    kinds: Mapping[str, type[BaseModel]],
    file: Path,
    uses: Mapping[str, str] | None = None,
) -> ReportDefinition:
    """Check the content of a definition; see `load_definitions`."""
    kind = held.get("kind")
    if "section" in held:
        if "kind" in held or "options" in held:
            raise DataError(f"{file}: give a kind with [options], or [[section]]s with their own, not both")
    elif not isinstance(kind, str) or kind not in kinds:
        guess = nearest(kind, kinds) if isinstance(kind, str) else None
        hint = f"; did you mean {guess!r}?" if guess else ""
        raise DataError(
            f"{file}: kind={kind!r} is not a report{hint} (one of: {', '.join(map(repr, kinds))})"
        )
    for key in ("file", "folder", "variant", "allowed"):
        if key in held:
            raise DataError(f"{file}: unknown key {key!r}; paths are relative to the file")
    try:
        whole = file.absolute()
        definition = ReportDefinition.model_validate({**held, "file": whole, "folder": whole.parent})
    except ValidationError as error:
        raise DataError(f"{file}: {problems(error, ReportDefinition)}") from error
    if kind:
        options = _checked(definition.options, kinds[kind], f"{file}: [options]")
        return definition.model_copy(update={"options": options})
    if not definition.section:
        raise DataError(f"{file}: a report needs at least one [[section]]")
    sections = []
    for number, part in enumerate(definition.section, start=1):
        model = kinds.get((uses or {}).get(part.uses, ""))
        place = f"{file}: section {number} ({part.uses})"
        checked = part.options if model is None else _checked(part.options, model, place)
        sections.append(part.model_copy(update={"options": checked}))
    return definition.model_copy(update={"section": tuple(sections)})


def _checked(options: Mapping[str, Any], model: type[BaseModel], place: str) -> dict[str, Any]:
    """Return options checked and completed by their defaults."""
    try:
        return model.model_validate(options).model_dump()
    except ValidationError as error:
        raise DataError(f"{place} {problems(error, model)}") from error


def with_cron(definition: ReportDefinition, cron: str, timezone: str) -> ReportDefinition:
    """Return the definition with another schedule; its overlap and grace stay.

    Raises
    ------
    DataError
        If the expression or the time zone cannot be read.
    """
    held = definition.schedule.model_dump() if definition.schedule else {}
    try:
        schedule = Schedule(**{**held, "cron": cron, "timezone": timezone})
    except ValidationError as error:
        raise DataError(problems(error, Schedule)) from error
    return definition.model_copy(update={"schedule": schedule})


def problems(error: ValidationError, model: type[BaseModel]) -> str:
    """Put pydantic's findings into one line, with the nearest key for a misspelled one."""
    words = []
    for found in error.errors(include_url=False, include_context=False):
        place = ".".join(str(part) for part in found["loc"])
        if found["type"] == "extra_forbidden":
            known = _keys(model, found["loc"][:-1])
            close = difflib.get_close_matches(str(found["loc"][-1]), known, n=1, cutoff=0.5)
            hint = f"; did you mean {close[0]!r}?" if close else f" (known: {', '.join(known)})"
            words.append(f"unknown key {place!r}{hint}")
        elif found["type"] == "missing":
            words.append(f"{place!r} is missing")
        else:
            told = found["msg"].removeprefix("Value error, ")
            words.append(f"{place}: {told}" if place else told)
    return "; ".join(words)


def _keys(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Return the keys that a table of the file may hold."""
    for part in place:
        if isinstance(part, int):  # the number of an item of a list
            continue
        field = model.model_fields.get(str(part))
        if field is None:
            return []
        inner = field.annotation
        candidates = [inner, *getattr(inner, "__args__", ())]  # of X | None, tuple[X, ...]
        found = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        if not found:
            return []
        model = found[0]
    return [name for name, field in model.model_fields.items() if not field.exclude]
