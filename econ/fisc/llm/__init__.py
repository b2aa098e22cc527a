"""One client for every language model that speaks the OpenAI protocol.

A `Client` asks a model for JSON, checks the answer against a pydantic schema, repairs it or asks
again, and in the end falls back and counts; it caches, meters, waits and stops at a budget. Models:
any server by its address (`OpenAIModel`), a function (`ScriptedModel`), or a cache (`ReplayModel`).
"""

from fisc.core import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)
