"""Whole reports: several instruments over one subject, described by a TOML file."""
