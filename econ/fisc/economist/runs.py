"""The folder of a run: every step is on disk before the next one starts, and every file knows its run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fisc.core import CorruptFileError, DataError, Record, atomic_write, fingerprint
from fisc.core.arrays import FloatArray
from fisc.economist.elections import Election
from fisc.economist.personas import Persona
from fisc.economist.population import Workers
from fisc.llm import Ledger

__all__ = ["Enacted", "RunFolder"]

R = TypeVar("R", bound=Record)

_AGAIN = "delete it and resume: it is made again"
_LOST = "put back a copy of it, or begin again in another folder"


@dataclass(frozen=True, eq=False)
class Enacted(Record):
    """The rates of a year, shape (K,), and the election that brought them."""

    rates: FloatArray
    election: Election | None = None


@dataclass(frozen=True, eq=False)
class _Population(Record):
    """What ``workers.parquet`` does not hold of a population, and the weights of an own criterion."""

    delta: float
    max_hours: float
    hours_grid: FloatArray | None
    personas: tuple[Persona, ...] | None
    weights: FloatArray | None


class RunFolder:
    """Files of one run.

    ``workers.parquet``, ``population.json`` and ``config.json`` are written first; then for each year
    its schedule (``laws/0007.json``), the hours of each step (``steps/0007-000.parquet``) and what was
    published (``years/0007.json``). ``answers.sqlite`` keeps what a language model said. Each file
    appears whole or not at all, so a run that is killed at any moment can go on from what is there;
    each holds the name of its run, so files of two runs do not mix.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._run = ""
        self._workers = 0

    @property
    def answers(self) -> Path:
        """File of the language model's answers."""
        return self.path / "answers.sqlite"

    @property
    def guarded(self) -> Path:
        """The file that is locked while a process works on the run."""
        return self.path / "config.json"

    def begin(self, config: Mapping[str, object], workers: Workers, weights: FloatArray | None) -> None:
        """Write the configuration and the population.

        Raises
        ------
        DataError
            If the folder already holds a run.
        """
        if self.guarded.exists():
            raise DataError(
                f"{self.path} already holds a run; resume it, or give another folder (nothing was changed)"
            )
        rest = _Population(workers.delta, workers.max_hours, workers.hours_grid, workers.personas, weights)
        self._name_run(config, workers, rest)
        self._write_parquet("workers.parquet", _columns(workers))
        self.write("population.json", rest)
        # Last: its presence says that the run has begun.
        self._write_json("config.json", config)

    def config(self) -> dict[str, Any]:
        """Return the configuration of the run.

        Raises
        ------
        DataError
            If the folder holds no run, or its file is damaged.
        """
        found = self._read_json("config.json", _LOST)
        if found is None:
            raise DataError(f"{self.path} holds no run: there is no config.json; give the folder of a run")
        return found

    def population(self) -> tuple[Workers, FloatArray | None]:
        """Return the population of the run, the same bits as when it began, and its own welfare weights."""
        held = self._read_json("population.json", _LOST)
        if held is None:
            raise self._damaged("population.json", "it is missing", _LOST)
        self._run = named = str(held.pop("run", ""))
        rest = self._built("population.json", held, _Population, _LOST)
        columns = self._read_parquet("workers.parquet", ("skill", "cost"), _LOST, optional=("weight",))
        try:
            people = (columns["skill"], columns["cost"], rest.delta, rest.max_hours)
            workers = Workers(*people, rest.hours_grid, rest.personas, weights=columns.get("weight"))
        except DataError as error:
            raise self._damaged("population.json", str(error), _LOST) from error
        if self._name_run(self.config(), workers, rest) != named:
            raise self._foreign("population.json")
        return workers, rest.weights

    def hours(self, year: int, step: int) -> FloatArray | None:
        """Return the hours of a step, shape (n,), or None if it was never finished."""
        name = f"steps/{year:04d}-{step:03d}.parquet"
        if not (self.path / name).exists():
            return None
        hours = self._read_parquet(name, ("hours",), _AGAIN)["hours"]
        if hours.size != self._workers:
            raise self._damaged(name, f"{hours.size} hours for {self._workers} workers", _AGAIN)
        return hours

    def write_hours(self, year: int, step: int, hours: FloatArray) -> None:
        """Keep the hours of a step."""
        self._write_parquet(f"steps/{year:04d}-{step:03d}.parquet", {"hours": hours})

    def enacted(self, year: int) -> Enacted | None:
        """Return what was decided for a year, or None if nothing was."""
        return self._read(f"laws/{year:04d}.json", Enacted)

    def ledger(self) -> Ledger | None:
        """Return what earlier processes of the run have spent, or None if there were none."""
        return self._read("ledger.json", Ledger)

    def write(self, name: str, value: Record) -> None:
        """Keep a value under a name."""
        self._write_json(name, {"run": self._run, **value.to_dict()})

    def write_result(self, result: Record) -> None:
        """Write ``result.json``, which is just `result.to_dict`."""
        self._write_json("result.json", result.to_dict())

    def _name_run(self, config: Mapping[str, object], workers: Workers, rest: _Population) -> str:
        """Name the run after what decides it: not the folder, and not who answers at what price."""
        settings = {key: value for key, value in config.items() if key not in ("folder", "model")}
        arrays = [fingerprint(held) for held in _columns(workers).values()]
        self._run = fingerprint([settings, arrays, rest.to_dict()])
        self._workers = workers.n
        return self._run

    def _read(self, name: str, kind: type[R]) -> R | None:
        held = self._read_json(name, _AGAIN)
        if held is None:
            return None
        if held.pop("run", None) != self._run:
            raise self._foreign(name)
        return self._built(name, held, kind, _AGAIN)

    def _built(self, name: str, values: Mapping[str, object], kind: type[R], cure: str) -> R:
        try:
            return kind.from_dict(values)
        except DataError as error:
            raise self._damaged(name, str(error), cure) from error

    def _write_json(self, name: str, value: Mapping[str, object]) -> None:
        with atomic_write(self.path / name, "w") as file:
            json.dump(value, file, allow_nan=False)

    def _read_json(self, name: str, cure: str) -> dict[str, Any] | None:
        file = self.path / name
        if not file.exists():
            return None
        try:
            held = json.loads(file.read_text(encoding="utf-8"))
        except (ValueError, RecursionError, OSError) as error:
            raise self._damaged(name, str(error), cure) from None
        if not isinstance(held, dict):
            raise self._damaged(name, f"it holds {held!r:.40}, not an object", cure)
        return held

    def _write_parquet(self, name: str, columns: Mapping[str, FloatArray]) -> None:
        table = pa.table(dict(columns)).replace_schema_metadata({"run": self._run})
        with atomic_write(self.path / name, "wb") as file:
            pq.write_table(table, file, compression="zstd")

    def _read_parquet(
        self, name: str, columns: tuple[str, ...], cure: str, *, optional: tuple[str, ...] = ()
    ) -> dict[str, FloatArray]:
        try:
            table = pq.read_table(self.path / name)
            wanted = (*columns, *(column for column in optional if column in table.column_names))
            held = {column: np.asarray(table[column].to_numpy(), np.float64) for column in wanted}
        except (pa.ArrowException, KeyError, ValueError, TypeError, OSError) as error:
            raise self._damaged(name, str(error), cure) from None
        if (table.schema.metadata or {}).get(b"run", b"").decode(errors="replace") != self._run:
            raise self._foreign(name)
        return held

    def _damaged(self, name: str, fault: str, cure: str) -> CorruptFileError:
        return CorruptFileError(f"{self.path / name} is damaged ({fault}); {cure}")

    def _foreign(self, name: str) -> DataError:
        return DataError(
            f"{self.path / name} is not of the run that config.json and workers.parquet describe; {_LOST}"
        )


def _columns(workers: Workers) -> dict[str, FloatArray]:
    """Return what ``workers.parquet`` holds."""
    columns = {"skill": workers.skill, "cost": workers.cost}
    return columns if workers.weights is None else {**columns, "weight": workers.weights}
