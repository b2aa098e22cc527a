"""The BASIR data set of its authors: fetched from their hub page, read whatever its layout."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from fisc.core.errors import DataError, DataWarning, OfflineError, nearest
from fisc.core.files import atomic_write
from fisc.core.frames import TableLike, as_frame
from fisc.core.history import attach, record
from fisc.core.locations import cache_dir, offline
from fisc.data.budgets import load_sectors
from fisc.data.download import get_url

__all__ = ["BASIR_REPOSITORY", "fetch_basir", "leakage", "read_basir"]

# As given in the paper's abstract; the page could not be opened when this was written, so that it can be changed.
BASIR_REPOSITORY = "sohomghosh/BASIR_Budget_Assisted_Sectoral_Impact_Ranking"
BASIR_LICENCE = "CC-BY-NC-SA-4.0"
HUB = "https://huggingface.co"
COLUMNS = ("id", "date", "budget_year", "text", "sectors", "performance", "split")

# Names under which a field of ours may stand in the authors' files, in order of trust.
FIELD_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "uid", "idx", "index"),
    "date": ("date", "budget_date", "speech_date"),
    "budget_year": ("budget_year", "year", "financial_year", "fy"),
    "text": ("text", "excerpt", "paragraph", "content", "sentence", "passage"),
    "sectors": ("sectors", "sector", "labels", "label", "industries", "industry"),
    "performance": ("performance", "performances", "sector_performance", "returns", "ranking", "rank"),
    "split": ("split", "set", "subset"),
}


def fetch_basir(
    repository: str = BASIR_REPOSITORY,
    *,
    fields: Mapping[str, str] | None = None,
    path: str | Path | None = None,
    sectors: Iterable[str] | None = None,
    hub: str = HUB,
) -> pd.DataFrame:
    """Fetch the excerpts of BASIR that its authors labelled with sectors.

    Downloaded once to the cache. The licence (CC-BY-NC-SA-4.0: no commercial use, share alike) is theirs
    and goes with the data, so that fisc does not ship them.

    Parameters
    ----------
    repository : str
        Name of the data set on the hub, owner/name.
    fields : mapping, optional
        Our field to the file's: ``{"text": "excerpt"}``; by default the usual names are tried.
    path : str or Path, optional
        A file or folder that holds the data set already; nothing is fetched then.
    sectors : iterable of str, optional
        Allowed sector names; by default the 81 of `load_sectors` and their other names. Give an empty
        list to accept any.
    hub : str
        Address of the hub.

    Returns
    -------
    DataFrame
        id, date, budget_year, text, sectors (list), performance (dict of sector to number, or None), split.
        ``.attrs`` holds licence and leakage (see `leakage`).

    Raises
    ------
    OfflineError
        If it must be fetched and there is no network, or FISC_OFFLINE is set.
    DataError
        If the data set or a field cannot be found, or a sector is unknown.
    """
    if path is not None:
        files, licence = _local(Path(path)), BASIR_LICENCE
    else:
        files, licence = _download(repository, hub)
    frames = [read_basir(content, fields=fields, split=_split_of(name)) for name, content in files]
    frame = pd.concat(frames, ignore_index=True)
    allowed = _allowed(sectors)
    if allowed:
        frame["sectors"] = [[_canonical(s, allowed) for s in row] for row in frame["sectors"]]
    found = leakage(frame)
    notes = [f"licence {licence}"]
    if len(found):
        notes.append(f"{len(found)} texts stand in more than one split or more than once")
        warnings.warn(
            f"{notes[-1]}; see .attrs['leakage'] before trusting a test score", DataWarning, stacklevel=2
        )
    attach(
        frame,
        record(
            options={"repository": repository},
            inputs=dict(files),
            notes=notes,
            source=repository,
        ),
    )
    frame.attrs["licence"] = licence
    frame.attrs["leakage"] = found.to_dict("records")
    return frame


def read_basir(
    content: bytes | str, *, fields: Mapping[str, str] | None = None, split: str = ""
) -> pd.DataFrame:
    """Read a JSON array, JSON lines, or a JSON object of splits, into our columns.

    Parameters
    ----------
    content : bytes or str
    fields : mapping, optional
        Our field to the file's.
    split : str
        Split of rows that name none.

    Returns
    -------
    DataFrame
        The columns of `fetch_basir`.

    Raises
    ------
    DataError
        If it is not JSON, or has no text.

    Examples
    --------
    >>> read_basir('[{"excerpt": "Duty on steel.", "labels": "Steel; Cement"}]')["sectors"].tolist()
    [['Steel', 'Cement']]
    """
    rows = _rows(content.decode("utf-8-sig", "replace") if isinstance(content, bytes) else content)
    if not rows:
        raise DataError("the file holds no rows; expected a JSON array, JSON lines, or an object of splits")
    known = {key for row in rows for key in row}
    names = {ours: _field(ours, dict(fields or {}), known) for ours in COLUMNS}
    if names["text"] is None:
        raise DataError(
            f"no field holds the text; the rows have {', '.join(sorted(known)[:12])}: say which by "
            f"fields={{'text': ...}}"
        )
    out = []
    for i, row in enumerate(rows):
        text = row.get(names["text"] or "")
        if not isinstance(text, str) or not text.strip():
            raise DataError(
                f"row {i} has no text in field {names['text']!r}; mend the file or name another field"
            )
        out.append(
            {
                "id": str(_get(row, names["id"], i)),
                "date": _get(row, names["date"], None),
                "budget_year": str(_get(row, names["budget_year"], "")),
                "text": text.strip(),
                "sectors": _as_list(_get(row, names["sectors"], [])),
                "performance": _as_numbers(_get(row, names["performance"], None)),
                "split": str(_get(row, names["split"], None) or row.get("__split__", "") or split),
            }
        )
    return pd.DataFrame(out, columns=list(COLUMNS))


def leakage(frame: TableLike) -> pd.DataFrame:
    """Return texts that occur more than once, with their splits.

    Parameters
    ----------
    frame : table
        Columns text and split.

    Returns
    -------
    DataFrame
        text, rows, splits (joined by "+"), crosses (whether more than one split holds it). Case, blanks and
        punctuation do not matter.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"text": ["Duty.", "duty", "Tax."], "split": ["train", "test", "test"]})
    >>> leakage(rows)["crosses"].tolist()
    [True]
    """
    frame = as_frame("frame", frame, what="texts with their split")
    key = frame["text"].map(lambda t: re.sub(r"\W+", " ", t).strip().lower())
    rows = []
    for _, group in frame.groupby(key, sort=False):
        if len(group) > 1:
            splits = sorted(set(group["split"]))
            rows.append((group["text"].iloc[0], len(group), "+".join(splits), len(splits) > 1))
    return pd.DataFrame(rows, columns=["text", "rows", "splits", "crosses"])


def _rows(text: str) -> list[dict[str, object]]:
    try:
        held = json.loads(text)
    except json.JSONDecodeError:
        held = _lines(text)
    except RecursionError as error:
        raise DataError("the file nests too deeply for JSON of texts; is it damaged?") from error
    if isinstance(held, dict):
        if any(isinstance(v, list) for v in held.values()) and all(
            isinstance(v, list) for v in held.values()
        ):
            groups = [(name, row) for name, rows in held.items() for row in rows]
            _check_rows([row for _, row in groups])
            return [{**row, "__split__": name} for name, row in groups]
        held = [held]
    _check_rows(held)
    return list(held)


def _lines(text: str) -> list[object]:
    out = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                out.append(json.loads(line))
            except (json.JSONDecodeError, RecursionError) as error:
                raise DataError(
                    f"line {number} is not JSON ({getattr(error, 'msg', 'nested too deeply')}); "
                    "expected JSON or JSON lines"
                ) from error
    return out


def _check_rows(rows: Sequence[object]) -> None:
    bad = next((i for i, row in enumerate(rows) if not isinstance(row, dict)), None)
    if bad is not None:
        raise DataError(f"row {bad} is {type(rows[bad]).__name__}, not an object; expected one object a text")


def _field(ours: str, given: dict[str, str], known: set[str]) -> str | None:
    if ours in given:
        if given[ours] not in known:
            guess = nearest(given[ours], known)
            raise DataError(
                f"fields names {given[ours]!r} for {ours}, which no row has"
                + (f"; did you mean {guess!r}?" if guess else "")
            )
        return given[ours]
    lower = {name.lower(): name for name in known}
    return next((lower[name] for name in FIELD_NAMES[ours] if name in lower), None)


def _get(row: Mapping[str, object], name: str | None, default: object) -> object:
    value = row.get(name) if name is not None else None
    return default if value is None else value


def _as_list(value: object) -> list[str]:
    """Return sectors from a list, a dictionary (its keys), or a text with separators."""
    if isinstance(value, str):
        inner = value.strip().strip("[]")
        parts = re.split(r"[;|]", inner) if re.search(r"[;|]", inner) else inner.split(", ")
        return [p.strip().strip("'\"") for p in parts if p.strip().strip("'\"")]
    return [str(v) for v in value] if isinstance(value, Iterable) else [str(value)]


def _as_numbers(value: object) -> dict[str, float] | None:
    if not isinstance(value, Mapping):
        return None
    return {str(k): float(v) for k, v in value.items() if isinstance(v, (int, float))}


def _allowed(sectors: Iterable[str] | None) -> dict[str, str]:
    if sectors is not None:
        return {_fold(s): s for s in sectors}
    frame = load_sectors()
    other = next((c for c in frame.columns if c.startswith("screener")), "sector")
    return {_fold(o): s for c in (other, "sector") for o, s in zip(frame[c], frame["sector"], strict=True)}


def _canonical(label: str, allowed: dict[str, str]) -> str:
    name = allowed.get(_fold(label))
    if name is None:
        guess = nearest(label, allowed.values())
        hint = f"; did you mean {guess!r}?" if guess else ""
        raise DataError(f"sector {label!r} is not in the taxonomy{hint} Give sectors=[] to accept any name")
    return name


def _fold(label: str) -> str:
    return "".join(c for c in label.casefold().replace("&", "and") if c.isalnum())


def _split_of(name: str) -> str:
    stem = Path(name).stem.lower()
    return next((s for s in ("train", "validation", "valid", "val", "test", "dev") if s in stem), "")


def _local(path: Path) -> list[tuple[str, bytes]]:
    if not path.exists():
        raise DataError(f"there is no file or folder {path}; give the data set's JSON file or its folder")
    files = (
        [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix in (".json", ".jsonl"))
    )
    if not files:
        raise DataError(f"{path} holds no .json or .jsonl file")
    return [(f.name, f.read_bytes()) for f in files]


def _download(repository: str, hub: str) -> tuple[list[tuple[str, bytes]], str]:
    """Return the JSON files of a data set on the hub, and its licence; from the cache if they are there."""
    folder = cache_dir() / "basir" / re.sub(r"[^\w.-]+", "_", repository)
    listing = folder / "listing.json"
    if listing.exists():
        try:
            held = json.loads(listing.read_text(encoding="utf-8"))
            return [(n, (folder / _flat(n)).read_bytes()) for n in held["files"]], str(held["licence"])
        except (OSError, json.JSONDecodeError, KeyError):
            warnings.warn(
                "the cached copy of BASIR is damaged and is fetched again", DataWarning, stacklevel=4
            )
    if offline():
        raise OfflineError(
            f"FISC_OFFLINE is set, so {hub}/datasets/{repository} is not fetched; give path= to a local copy"
        )
    names, tags = _described(get_url(f"{hub}/api/datasets/{repository}"), f"{hub}/datasets/{repository}")
    licence = tags[0].removeprefix("license:").upper() if tags else BASIR_LICENCE
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name in names:
        content = get_url(f"{hub}/datasets/{repository}/resolve/main/{name}")
        with atomic_write(folder / _flat(name), "wb") as handle:
            handle.write(content)
        files.append((name, content))
    with atomic_write(listing) as handle:
        json.dump({"files": names, "licence": licence}, handle)
    return files, licence


def _described(content: bytes, where: str) -> tuple[list[str], list[str]]:
    """Return the JSON files and the tags of licences that a hub's description of a data set names."""
    try:
        described = json.loads(content)
        names = [str(s["rfilename"]) for s in described.get("siblings", [])]
        tags = [str(t) for t in described.get("tags", []) if str(t).startswith("license:")]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{where} does not describe a data set as the hub does ({type(error).__name__}); give path= to a local copy"
        ) from error
    names = [name for name in names if name.endswith((".json", ".jsonl"))]
    if not names:
        raise DataError(f"{where} lists no JSON file; give path= to a local copy")
    return names, tags


def _flat(name: str) -> str:
    return name.replace("/", "__")
