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
# # Portfolios: exact costs, learned and classical strategies
#
# How should money be spread over assets, day by day, net of costs? We run a classical rule exactly, let an agent
# find a signal that we planted, and then ask the honest question of real stocks.

# %%
from fisc.data import load_sp500
from fisc.portfolio import Market, RLPortfolio, backtest, baselines, remainder_factor, train, walk_forward
from fisc.portfolio.worlds import ar1_market

remainder_factor([0.1, 0.5, 0.3, 0.1], [0.0, 0.2, 0.3, 0.5], buy=0.0025, sell=0.0025)

# %% [markdown]
# That is the share of wealth left after trading from the first weights (cash first) to the second at 0.25 %.

# %%
market = Market.from_prices(load_sp500().loc["2012":])
start = market.row("2017-01-03") - 1
erc = backtest(
    market, baselines.get("erc").bind(market, start), buy=0.0025, sell=0.0025, start=start, name="erc"
)
print(erc.summary())

# %% [markdown]
# ## A market with something to find
#
# Returns follow an AR(1) process with coefficient -0.2: yesterday's losers gain. An agent trained on the first
# 2,000 days is asked about the next 500.

# %%
world = ar1_market(2500, 8, random_state=1)
agent = train(
    world, rows=(0, 2000), network="mlp", window=21, steps=49_152, buy=0.0, sell=0.0, settings={"n_steps": 32}
)
found = backtest(world, agent.bind(world, 2000), buy=0.0, sell=0.0, start=2000, name="agent")
equal = backtest(world, baselines.get("equal_daily").bind(world, 2000), buy=0.0, sell=0.0, start=2000)
print(f"Sharpe ratio: agent {found.metrics()['sharpe']:.2f}, equal weight {equal.metrics()['sharpe']:.2f}")
agent.plot().get_figure()

# %% [markdown]
# ## Real stocks
#
# The same machinery, a small budget, walking forward. The verdict is a sentence.

# %%
learned = RLPortfolio(
    network="mlp",
    base="inverse_volatility",
    steps=8_192,
    evaluations=2,
    settings={"n_steps": 16, "batch": 1024},
)
result = walk_forward(
    {"learned": learned, **baselines.rivals(["equal_daily", "inverse_volatility", "buy_and_hold"])},
    market,
    train=1200,
    test=756,
    seeds=2,
    start=start,
)
print(result.summary())

# %%
result.to_frame()[
    ["sharpe", "low", "high", "difference", "difference_low", "difference_high", "turnover"]
].round(3)

# %%
result.plot().get_figure()
