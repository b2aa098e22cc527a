"""Ranking sectors after a budget, and the skill of it against chance."""
