"""The folder of a run: every step is on disk before the next one starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from fisc.core import CorruptFileError, DataError, atomic_write
from fisc.economist.personas import Persona
from fisc.economist.population import Workers
from fisc.economist.schedule import FloatArray

__all__ = ["RunFolder"]


class RunFolder:
    """Files of one run.

    ``config.json`` and ``workers.parquet`` are written first; then for each year its law
    (``laws/0007.json``), the hours of each step (``steps/0007-000.parquet``) and what was published
    (``years/0007.json``). ``answers.sqlite`` keeps what a language model said. Each file appears
    whole or not at all, so a run that is killed at any moment can go on from what is there.

    Parameters
    ----------
    path : path-like
        The folder; made if it is not there.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def answers(self) -> Path:
        """File of the language model's answers."""
        return self.path / "answers.sqlite"

    def begin(self, config: dict[str, Any], workers: Workers) -> None:
        """Write the configuration and the population.

        Raises
        ------
        DataError
            If the folder already holds a run.
        """
        if (self.path / "config.json").exists():
            raise DataError(
                f"{self.path} already holds a run; resume it, or give another folder (nothing was changed)"
            )
        self._write_parquet("workers.parquet", _population_columns(workers))
        about = {"delta": workers.delta, "max_hours": workers.max_hours}
        grid = None if workers.hours_grid is None else workers.hours_grid.tolist()
        personas = None if workers.personas is None else [p.to_dict() for p in workers.personas]
        self.write_json("population.json", {**about, "hours_grid": grid, "personas": personas})
        self.write_json("config.json", config)  # last: its presence says that the run has begun

    def config(self) -> dict[str, Any]:
        """Return the configuration of the run.

        Raises
        ------
        DataError
            If the folder holds no run.
        """
        if not (self.path / "config.json").exists():
            raise DataError(f"{self.path} holds no run: there is no config.json; give the folder of a run")
        found: dict[str, Any] = self.read_json("config.json")
        return found

    def workers(self) -> Workers:
        """Return the population of the run, the same bits as when it began."""
        columns = self._read_parquet("workers.parquet")
        about = self.read_json("population.json")
        personas = about["personas"]
        return Workers(
            columns["skill"],
            columns["cost"],
            about["delta"],
            about["max_hours"],
            about["hours_grid"],
            None if personas is None else [Persona.from_dict(p) for p in personas],
        )

    def hours(self, year: int, step: int) -> FloatArray | None:
        """Return the hours of a step, shape (n,), or None if it was never finished."""
        name = f"steps/{year:04d}-{step:03d}.parquet"
        return self._read_parquet(name)["hours"] if (self.path / name).exists() else None

    def write_hours(self, year: int, step: int, hours: FloatArray) -> None:
        """Keep the hours of a step."""
        self._write_parquet(f"steps/{year:04d}-{step:03d}.parquet", {"hours": hours})

    def write_json(self, name: str, value: Any) -> None:
        """Keep a value under a name."""
        with atomic_write(self.path / name, "w") as file:
            json.dump(value, file, allow_nan=False)

    def read_json(self, name: str) -> Any:
        """Return the value under a name, or None if there is none."""
        file = self.path / name
        if not file.exists():
            return None
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise CorruptFileError(
                f"{file} is damaged ({error}); delete it and resume: it is made again"
            ) from None

    def _write_parquet(self, name: str, columns: dict[str, FloatArray]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with atomic_write(self.path / name, "wb") as file:
            pq.write_table(pa.table(columns), file, compression="zstd")

    def _read_parquet(self, name: str) -> dict[str, FloatArray]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(self.path / name)
        except (pa.ArrowInvalid, OSError) as error:
            raise CorruptFileError(
                f"{self.path / name} is damaged ({error}); delete it and resume: it is made again"
            ) from None
        return {
            column: np.asarray(table[column].to_numpy(), dtype=np.float64) for column in table.column_names
        }


def _population_columns(workers: Workers) -> dict[str, FloatArray]:
    return {"skill": workers.skill, "cost": workers.cost}
