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
# # From data to a report: all four instruments
#
# Four questions about public money and markets, each answered with an interval, put on one page. Everything here
# is offline: the data ship with the package or with what it depends on.

# %%
import numpy as np
import pandas as pd

import fisc.data

print(fisc.data.catalogue())

# %% [markdown]
# Every frame knows where it came from. Read the known faults before the numbers: these twenty stocks were chosen
# because they survived.

# %%
prices = fisc.data.load_sp500("2005-01-01")
print(fisc.data.card("sp500"))
fisc.data.provenance(prices)

# %% [markdown]
# ## 1. Which sectors does a budget text touch?
#
# The lexical classifier needs no deep-learning library. It learns from 125 labelled excerpts; each answer carries
# the words that are its evidence.

# %%
from fisc.basir import SectorClassifier

excerpts = fisc.data.load_budget_excerpts()
classifier = SectorClassifier("lexical").fit(excerpts["text"].tolist(), excerpts["sectors"].tolist())
classifier.explain("Excise on small cars falls, and the outlay for new railway lines is doubled.")

# %% [markdown]
# Attention is a count: how often each sector is mentioned, a thousand words. Textiles had their day.

# %%
attention = fisc.data.load_budget_attention()
attention[["Textiles", "Railways", "IT - Software"]].rolling(5).mean().plot(
    ylabel="mentions a thousand words"
)
# %% [markdown]
# ## 2. Does crossing a cutoff change a whole distribution?
#
# Units are trading days; the outcome of a day is the distribution of the next 21-day returns over the stocks; the
# running variable is how far their average stands from its own 200-day mean.

# %%
from fisc.r3d import r3d

index = (prices / prices.iloc[0]).mean(axis=1)
distance = np.log(index / index.rolling(200).mean())
ahead = prices.shift(-21) / prices - 1
days = ahead.index[distance.notna() & ahead.notna().all(axis=1)]
deciles = np.arange(1, 10) / 10
fit = r3d(
    quantile_matrix=np.quantile(ahead.loc[days], deciles, axis=1).T,
    x=distance[days].to_numpy(),
    quantiles=deciles,
    cluster=days.to_period("Q").astype(str).to_numpy(),
    random_state=0,
)
print(fit.summary())

# %%
fit.plot().get_figure()

# %% [markdown]
# ## 3. How should money be spread over stocks?
#
# Two rules that need no forecast, after costs of 0.25 % a trade, and the interval of their difference. A
# difference whose interval holds zero is not one.

# %%
from fisc.portfolio import Market, backtest, baselines
from fisc.portfolio.statistics import sharpe_difference

market = Market.from_prices(prices)
rules = ("equal_monthly", "buy_and_hold", "inverse_volatility")
begin = 504  # two years of history before the first decision, for all alike
runs = {name: backtest(market, baselines.get(name), buy=0.0025, sell=0.0025, start=begin) for name in rules}
pd.DataFrame(
    {name: run.metrics()[["sharpe", "sharpe_se", "max_drawdown", "turnover"]] for name, run in runs.items()}
)

# %%
sharpe_difference(runs["inverse_volatility"].net_returns, runs["equal_monthly"].net_returns)

# %% [markdown]
# ## 4. Which tax schedule makes people best off?
#
# Workers answer any schedule with their hours, exactly. US law, a flat tax, and the optimum under weights that are
# fixed in advance; no government knows enough to reach the optimum, so it is a ceiling.

# %%
from fisc.economist import TaxSchedule, Workers, optimal_schedule, respond, welfare

workers = Workers.sample(2000, "acs", seed=0)
law = TaxSchedule.us_federal(2024)
best = optimal_schedule(workers, law.edges, "inverse_income", restarts=1)
schedules = {"US 2024": law, "flat 50 %": TaxSchedule.flat(0.5), "optimum": best.schedule}
outcomes = {name: respond(workers, schedule) for name, schedule in schedules.items()}
pd.DataFrame(
    {
        name: {
            "welfare": welfare(outcome, workers, "inverse_income"),
            "weekly hours": outcome.hours.mean(),
            "rebate": outcome.rebate,
        }
        for name, outcome in outcomes.items()
    }
).round(1)

# %% [markdown]
# ## One page
#
# Every result gives a section; a list of sections is a report: one file, without network, light and dark.

# %%
from fisc.report import Report

report = Report("Four questions", [fit.section(), runs["equal_monthly"].section(), best.section()])
print(f"{len(report.to_html()):,} characters of HTML")
