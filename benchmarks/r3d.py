"""Speed of `fisc.r3d` beside a numpy floor of the same work, in CPU seconds of one thread.

    python benchmarks/r3d.py [--short] [--json FILE] [--parquet ROWS]

The floor does nothing but the arithmetic that cannot be avoided, in bare numpy: sort the values and pick 99 quantiles,
one local quadratic of all quantiles at a known bandwidth with its residuals, and the draws (or the product with
explicit multipliers). Ours does the same from the user's data with an automatic bandwidth, all checks, tests of input,
bands and provenance. The R package (R3D at 28744db) needs 25 to 33 CPU seconds for the first line on one core of an AMD
EPYC machine (reference BLAS); it is not installed here and is quoted, not run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fisc.data import DataWarning
from fisc.r3d import r3d

Q = np.arange(1, 100) / 100
SIZE = 100
REFERENCE = {"frechet": 32.7, "simple": 25.1}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def cpu(work: Callable[[], Any], repeats: int) -> float:
    """Best CPU seconds of a few runs."""
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def micro_data(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw the running variable (n,) and values (n, 100) of units with random location and scale."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, n)
    location = 5.0 + 5.0 * x + 1.14 * (x >= 0) + rng.standard_normal(n)
    scale = np.abs(1.0 + x + rng.standard_normal(n))
    return x, location[:, None] + scale[:, None] * rng.standard_normal((n, SIZE))


def floor(x: np.ndarray, y: np.ndarray, draws: int, xi: np.ndarray | None) -> np.ndarray:
    """Do the bare work: quantiles, one fit a side at h = 0.6, residuals, draws, sup of each."""
    ordered = np.sort(y, axis=1)
    position = (SIZE - 1) * Q
    low = position.astype(int)
    share = position - low
    matrix = ordered[:, low] * (1 - share) + ordered[:, np.minimum(low + 1, SIZE - 1)] * share
    total = np.zeros((draws, Q.size))
    rng = np.random.default_rng(0)
    for side in (x < 0, x >= 0):
        rows = np.flatnonzero(side & (np.abs(x) < 0.6))
        u = x[rows] / 0.6
        root = np.sqrt(1 - np.abs(u))[:, None]
        basis, triangle = np.linalg.qr(root * u[:, None] ** np.arange(3))
        weights = np.linalg.solve(triangle, (basis * root).T)
        curves = matrix[rows]
        scores = weights[0][:, None] * (curves - u[:, None] ** np.arange(3) @ (weights @ curves))
        if xi is None:
            values, vectors = np.linalg.eigh(scores.T @ scores)
            total += rng.standard_normal((draws, Q.size)) @ (vectors * np.sqrt(np.maximum(values, 0))).T
        else:
            total += xi[rows].T @ scores
    return np.abs(total).max(axis=1)


def speed(n: int, repeats: int) -> list[dict[str, Any]]:
    """Rows of the speed table for n units of 100 values, 99 quantiles, B = 1000."""
    x, y = micro_data(n)
    arrays = list(y)
    frame = pd.DataFrame({"unit": np.repeat(np.arange(n), SIZE), "x": np.repeat(x, SIZE), "y": y.ravel()})
    shuffled = frame.sample(frac=1.0, random_state=0, ignore_index=True)
    ragged = frame[np.random.default_rng(1).random(len(frame)) < 0.8]
    # Smaller units make the extreme quantiles extremes, which is warned and beside the point here.
    warnings.simplefilter("ignore", DataWarning)
    xi = np.random.default_rng(2).standard_normal((n, 1000))
    options: dict[str, Any] = {"n_boot": 1000, "random_state": 0}
    long: dict[str, Any] = {"y": "y", "x": "x", "unit": "unit", **options}
    base = cpu(lambda: floor(x, y, 1000, None), repeats)
    with_xi = cpu(lambda: floor(x, y, 1000, xi), repeats)
    cases: list[tuple[str, Callable[[], Any], float]] = [
        ("frechet, list of arrays", lambda: r3d(arrays, x=x, **options), base),
        ("frechet, long frame", lambda: r3d(frame, **long), base),
        ("frechet, long frame, rows shuffled", lambda: r3d(shuffled, **long), base),
        ("frechet, ragged units", lambda: r3d(ragged, **long), base),
        ("frechet, explicit multipliers", lambda: r3d(frame, **long, multipliers=xi), with_xi),
        ("simple, long frame", lambda: r3d(frame, **long, method="simple"), base),
    ]
    rows = []
    for name, work, lowest in cases:
        ours = cpu(work, repeats)
        quoted = REFERENCE[name.split(",")[0]] if n == 20_000 else None
        rows.append({"case": name, "units": n, "ours": ours, "floor": lowest, "ratio": ours / lowest})
        rows[-1]["R, quoted"] = quoted
    return rows


def parquet(rows: int) -> dict[str, Any]:
    """Fit a Parquet file of `rows` rows in a process of its own: CPU seconds and peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "micro.parquet"
        _write_parquet(path, rows)
        code = (
            "import resource, time; from fisc.r3d import r3d; start = time.process_time(); "
            f"fit = r3d({str(path)!r}, y='y', x='x', unit='unit', random_state=0); "
            "print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, fit.n_plus)"
        )
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        size = path.stat().st_size / 2**30
    return {"rows": rows, "file GiB": size, "cpu": float(out[0]), "peak GiB": float(out[1])}


def _write_parquet(path: Path, rows: int) -> None:
    """Write units of 500 values block by block."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    block = 2_000_000
    writer = None
    for start in range(0, rows, block):
        unit = np.arange(start, min(start + block, rows)) // 500
        first = unit[0]
        x = rng.uniform(-1.0, 1.0, int(unit[-1] - first) + 1)[unit - first]
        y = x + (x >= 0) + rng.standard_normal(unit.size)
        table = pa.table({"unit": unit, "x": x, "y": y})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="smaller and fewer, within 30 seconds")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    parser.add_argument(
        "--parquet", type=int, default=0, metavar="ROWS", help="also fit a Parquet file of ROWS rows"
    )
    given = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        # Numpy reads these when it is loaded, so start again with them.
        raise SystemExit(subprocess.call([sys.executable, *sys.argv], env=os.environ | ONE_THREAD))
    repeats = 2 if given.short else 5
    result: dict[str, Any] = {"speed": speed(5_000 if given.short else 20_000, repeats)}
    table = pd.DataFrame(result["speed"])
    print("CPU seconds, one thread; 100 values a unit, 99 quantiles, automatic bandwidth, B = 1000")
    print(table.to_string(index=False, float_format=lambda v: f"{v:.3f}", na_rep=""))
    if not given.short:
        x, y = micro_data(50_000)
        frame = pd.DataFrame(
            {"unit": np.repeat(np.arange(50_000), SIZE), "x": np.repeat(x, SIZE), "y": y.ravel()}
        )
        result["five_million"] = cpu(lambda: r3d(frame, y="y", x="x", unit="unit", random_state=0), 2)
        print(f"5 million rows, long frame to fit: {result['five_million']:.2f} CPU s")
    if given.parquet:
        result["parquet"] = parquet(given.parquet)
        print("Parquet: " + ", ".join(f"{k} {v:,.2f}" for k, v in result["parquet"].items()))
    print(
        f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"
    )
    if given.json is not None:
        given.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
