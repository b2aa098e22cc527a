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
# # Regression discontinuity for whole distributions
#
# Does crossing a cutoff change the distribution of an outcome inside units, and where? We begin with simulated
# units, whose effect is known, and end with stock returns around the 200-day average.

# %%
import numpy as np

from fisc.r3d import monte_carlo, r3d, simulate

sim = simulate("paper2", n=800, random_state=1)
sim.data.head()

# %% [markdown]
# One row a value; `x` is the same for all values of a unit. In this design crossing the cutoff moves units up by
# 1.86 and shrinks their upper tail, so that the effect falls along the quantiles.

# %%
fit = r3d(sim.data, y="y", x="x", unit="unit", quantiles=np.arange(1, 20) / 20, random_state=0)
print(fit.summary())

# %%
ax = fit.plot()
ax.plot(sim.quantiles, sim.truth, color="black", linestyle="--", label="truth")
ax.legend(loc="upper left", ncols=4)
ax.get_figure()

# %% [markdown]
# The lighter band holds for all quantiles at once, the darker one for a quantile chosen beforehand. The dashed truth
# lies inside. Where the two limit distributions differ is easier to see side by side:

# %%
fit.plot(kind="densities").get_figure()

# %% [markdown]
# Tests and functionals use the same draws as the band.

# %%
fit.tests([(0.05, 0.5), (0.5, 0.95)])

# %%
for name in ("mean", "iqr", "w2"):
    print(fit.functional(name).summary())

# %% [markdown]
# ## Is the design credible?

# %%
diagnosis = fit.diagnose()
print(diagnosis.summary())
diagnosis.plot().get_figure()

# %%
fit.sensitivity().plot().get_figure()

# %% [markdown]
# ## Does the band keep its promise?
#
# A small Monte Carlo; the full table is in the documentation.

# %%
monte_carlo(["repo1", "paper1"], [200], reps=50, n_boot=199).table

# %% [markdown]
# ## Stock returns around the 200-day average
#
# Units are trading days, the outcome is the distribution of the next 21-day returns over twenty stocks, and the
# running variable is the log distance of their index from its 200-day average. Errors are clustered by quarter,
# because returns of neighbouring days overlap.

# %%
from fisc.data import load_sp500
from fisc.r3d.demo import DECILES, crossing_data

days = crossing_data(load_sp500())
crossing = r3d(
    days, y="next_return", x="distance", unit="day", cluster="quarter", quantiles=DECILES, random_state=0
)
crossing.plot(kind="rd", bins=25).get_figure()

# %%
crossing

# %% [markdown]
# The band holds zero everywhere: these data do not show that crossing the average changes what follows.
