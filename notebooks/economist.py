# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which income tax makes a population best off?
#
# A planner sets a rate for each bracket, workers answer with their hours, all revenue comes back as an equal
# rebate. The workers' answer is exact, so the true optimum is known, and every planner can be measured against it.

# %%
from fisc.economist import Simulation, SimulationConfig, TaxSchedule, Workers, compare, respond, welfare
from fisc.economist.gaming import plot_objectives
from fisc.economist.plots import plot_gains, plot_income_density, plot_progress

workers = Workers.sample(2000, population="acs")
law = TaxSchedule.us_federal(2024)
outcome = respond(workers, law)
print(workers.summary())
print(outcome.summary())

# %% [markdown]
# ## The objective of the paper can be gamed
#
# It weighs each worker by one over what they earn *now*. Taxing people out of work multiplies their weight.

# %%
plot_objectives(Workers.sample(1000)).get_figure()

# %% [markdown]
# ## Side by side
#
# `compare` runs the baselines, planners that see only published tables, and the optimum that knows every worker.

# %%
result = compare(workers, "inverse_income", planners=("bayesian", "hill"), years=15, restarts=2)
result.to_frame().sort_values("welfare", ascending=False).round(4)

# %%
result.plot().get_figure()

# %%
plot_progress(result.progress).get_figure()

# %%
plot_gains({name: result.gains(name) for name in ("optimum", "flat 50 %")}).get_figure()

# %% [markdown]
# Workers bunch where a rate jumps up, and leave a hole where it falls.

# %%
shown = {name: result.outcomes[name] for name in ("US 2024", "optimum")}
plot_income_density(shown, schedule=result.optimum.schedule).get_figure()

# %% [markdown]
# ## A reform of one's own

# %%
reform = law.with_rates([0.0, 0.15, 0.25, 0.28, 0.35, 0.40, 0.45])
for criterion in ("inverse_income", "log", "rawls"):
    now, then = welfare(outcome, workers, criterion), welfare(respond(workers, reform), workers, criterion)
    print(f"{criterion:15s} {now:12.4f} -> {then:12.4f}")

# %% [markdown]
# ## Elections
#
# Candidates write platforms for their own purse; everybody votes by exact own utility.

# %%
config = SimulationConfig(
    n=500, planner="elected", workers="bounded", personas=True, years=9, election={"term": 4, "rule": "borda"}
)
votes = Simulation(config).run()
print(votes.summary())

# %% [markdown]
# ## Language models
#
# Any OpenAI-compatible server will do; here a rule of thumb plays all parts, so that the notebook needs none.
# Before a real run, ask what it would cost.

# %%
config = SimulationConfig(
    n=100,
    years=5,
    steps_per_year=2,
    personas=True,
    planner="language",
    workers="language",
    model={"price_prompt": 0.15, "price_completion": 0.60},
)
simulation = Simulation(config)
print(simulation.estimate().summary())
print(simulation.run().summary())
