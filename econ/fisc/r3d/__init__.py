"""Regression discontinuity for whole distributions."""
