"""Configuration of a simulation: a TOML file or keyword arguments, checked."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from fisc.core import DataError, OptionError, nearest
from fisc.economist.options import (
    DEFAULT_POPULATION,
    AnyCriterion,
    BehaviourName,
    Calibration,
    Initial,
    Motive,
    PlannerName,
    Population,
    Ties,
    VotingRule,
)

__all__ = ["ElectionConfig", "ModelConfig", "SimulationConfig"]


class _Checked(BaseModel):
    """A pydantic model whose faults are fisc errors that name the nearest key."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    def __init__(self, /, **values: object) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _explained(type(self), error) from None


class ModelConfig(_Checked):
    """Which language model, how to ask it, and when to stop.

    Attributes
    ----------
    name : str
        Model on the server; ``"scripted"`` is a rule of thumb that needs no server.
    base_url : str
        Address of any OpenAI-compatible server, up to and with ``/v1``.
    key_variable : str
        Environment variable that holds the key.
    temperature, max_tokens, timeout, concurrency, attempts, reasks, pause
        See `fisc.llm.Client` and `fisc.llm.OpenAIModel`.
    batch : int
        Workers who answer in one call.
    price_prompt, price_completion : float
        Money per million tokens.
    budget_tokens, budget_money, budget_requests
        Where the run stops cleanly; None means no limit.
    cache : str or None
        SQLite file of answers that several runs share; by default each run folder has its own.
    """

    name: str = "scripted"
    base_url: str = "http://localhost:8000/v1"
    key_variable: str = "OPENAI_API_KEY"
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] = 0.0
    max_tokens: Annotated[int, Field(ge=16)] = 512
    timeout: Annotated[float, Field(gt=0.0)] = 60.0
    concurrency: Annotated[int, Field(ge=1)] = 8
    attempts: Annotated[int, Field(ge=1)] = 4
    reasks: Annotated[int, Field(ge=0)] = 2
    pause: Annotated[float, Field(ge=0.0)] = 1.0
    batch: Annotated[int, Field(ge=1)] = 20
    price_prompt: Annotated[float, Field(ge=0.0)] = 0.0
    price_completion: Annotated[float, Field(ge=0.0)] = 0.0
    budget_tokens: Annotated[int | None, Field(ge=0)] = None
    budget_money: Annotated[float | None, Field(ge=0.0)] = None
    budget_requests: Annotated[int | None, Field(ge=0)] = None
    cache: str | None = None


class ElectionConfig(_Checked):
    """How the elected planner comes to office every `term` years; see `fisc.economist.hold_election`."""

    term: Annotated[int, Field(ge=1)] = 4
    candidates: Annotated[int, Field(ge=2)] = 5
    rule: VotingRule = "plurality"
    ties: Ties = "random"
    motive: Motive = "selfish"
    reach: Annotated[float, Field(gt=0.0, le=1.0)] = 0.2


class SimulationConfig(_Checked):
    """Everything that decides a simulation.

    Attributes
    ----------
    n : int
        Workers.
    population, calibration, personas, delta, max_hours
        See `fisc.economist.Workers.sample`.
    hours_step : float or None
        If given, hours come in steps of it (10: the choices of the source paper).
    edges : tuple of float or None
        Brackets; None means those of US law 2024.
    criterion, gamma
        What the planner maximises; ``"weighted"`` if `Simulation` is given weights of your own.
    planner : str
        ``"bayesian"`` (learns behaviour), ``"gp"``, ``"cmaes"``, ``"hill"``, ``"random"``, ``"fixed"``,
        ``"language"`` or ``"elected"``.
    workers : {"exact", "bounded", "language"}
        How workers choose.
    initial : "flat", "us" or tuple of float
        Schedule of the first years: `initial_rate` everywhere, US rates, or rates given.
    initial_rate : float
        The paper starts at one half.
    years, steps_per_year, warmup_years : int
        Length; worker steps under one schedule; years before the planner may change it (at least 1).
    memory : int
        Years that a language planner sees, and steps that workers remember.
    settled : float
        Share of the years, at the end, in which the best schedule seen is kept.
    rate_step : float
        If positive, proposed rates are rounded to multiples of it.
    max_change : float
        Largest change of a rate from year to year.
    noise, inertia, protest
        Of bounded workers.
    reference : bool
        Whether the optimum is computed too, as the ceiling.
    random_state : int
        Same seed, same run.
    folder : str or None
        Where every step is written; None keeps the run in memory.
    election : ElectionConfig
    model : ModelConfig

    Examples
    --------
    >>> SimulationConfig(n=100, plannr="gp")
    Traceback (most recent call last):
    ...
    fisc.core.errors.OptionError: plannr is not a key of the configuration; did you mean 'planner'?
    """

    n: Annotated[int, Field(ge=1)] = 1000
    population: Population = DEFAULT_POPULATION
    calibration: Calibration = "common"
    personas: bool = False
    delta: Annotated[float, Field(gt=1.0)] = 3.5
    max_hours: Annotated[float, Field(gt=0.0)] = 100.0
    hours_step: Annotated[float | None, Field(gt=0.0)] = None
    edges: tuple[float, ...] | None = None
    criterion: AnyCriterion = "inverse_income"
    gamma: float = 2.0
    planner: PlannerName = "bayesian"
    workers: BehaviourName = "exact"
    initial: Initial | tuple[float, ...] = "flat"
    initial_rate: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    years: Annotated[int, Field(ge=1)] = 40
    steps_per_year: Annotated[int, Field(ge=1)] = 1
    warmup_years: Annotated[int, Field(ge=1)] = 1
    memory: Annotated[int, Field(ge=1)] = 50
    settled: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    rate_step: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    max_change: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    noise: float = 0.10
    inertia: float = 0.3
    protest: float = 0.10
    reference: bool = False
    random_state: Annotated[int, Field(ge=0, validation_alias=AliasChoices("random_state", "seed"))] = 0
    folder: str | None = None
    election: ElectionConfig = Field(default_factory=ElectionConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)

    @classmethod
    def from_toml(cls, path: str | Path) -> SimulationConfig:
        """Read a configuration file.

        Raises
        ------
        DataError
            If there is no such file, it is not TOML, or a value is out of range.
        OptionError
            If a key is unknown; the message names the nearest.
        """
        file = Path(path)
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(f"there is no file {file}; give the path of a TOML configuration") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"{file} is not valid TOML: {error}") from None
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types; ``SimulationConfig(**values)`` reads them back."""
        return self.model_dump(mode="json")


def _explained(model: type[_Checked], error: ValidationError) -> DataError:
    """Return our error for the first fault that pydantic found."""
    fault = error.errors()[0]
    path = [str(part) for part in fault["loc"] if "[" not in str(part)]
    inner = fault.get("ctx", {}).get("error")
    if isinstance(inner, DataError):  # a table inside the table has explained itself
        return type(inner)(f"{'.'.join(path)}.{inner}")
    if fault["type"] == "extra_forbidden":
        guess = nearest(path[-1], model.model_fields)
        hint = f"did you mean {guess!r}?" if guess else f"the keys are {', '.join(model.model_fields)}"
        return OptionError(f"{'.'.join(path)} is not a key of the configuration; {hint}")
    said = f"{'.'.join(path)}={fault.get('input')!r:.60} in the configuration: {fault['msg']}"
    if fault["type"] == "literal_error":
        allowed = fault.get("ctx", {}).get("expected", "").replace("'", "").replace(" or ", ", ").split(", ")
        guess = nearest(fault.get("input"), allowed)
        return OptionError(said + (f"; did you mean {guess!r}?" if guess else ""))
    return DataError(said)
