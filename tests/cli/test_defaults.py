"""An option has the same default in Python, on the command line and in the TOML file of a report."""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Callable, Iterable

import pytest

from fisc.cli import basir, economist, portfolio, r3d
from fisc.cli.pipelines import registry

# Command, the functions that it calls, and what its options are called there.
ALL = ""  # no name: empty on the command line stands for everything, or the option is another
COMMANDS: list[tuple[Callable[..., None], list[str], dict[str, str]]] = [
    (r3d.fit, ["fisc.r3d:r3d"], {"covariate": "covariates"}),
    (r3d.diagnose, ["fisc.r3d:r3d"], {"covariate": "covariates"}),
    (r3d.montecarlo, ["fisc.r3d:monte_carlo"], {"jobs": "n_jobs", "designs": ALL}),
    (
        economist.solve,
        ["fisc.economist:optimal_schedule", "fisc.economist:Workers.sample"],
        {"jobs": "n_jobs"},
    ),
    (economist.compare, ["fisc.economist:compare", "fisc.economist:Workers.sample"], {"jobs": "n_jobs"}),
    (economist.reform, ["fisc.economist:score_reform"], {"by": "by"}),
    (basir.classify, ["fisc.basir:SectorClassifier"], {}),
    (basir.rank, ["fisc.basir:SectorRanker", "fisc.basir:budget_day"], {}),
    (basir.events, ["fisc.basir:event_study"], {}),
    (basir.train, ["fisc.basir:SectorClassifier"], {}),
    (basir.evaluate, ["fisc.basir:SectorClassifier", "fisc.basir:cross_validate"], {}),
    (basir.report, ["fisc.basir:budget_day"], {}),
    (portfolio.train, ["fisc.portfolio:train"], {}),
    (portfolio.evaluate, ["fisc.portfolio:RLPortfolio"], {}),
    (
        portfolio.evaluate,
        ["fisc.portfolio:walk_forward"],
        {"train_closes": "train", "test_closes": "test", "jobs": "n_jobs", "cost": "costs"},
    ),
    (portfolio.backtest, ["fisc.portfolio:backtest"], {"start": ALL, "cost": "buy"}),
    (portfolio.selftest, ["fisc.portfolio:selftest"], {"jobs": "n_jobs", "parts": ALL}),
]
# Kind of report and the functions that its options are handed to.
KINDS = {
    "cutoff": ["fisc.r3d:r3d"],
    "budget-day": ["fisc.basir:budget_day"],
    "tax-reform": ["fisc.economist:Workers.sample"],
}
# Empty text and no list mean "not given" on a command line, as None does in Python.
NOT_GIVEN: tuple[object, ...] = (None, "", ())


def resolve(where: str) -> Callable[..., object]:
    module, _, path = where.partition(":")
    found: typing.Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return typing.cast("Callable[..., object]", found)


def defaults(function: Callable[..., object]) -> dict[str, object]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}


def same(python: object, here: object) -> bool:
    if python == here or (python in NOT_GIVEN and here in NOT_GIVEN):
        return True
    if isinstance(python, tuple) and isinstance(here, str):  # a list is text with commas
        return ",".join(map(str, python)) == here
    return {python, here} == {None, 1}  # joblib's word for one process


def differing(given: Iterable[tuple[str, object]], where: str, names: dict[str, str]) -> list[str]:
    python = defaults(resolve(where))
    found = []
    for name, value in given:
        there = names.get(name, name)
        if there not in python or value is inspect.Parameter.empty:
            continue
        if not same(python[there], value):
            found.append(f"{name}: {value!r} here, {python[there]!r} in {where}")
    return found


@pytest.mark.parametrize(
    ("command", "functions", "names"), COMMANDS, ids=lambda v: getattr(v, "__name__", "")
)
def test_the_command_line_has_pythons_defaults(
    command: Callable[..., None], functions: list[str], names: dict[str, str]
) -> None:
    shared = 0
    for where in functions:
        assert not differing(defaults(command).items(), where, names)
        shared += len({names.get(n, n) for n in defaults(command)} & set(defaults(resolve(where))))
    assert shared, "no option of the command is one of the function; the table above is out of date"


@pytest.mark.parametrize("kind", KINDS)
def test_report_files_have_pythons_defaults(kind: str) -> None:
    fields = registry.models()[kind].model_fields
    given = [(name, field.default) for name, field in fields.items() if not field.is_required()]
    for where in KINDS[kind]:
        assert not differing(given, where, {})


def test_every_choice_on_the_command_line_is_the_options_literal() -> None:
    for command, functions, names in COMMANDS:
        hints = typing.get_type_hints(command)
        for where in functions:
            function = resolve(where)
            try:
                there = typing.get_type_hints(function.__init__ if inspect.isclass(function) else function)
            except (NameError, TypeError):  # a type of an optional library, or pandas' of type checkers only
                continue
            for name, hint in hints.items():
                other = there.get(names.get(name, name))
                words = typing.get_args(other) if typing.get_origin(other) is typing.Literal else ()
                own = name == "population"  # a name or a file of the user's
                if words and not own and all(isinstance(word, str) for word in words):
                    assert hint == other, (command.__name__, name)
