"""Tax planner and workers: exact followers, the true optimum, honest baselines, planners of every kind.

A planner sets the marginal rate of each bracket; workers answer with hours; all revenue
returns as an equal rebate; a fixed welfare criterion judges the result. After LLM Economist
(arXiv 2507.15815), with exogenous welfare weights, calibrated labour costs and exact best
responses, so that a planner's distance from the optimum is known.
"""

from fisc.core import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
