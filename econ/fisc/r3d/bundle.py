"""A folder with which others can repeat a fit: units as quantiles, a script, versions, tables, pictures."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from fisc.core import version, write_folder

from .fit import Fit
from .options import PlotKind
from .print_figures import write_print_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KIND = "R3D replication bundle"
_LIBRARIES = ("numpy", "scipy", "pandas", "pyarrow", "matplotlib", "rdrobust")
_ROLES = {"treatment": "treatment", "unit_weights": "unit_weights", "clusters": "cluster", "sizes": "sizes"}

_SCRIPT = '''\
"""{title}

Repeats the fit from the quantiles of the units and compares it with tables/effect.csv: python analysis.py
"""

from pathlib import Path

import numpy as np
import pandas as pd

from fisc.r3d import r3d

here = Path(__file__).parent
units = pd.read_parquet(here / "units.parquet")
quantiles = {quantiles}

fit = r3d(
    quantile_matrix=units[[f"q{{q!r}}" for q in quantiles]].to_numpy(),
    quantiles=quantiles,
{arguments}
)
print(fit.summary())

compared = {compared}
stored = pd.read_csv(here / "tables" / "effect.csv")
scale = np.abs(stored["tau"]).max()
np.testing.assert_allclose(fit.to_frame()[compared], stored[compared], rtol=1e-7, atol=1e-9 * scale)
print("The numbers are those of tables/effect.csv.")
'''

_README = """\
# {title}

| file | holds |
|---|---|
| `units.parquet` | one row a unit: label, running variable, quantiles of the outcome, and what else the fit used |
| `analysis.py` | repeats the fit and compares the numbers: `pip install fisc=={version}`, `python analysis.py` |
| `versions.json` | Python and libraries with which the numbers were made |
| `fit.json` | the result, as `fisc.r3d.R3DResult.from_dict` reads it |
| `tables/` | tables as CSV and LaTeX |
| `figures/` | pictures for print (PDF) |
| `manifest.json` | checksums of all files |

The micro-data are not part of the bundle: quantiles of units are all that the fit uses.

```
{summary}
```
"""


class Tabled(Protocol):
    """A result with a table."""

    def to_frame(self) -> pd.DataFrame:
        """Return the table."""

    def to_latex(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the table for LaTeX; write it to `path` if given."""


def write_bundle(
    fit: Fit, folder: str | Path, draw: Callable[[Axes, PlotKind], Axes], results: Mapping[str, Tabled]
) -> Path:
    """Write the bundle, whole or not at all; see `R3DResult.bundle`."""
    units, cutoff = _units(fit)
    title = f"Effect of crossing the cutoff of {fit.names.x} on the distribution of {fit.names.y}"
    kinds: list[PlotKind] = ["effect", "limits", "rd", "running"]
    if fit.tau.size >= 5 and not fit.deriv:
        kinds.append("densities")
    with write_folder(folder, kind=KIND) as place:
        units.to_parquet(place / "units.parquet", index=False)
        (place / "analysis.py").write_text(_script(fit, units, cutoff, title), encoding="utf-8")
        (place / "versions.json").write_text(json.dumps(_versions(), indent=1) + "\n", encoding="utf-8")
        (place / "fit.json").write_text(fit.to_json() + "\n", encoding="utf-8")
        words = _README.format(title=title, version=version(), summary=fit.summary())
        (place / "README.md").write_text(words, encoding="utf-8")
        (place / "tables").mkdir()
        for name, result in results.items():
            result.to_frame().to_csv(place / "tables" / f"{name}.csv", index=False)
            result.to_latex(place / "tables" / f"{name}.tex")
        (place / "figures").mkdir()
        for kind in kinds:
            write_print_figure(partial(_drawn, draw, kind), place / "figures" / f"{kind}.pdf", "page")
    return Path(folder)


def _drawn(draw: Callable[[Axes, PlotKind], Axes], kind: PlotKind, ax: Axes) -> Axes:
    return draw(ax, kind)


def _units(fit: Fit) -> tuple[pd.DataFrame, float]:
    """Return the units in the caller's order, and the cutoff in whose units x is given."""
    sample = fit.sample
    x, cutoff = sample.x + sample.cutoff, sample.cutoff
    if not np.array_equal(x - cutoff >= 0.0, sample.plus):  # rounding would move a unit across
        x, cutoff = sample.x, 0.0
    columns: dict[str, np.ndarray] = {"unit": sample.labels, "x": x}
    columns |= {
        ours: getattr(sample, held) for held, ours in _ROLES.items() if getattr(sample, held) is not None
    }
    if sample.means is not None:
        columns["means"] = sample.means
    if sample.covariates is not None:
        columns |= {f"covariate_{i + 1}": column for i, column in enumerate(sample.covariates.T)}
    curves = {f"q{float(q)!r}": curve for q, curve in zip(sample.q, sample.curves.T, strict=True)}
    table = pd.DataFrame({**columns, **curves})
    return table.iloc[np.argsort(sample.position, kind="stable")].reset_index(drop=True), cutoff


def _script(fit: Fit, units: pd.DataFrame, cutoff: float, title: str) -> str:
    """Return the script, with every option of the fit written out."""
    arguments: dict[str, str] = {"x": 'units["x"].to_numpy()', "unit": 'units["unit"].to_numpy()'}
    arguments |= {
        ours: f'units["{ours}"].to_numpy()' for ours in (*_ROLES.values(), "means") if ours in units
    }
    covariates = [name for name in units if str(name).startswith("covariate_")]
    if covariates:
        arguments["covariates"] = f"units[{covariates!r}].to_numpy()"
    arguments["cutoff"] = repr(float(cutoff))
    arguments |= {f.name: repr(getattr(fit.options, f.name)) for f in fields(fit.options)}
    if not fit.automatic_bandwidth:
        arguments["bandwidth"] = _sides(fit.bandwidth_minus, fit.bandwidth_plus)
    if fit.bandwidth_treatment is not None:
        below, above = np.broadcast_to(fit.bandwidth_treatment, 2)
        arguments["bandwidth_treatment"] = _sides(below, above)
        arguments["continuous_treatment"] = "True"
    names = fit.names
    arguments |= {"y_label": repr(names.y), "x_label": repr(names.x), "unit_label": repr(names.unit)}
    arguments |= {"support": repr(names.support), "random_state": repr(fit.process.seed)}
    compared = ["quantile", "tau", "se", "q_minus", "q_plus"]
    if fit.process.given is None:
        compared += ["band_lower", "band_upper"]
    lines = "\n".join(f"    {name}={value}," for name, value in arguments.items())
    q = [float(v) for v in fit.quantiles]
    return _SCRIPT.format(title=title.replace('"', "'"), quantiles=q, arguments=lines, compared=compared)


def _sides(below: object, above: object) -> str:
    return f'{{"minus": {np.asarray(below).tolist()!r}, "plus": {np.asarray(above).tolist()!r}}}'


def _versions() -> dict[str, str]:
    """Return the versions of Python, the system and the libraries that make the numbers."""
    found = {"python": platform.python_version(), "system": platform.platform(), "fisc": version()}
    return found | {name: metadata.version(name) for name in _LIBRARIES}
