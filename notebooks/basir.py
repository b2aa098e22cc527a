# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A budget speech, its sectors, and what can be said about them
#
# Everything here runs offline, with data that ship with `fisc`. For a speech of your own, read it with
# `fisc.basir.read_speech("speech.pdf")`.

# %%
from fisc.basir import (
    SectorClassifier,
    SectorRanker,
    attention,
    chance_corrected_ndcg,
    chance_table,
    compare_rankers,
    cross_validate,
    find_amounts,
    packaged_signals,
    surprise,
    walk_forward,
)
from fisc.data import load_budget_attention, load_budget_excerpts

# %% [markdown]
# ## From a text to sectors
#
# 125 labelled excerpts teach one set of weights that all 81 sectors share.

# %%
excerpts = load_budget_excerpts()
model = SectorClassifier("lexical").fit(excerpts["text"], excerpts["sectors"])
text = (
    "Small modular reactors get Rs. 20,000 crore, and the duty on cement is cut from 28 to 18 per cent. "
    "Those who deliver meals for app platforms will receive identity cards."
)
print(model.predict([text]))
print(model.explain(text).summary())
print([(amount.value, amount.unit) for amount in find_amounts(text)])

# %% [markdown]
# The evidence is marked in the text; hover over a mark to see which phrase it matches.

# %%
model.explain(text)

# %% [markdown]
# How good is it on texts it has not seen? Thresholds are tuned inside the folds, and the intervals come from resampling
# texts. Words, texts and labels have one author, so expect less elsewhere.

# %%
score = cross_validate(SectorClassifier("lexical"), excerpts["text"], excerpts["sectors"])
score.table.round(3)

# %% [markdown]
# ## What budgets speak of
#
# Mentions per 1,000 words since 1947, and what the latest speech says more of than the five before it.

# %%
mentions = load_budget_attention()
surprise(mentions).iloc[-1].nlargest(5)

# %%
attention({"2001-02-28": "Duty on tea and coffee rises.", "2002-02-28": "Tea, tea and roads."}).mentions.loc[
    :, lambda table: table.any()
]

# %% [markdown]
# ## Can the market's reaction be foretold?
#
# Walking forward over the budgets of 2017 to 2021: each is ranked by a model that has seen earlier ones only.

# %%
signals, returns = packaged_signals()
compare_rankers(["attention", "surprise", "last_budget", "ridge"], signals, returns, first=2).round(2)

# %%
test = walk_forward(SectorRanker("surprise"), signals, returns, first=2)
print(test.summary())

# %% [markdown]
# No call was made, and four budgets cannot show skill. That is the finding.
#
# ## What 0.997 means
#
# A raw NDCG says little without its chance line. With price ratios as relevance a coin scores 0.99.

# %%
chance_table(draws=500).round(3)

# %%
moves = [0.012, -0.004, 0.001, -0.010]
for kind in ("price_ratio", "rank", "positive_part"):
    right = chance_corrected_ndcg(moves, moves, relevance_kind=kind)
    wrong = chance_corrected_ndcg(moves, [-m for m in moves], relevance_kind=kind)
    print(f"{kind:<14} perfect {right:+.2f}, exactly wrong {wrong:+.2f}, random 0")
