"""Tax planner: speed of the exact response, quality of the optimum and of planners, tokens of language models.

    python benchmarks/economist.py [--short] [--json FILE] [--only PART]

Everything is measured in this run, in CPU seconds of one thread. The floor is a plain Python loop over
workers that solves the same problem: the way one writes it first, and the tightest we know. Welfare by sums
over sorted workers is measured beside the kernel that asks each, on the same schedules. The stored optima are
those of tests/economist/vectors.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np

from fisc.economist import (
    Simulation,
    SimulationConfig,
    TaxSchedule,
    Workers,
    optimal_schedule,
    outcome_of_hours,
    respond,
    saez_schedule,
    welfare,
)
from fisc.economist.calibration import calibrated_cost
from fisc.economist.objective import WelfareOfRates
from fisc.economist.scripts import rule_of_thumb
from fisc.economist.workers import LanguageWorkers, Memory
from fisc.llm import Client, ScriptedModel

VECTORS = Path(__file__).resolve().parents[1] / "tests" / "economist" / "vectors"
CALIBRATIONS = {"calib": "common", "invert": "individual", "paper": "paper"}
TITLES = {
    "sorted": "sorted: one welfare of a million weighted workers, seven brackets, CPU time",
    "large": "large: optima of a million weighted workers, with their certificates",
}
REFERENCE_TOKENS = 5_400  # a worker-step of the reference, four characters a token


def plain_tax(z: float, edges: list[float], rates: list[float]) -> float:
    """Return the tax on an income, bracket by bracket."""
    due = 0.0
    for k, rate in enumerate(rates):
        upper = edges[k + 1] if k + 1 < len(edges) else math.inf
        due += rate * max(0.0, min(z, upper) - edges[k])
    return due


def plain_best_response(
    skill: float, cost: float, edges: list[float], rates: list[float], delta: float, cap: float
) -> tuple[float, float]:
    """Return income and value of one worker: list the candidates, take the best."""
    candidates = [edge for edge in edges if edge <= skill * cap] + [skill * cap]
    for rate in rates:
        hours = (skill * (1.0 - rate) / (cost * delta)) ** (1.0 / (delta - 1.0))
        candidates.append(skill * min(hours, cap))
    values = [z - plain_tax(z, edges, rates) - cost * (z / skill) ** delta for z in candidates]
    best = max(values)
    return candidates[values.index(best)], best


def tight_best_response(
    skill: float, cost: float, edges: list[float], rates: list[float], delta: float, cap: float
) -> tuple[float, float]:
    """Do the same in one pass over the brackets: the fastest plain Python we know."""
    chosen, best, due = 0.0, 0.0, 0.0
    for k, rate in enumerate(rates):
        low = edges[k]
        high = edges[k + 1] if k + 1 < len(edges) else math.inf
        top = min(high, skill * cap)
        if low >= top:
            break
        z = min(skill * (skill * (1.0 - rate) / (cost * delta)) ** (1.0 / (delta - 1.0)), top)
        if z > low:
            value = z - due - rate * (z - low) - cost * (z / skill) ** delta
            if value > best:
                chosen, best = z, value
        due += rate * (high - low)
    return chosen, best


def cpu(function: Any, repeats: int) -> float:
    """Return the CPU seconds of one call, the mean of several after a first one."""
    function()
    start = time.process_time()
    for _ in range(repeats):
        function()
    return (time.process_time() - start) / repeats


def speed(short: bool) -> dict[str, Any]:
    """Measure the exact response of a million workers to schedules with arbitrary rates."""
    n = 1_000_000
    rng = np.random.default_rng(0)
    workers = Workers.sample(n, calibration="common")
    edges = TaxSchedule.us_federal(2024).edges
    laws = [TaxSchedule(edges, rng.uniform(size=7)) for _ in range(2 if short else 6)]

    start = time.process_time()
    _ = workers.free_income, workers.kink_weight
    prepared = time.process_time() - start
    seconds = float(np.mean([cpu(lambda law=law: respond(workers, law), 3) for law in laws]))

    few = 4_000
    skill, cost = workers.skill[:few].tolist(), workers.cost[:few].tolist()
    lists = edges.tolist(), laws[0].rates.tolist()

    def loop(one: Any) -> list[tuple[float, float]]:
        return [one(s, c, *lists, 3.5, 100.0) for s, c in zip(skill, cost, strict=True)]

    loop_seconds = cpu(lambda: loop(plain_best_response), 3)
    tight_seconds = cpu(lambda: loop(tight_best_response), 3)
    fast = respond(workers, laws[0])
    for one in (plain_best_response, tight_best_response):
        assert np.allclose(np.array(loop(one))[:, 1] + fast.rebate, fast.utility[:few], rtol=1e-8), (
            "must agree"
        )
    array_seconds = cpu(lambda: respond(workers, laws[0], engine="numpy"), 1)

    tracemalloc.start()
    again = Workers(workers.skill, workers.cost)
    kept = respond(again, laws[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    inputs = 16 * n  # skill and cost, which were there before
    del kept
    return {
        "million agent-steps a CPU second": n / seconds / 1e6,
        "whole-array numpy, million a CPU second": n / array_seconds / 1e6,
        "loop over agents, million a CPU second": few / loop_seconds / 1e6,
        "times the loop over agents": (n / seconds) / (few / loop_seconds),
        "tightest loop, million a CPU second": few / tight_seconds / 1e6,
        "times the tightest loop": (n / seconds) / (few / tight_seconds),
        "preparation of a population, CPU seconds": prepared,
        "bytes an agent, everything counted": (peak + inputs) / n,
    }


def sorted_welfare(short: bool) -> list[dict[str, Any]]:
    """Measure one welfare of a weighted population by sums over sorted workers, and by asking each."""
    n = 1_000_000
    rng = np.random.default_rng(0)
    edges = TaxSchedule.us_federal(2024).edges
    few = rng.uniform(size=(5 if short else 20, 7))
    fresh = rng.uniform(size=(1000, 7))  # each schedule once, so that no cache knows its way
    rows = []
    for population in ("gb2", "acs"):
        workers = Workers.sample(n, population).with_weights(rng.uniform(0.5, 2.0, n))
        start = time.process_time()
        _ = workers.sorted_people.mass_sums, workers.sorted_people.moments
        prepared = time.process_time() - start
        for criterion in ("inverse_income", "log", "crra", "rawls", "paper_live"):
            objective = WelfareOfRates(workers, edges, criterion)
            objective(few)
            start = time.process_time()
            objective(fresh)
            fast = (time.process_time() - start) / len(fresh)
            slow = cpu(lambda objective=objective: objective.by_asking(few), 1) / len(few)
            apart = np.abs(objective(few) / objective.by_asking(few) - 1.0).max()
            rows.append(
                {
                    "case": f"1 M workers, {population}, {criterion}",
                    "sorted, us": 1e6 * fast,
                    "asking, us": 1e6 * slow,
                    "ratio": slow / fast,
                    "apart, 1e-15": 1e15 * float(apart),
                    "sorting, s": prepared,
                }
            )
    return rows


def large_optima(short: bool) -> list[dict[str, Any]]:
    """Solve a million weighted workers, on the brackets of US law and on fifty."""
    n = 1_000_000
    us = TaxSchedule.us_federal(2024).edges
    many = np.concatenate([[0.0], np.geomspace(2_000.0, 1_000_000.0, 49)])
    rows = []
    for population in ("gb2", "acs"):
        weights = np.random.default_rng(1).uniform(0.5, 2.0, n)
        workers = Workers.sample(n, population).with_weights(weights)
        for criterion in ("inverse_income",) if short else ("inverse_income", "log", "rawls"):
            for edges in (us, many):
                start = time.process_time()
                best = optimal_schedule(workers, edges, criterion)
                seconds = time.process_time() - start
                proof = best.certificate
                rows.append(
                    {
                        "case": f"1 M workers, {population}, {criterion}, {edges.size} brackets",
                        "CPU seconds": seconds,
                        "agreeing": float(proof.agreeing),
                        "local gain": proof.local_gain,
                        "schedules": float(proof.evaluations),
                    }
                )
    return rows


def stored_cases() -> list[tuple[dict[str, Any], Workers]]:
    """Return the usable stored cases with their workers."""
    stored = json.loads((VECTORS / "stackelberg_cases.json").read_text())
    found = []
    for case in stored["cases"]:
        if "live" in case["swf"] or case["target"]["knife_edge"]:
            continue
        skill = np.loadtxt(VECTORS / stored["populations"][case["population"]]["file"], skiprows=1)
        law = TaxSchedule(case["edges"], case["rates"]["us"])
        cost = calibrated_cost(skill, law, CALIBRATIONS[case["calibration"]], delta=case["delta"])
        grid = None if case["labor"] == "continuous" else np.arange(0.0, 101.0, 10.0)
        found.append((case, Workers(skill, cost, case["delta"], case["Lmax"], grid)))
    return found


def gap(case: dict[str, Any], workers: Workers, law: TaxSchedule) -> float:
    """Return the share of the gap from US law to the stored robust optimum."""
    target = case["target"]
    value = welfare(respond(workers, law), workers, case["swf"])
    return float((value - target["W_us"]) / (target["W_ref"] - target["W_us"]))


def optima(short: bool) -> list[dict[str, Any]]:
    """Solve the stored cases."""
    rows = []
    wanted = stored_cases()
    for case, workers in wanted[-2:] if short else wanted:
        start = time.process_time()
        best = optimal_schedule(workers, case["edges"], case["swf"])
        seconds = time.process_time() - start
        rows.append({"case": case["case"], "gap": gap(case, workers, best.schedule), "CPU seconds": seconds})
    return rows


def planners(short: bool) -> list[dict[str, Any]]:
    """Let planners that see only tables govern the US-bracket cases with continuous hours."""
    rows = []
    wanted = [(c, w) for c, w in stored_cases() if len(c["edges"]) == 7 and w.hours_grid is None]
    if short:
        wanted = wanted[-2:]
    for case, workers in wanted:
        criterion = case["swf"]
        edges = case["edges"]
        row: dict[str, Any] = {
            "case": case["case"],
            "US": gap(case, workers, TaxSchedule(edges, case["rates"]["us"])),
            "flat 50 %": gap(case, workers, TaxSchedule.flat(0.5, edges)),
            "Saez, measured": gap(case, workers, saez_schedule(workers, edges, criterion)),
            "Saez, 0.4": gap(case, workers, saez_schedule(workers, edges, criterion, elasticity=0.4)),
        }
        for planner, seeds in (("hill", 1), ("cmaes", 5), ("bayesian", 1 if short else 5)):
            years = 15 if short else 40
            last = []
            for seed in range(seeds):
                config = SimulationConfig(planner=planner, years=years, criterion=criterion, seed=seed)
                result = Simulation(config, workers=workers).run()
                last.append(gap(case, workers, result.schedule))
            row[planner] = float(np.median(last))
        rows.append(row)
    return rows


def tokens() -> dict[str, Any]:
    """Count the tokens of a worker-step at 100 workers, 7 brackets, memory 50."""
    workers = Workers.sample(100, personas=True)
    law = TaxSchedule.us_federal(2024)
    client = Client(ScriptedModel(rule_of_thumb))
    players, memory = LanguageWorkers(client), Memory(50)
    before = 0
    for step in range(60):
        before = client.ledger.tokens
        hours = players.choose(workers, law, memory, np.random.default_rng(step))
        memory.add(law, outcome_of_hours(workers, law, hours))
    each = (client.ledger.tokens - before) / workers.n
    return {
        "tokens a worker-step": each,
        "reference": REFERENCE_TOKENS,
        "times fewer": REFERENCE_TOKENS / each,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows as text."""
    names = list(rows[0])
    lines = ["  ".join(f"{name:>14s}" if name != "case" else f"{name:45s}" for name in names)]
    for row in rows:
        cells = [f"{row[n]:45s}" if n == "case" else f"{row[n]:14.4f}" for n in names]
        lines.append("  ".join(cells))
    return "\n".join(lines)


def main() -> None:
    """Run what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="half a minute instead of several")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    parser.add_argument(
        "--only", choices=("speed", "sorted", "large", "optima", "planners", "tokens"), help="one part"
    )
    options = parser.parse_args()
    found: dict[str, Any] = {}
    if options.only in (None, "speed"):
        found["speed"] = speed(options.short)
        for name, value in found["speed"].items():
            print(f"{name:45s} {value:12.2f}")
    if options.only in (None, "tokens"):
        found["tokens"] = tokens()
        for name, value in found["tokens"].items():
            print(f"{name:45s} {value:12.1f}")
    for name, part in (("sorted", sorted_welfare), ("large", large_optima)):
        if options.only in (None, name):
            found[name] = part(options.short)
            print(f"\n{TITLES[name]}\n{table(found[name])}")
    for name, part in (("optima", optima), ("planners", planners)):
        if options.only in (None, name):
            found[name] = part(options.short)
            print(f"\n{name}: share of the gap from US law to the stored optimum\n{table(found[name])}")
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
