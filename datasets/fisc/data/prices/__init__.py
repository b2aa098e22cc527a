"""Prices: the user's files, downloads, their cache, checks and adjustments."""
