"""Train an agent on a span of a market: early stopping, checkpoints, the same bits every time."""

from __future__ import annotations

import json
import math
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from fisc.core import CorruptFileError, DataError, fingerprint, read_folder, renamed, require, write_folder
from fisc.core.encoding import check_depth
from fisc.core.folders import has_folder
from fisc.portfolio.agents import Agent, one_thread, read_json
from fisc.portfolio.market import Market, Prices, as_market
from fisc.portfolio.options import TrainOptions, made, takes
from fisc.portfolio.ppo import PPO, PPOOptions
from fisc.portfolio.runs import ALGORITHMS, Judge, Report, Reporter, Run

__all__ = ["ALGORITHMS", "TrainOptions", "train"]

_KIND = "training checkpoint"


@renamed(seed="random_state")
@takes(TrainOptions)
def train(
    market: Market | Prices,
    *,
    rows: tuple[int, int] | None = None,
    checkpoint: str | Path | None = None,
    progress: bool | Report = False,
    **options: object,
) -> Agent:
    """Train one agent with one seed and return it.

    The last part of the rows is kept for validation: the run is judged there by its net Sharpe
    ratio after costs, stops when that no longer improves, and gives the best weights. An agent
    with a base portfolio that does not beat it there convincingly holds the base.

    Parameters
    ----------
    market : Market, table or array of prices
    rows : (int, int), optional
        First row to decide on and last close (exclusive) that training may see; rows before are
        history. Nothing after is looked at.
    checkpoint : path, optional
        The run is kept in a folder beside this path, its name with ``.checkpoint`` at the end,
        after every evaluation, so that an agent can be saved under the path itself. If there is
        one of the same data and options, training goes on from there and gives the weights that
        an uninterrupted run gives (`ppo`; the other algorithms start again).
    progress : bool or callable, default False
        Show a progress bar with the validation Sharpe ratio, or call this with each row of the
        training curve.
    **options
        Fields of `fisc.portfolio.TrainOptions`, which explains them and has the defaults:
        algorithm, network, reward, base, steps, n_envs, window, episode, width, log_std, buy,
        sell, lag, band, base_window, base_every, validation, evaluations, patience, evidence,
        settings, random_state.

    Returns
    -------
    Agent
        With the training curve in ``curve``.

    Raises
    ------
    DataError
        On options that do not exist or do not fit the data, and on a checkpoint of another run.

    Notes
    -----
    Torch runs on one thread here; the setting is restored. Random numbers come from `seed`
    only, global generators are left alone (stable-baselines3's algorithms seed torch's global
    generator).

    Examples
    --------
    >>> from fisc.portfolio.worlds import ar1_market
    >>> agent = train(ar1_market(400, 3), network="mlp", window=10, episode=16, steps=2048, n_envs=32)
    >>> agent.card.steps
    2048
    """
    require("torch", extra="portfolio")
    chosen = made(TrainOptions, options, of="train").checked()
    run = Run(as_market(market), chosen, rows)
    with one_thread():
        if chosen.algorithm == "ppo":
            return _train_ppo(run, checkpoint, progress)
        from fisc.portfolio import frameworks  # stable-baselines3, which ppo does without

        return frameworks.train(run, progress)


def _train_ppo(run: Run, checkpoint: str | Path | None, progress: bool | Report) -> Agent:
    options = run.options
    given = dict(options.settings or {})
    if run.reward.name == "telescoping_sharpe":
        given.setdefault("gamma", 1.0)
    settings = made(PPOOptions, given, of="ppo")
    simulation = run.simulation()
    iterations = max(1, options.steps // (settings.n_steps * options.n_envs))
    ppo = PPO(
        run.network, run.view, simulation, settings, iterations=iterations, random_state=options.random_state
    )
    judge = Judge(run)
    curve: list[dict[str, float]] = []
    store = None if checkpoint is None else _Checkpoint(Path(checkpoint), run)
    if store is not None:
        store.load(ppo, judge, curve)
    every = max(1, iterations // options.evaluations)
    with Reporter(progress, iterations) as report:
        while ppo.iteration < iterations and not judge.tired:
            row = ppo.iterate()
            due = ppo.iteration % every == 0 or ppo.iteration == iterations
            row["validation_sharpe"] = judge.consider(int(row["steps"])) if due else float("nan")
            curve.append(row)
            if due and store is not None:
                store.save(ppo, judge, curve)
            report(row)
    return judge.finish(ppo.iteration * ppo.steps_per_iteration, curve)


class _Checkpoint:
    """One folder that holds all of a run, replaced as a whole; tensors and JSON only."""

    def __init__(self, path: Path, run: Run) -> None:
        self.folder = path.with_name(f"{path.name}.checkpoint")
        rows = [run.first, run.split, len(run.market)]
        self.identity = fingerprint({**run.provenance.options, **run.provenance.inputs, "rows": rows})

    def save(self, ppo: PPO, judge: Judge, curve: list[dict[str, float]]) -> None:
        tensors, state = ppo.state()
        tensors |= {f"best.{name}": value for name, value in judge.weights.items()}
        tensors["judge.best"] = torch.from_numpy(judge.best.copy())
        state |= {
            "identity": self.identity,
            "judge": [judge.best_sharpe, judge.best_steps, judge.waited],
            "curve": [{k: None if math.isnan(v) else v for k, v in row.items()} for row in curve],
        }
        whole = {name: value.contiguous() for name, value in tensors.items()}
        with write_folder(self.folder, kind=_KIND) as new:
            (new / "tensors.safetensors").write_bytes(safetensors.torch.save(whole))
            (new / "run.json").write_text(json.dumps(state), encoding="utf-8")

    def load(self, ppo: PPO, judge: Judge, curve: list[dict[str, float]]) -> None:
        """Go on from the checkpoint if there is one of this run."""
        if not has_folder(self.folder):
            return
        cure = "delete it to start again"
        try:
            files = read_folder(self.folder, kind=_KIND)
            state = read_json(files["run.json"])
            check_depth(state)
            if state["identity"] != self.identity:
                raise DataError(
                    f"the checkpoint {self.folder} belongs to a run on other data or with other options; delete it, or "
                    "give this run a folder of its own"
                )
            tensors = safetensors.torch.load_file(files["tensors.safetensors"])
            ppo.restore(tensors, state)
            judge.weights = {k.removeprefix("best."): v for k, v in tensors.items() if k.startswith("best.")}
            judge.best = tensors["judge.best"].numpy()
            judge.best_sharpe, judge.best_steps, judge.waited = state["judge"]
            curve.extend({k: math.nan if v is None else v for k, v in row.items()} for row in state["curve"])
        except CorruptFileError as error:
            raise CorruptFileError(f"the checkpoint {self.folder} is damaged ({error}); {cure}") from error
        except (
            safetensors.SafetensorError,
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            RuntimeError,
        ) as error:
            if isinstance(error, DataError):
                raise
            raise CorruptFileError(
                f"the checkpoint {self.folder} is damaged ({error!r:.200}); {cure}"
            ) from error
