"""The colours of figures and pages, by light and dark, and the fonts."""

from __future__ import annotations

__all__ = ["COLOURS", "DARK", "GRID", "INK", "MUTED", "SANS"]

# Okabe and Ito (2008), "Color Universal Design", in an order that puts the most different
# first, with a grey in place of their yellow, which white paper swallows.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b7680")
INK = "#1f2a37"
MUTED = "#566270"
GRID = "#dfe4ea"

# What each colour becomes on a dark page: the same hue, lighter, so that it keeps at least
# the contrast that it has on white.
DARK = {
    "0072b2": "4fa8de",
    "d55e00": "f0863f",
    "009e73": "35c295",
    "cc79a7": "dd9cc1",
    "e69f00": "f0b540",
    "56b4e9": "8fd0f5",
    "6b7680": "9aa6b2",
    "1f2a37": "e4e8ed",
    "566270": "a6b0bb",
    "dfe4ea": "39434e",
    "000000": "e4e8ed",
    "ffffff": "171c22",
}

# No font travels with a report: these are on the reader's machine.
SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', Arial, sans-serif"
