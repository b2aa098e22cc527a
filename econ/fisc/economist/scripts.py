"""A rule of thumb that plays worker and planner through prompts: for demos and tests without a server."""

from __future__ import annotations

import hashlib
import json
import re

from fisc.llm import ChatRequest

__all__ = ["rule_of_thumb"]


def rule_of_thumb(request: ChatRequest) -> str:
    """Answer a prompt of `LanguageWorkers` or `LanguagePlanner` without understanding it.

    Workers try hours near the best so far, or 40; the planner moves one rate of the best schedule by 10
    points. Choices depend on the prompt alone, so the same request always gets the same answer.
    """
    text = request.messages[1].content
    chance = hashlib.sha256(text.encode()).digest()
    if '"rates"' in request.messages[0].content:
        best = re.search(r"Best so far:\n\d+: ([\d. ]+)\|", text)
        rates = [float(rate) for rate in best.group(1).split()] if best else []
        if rates:
            k = chance[0] % len(rates)
            rates[k] = min(100.0, max(0.0, rates[k] + (10.0 if chance[1] % 2 else -10.0)))
        return json.dumps({"rates": rates})
    hours = {}
    for line in text.splitlines():
        parts = line.split(";")
        draw = hashlib.sha256(line.encode()).digest()[0] / 255.0
        best_hours = float(parts[3]) if len(parts) > 3 and re.fullmatch(r"[\d.]+", parts[3]) else 40.0
        hours[parts[0]] = round(min(100.0, best_hours * (0.9 + 0.2 * draw)), 1)
    return json.dumps({"hours": hours})
