"""`fisc demo`: one page with every section, offline, and the same bytes twice."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fisc.cli import demo_report
from fisc.report import Section


class Page(HTMLParser):
    """Collects what a page asks for from elsewhere, and its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        for name, value in attrs:
            if name in ("src", "href") and value and not value.startswith("#"):
                self.outside.append(value)


def test_a_section_that_fails_is_shown_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        demo_report,
        "SECTIONS",
        {"Good": "tests_demo_sections:good", "Bad": "tests_demo_sections:bad"},
    )
    import types

    from fisc.data import MissingExtraError

    module = types.ModuleType("tests_demo_sections")

    def bad(seed: int) -> Section:
        raise MissingExtraError("torch is not installed; pip install 'fisc[portfolio]'")

    module.good = lambda seed: Section("Good", f"seed {seed}")  # type: ignore[attr-defined]
    module.bad = bad  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tests_demo_sections", module)
    steps: list[str] = []
    path = demo_report.build_demo(tmp_path / "out", lambda what, done, total: steps.append(what), seed=4)
    page = path.read_text()
    assert "seed 4" in page
    assert "fisc[portfolio]" in page
    assert steps == ["Good", "Bad", "writing"]


def make(out: Path) -> str:
    env = {**os.environ, "FISC_OFFLINE": "1", "FISC_HOME": str(out / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "fisc.cli", "demo", "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
        env=env,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(out / "index.html")
    return (out / "index.html").read_text()


@pytest.mark.slow
def test_the_demo_is_complete_and_the_same_twice(tmp_path: Path) -> None:
    first, second = make(tmp_path / "a"), make(tmp_path / "b")
    page = Page()
    page.feed(first)
    assert page.scripts == 0
    assert not [link for link in page.outside if "://" in link]
    for title in demo_report.SECTIONS:
        assert html.escape(title) in first
    assert "could not be made" not in first
    times = re.compile(r'<time[^>]*>.*?</time>|<meta name="dcterms.created"[^>]*>', re.DOTALL)
    assert times.sub("", first) == times.sub("", second)
