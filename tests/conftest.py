"""Fixtures for all areas."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Third-party material beside the checkout, which is never part of it."""
    folder = Path(os.environ.get("FISC_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("the folder of third-party material is not here (FISC_SHARED)")
    return folder


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test out of the user's cache and off the network."""
    monkeypatch.setenv("FISC_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("MPLBACKEND", "Agg")
