"""The shape of the repository: what must not exist, and what must not be imported."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = ("econ", "finance", "datasets", "reports")


def run(code: str, cwd: Path | None = None) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False, timeout=300
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_no_init_in_a_source_root_or_in_the_namespace(root: Path) -> None:
    # An importable top-level `datasets` breaks sentence_transformers where Hugging Face `datasets`
    # is installed; one `fisc/__init__.py` hides the three other portions of the namespace.
    for top in (*SOURCES, "notebooks", "tests", "benchmarks"):
        assert not (root / top / "__init__.py").exists()
    for source in SOURCES:
        assert not (root / source / "fisc" / "__init__.py").exists()


def test_every_folder_below_the_namespace_is_a_regular_package(root: Path) -> None:
    for source in SOURCES:
        for module in (root / source / "fisc").rglob("*.py"):
            assert (module.parent / "__init__.py").exists(), module
    for source in SOURCES:
        for package in (root / source / "fisc").iterdir():
            if (package / "__init__.py").exists():
                assert (package / "py.typed").exists(), f"{package} does not say that it is typed"


def test_sentence_transformers_imports_from_the_root(root: Path) -> None:
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("datasets")
    code = "import sys; sys.path.insert(0, ''); import sentence_transformers, datasets; datasets.Dataset"
    run(code, cwd=root)


HEAVY = {"torch", "matplotlib", "skfolio", "sklearn", "scipy", "pandas", "sentence_transformers", "numba"}


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import fisc.data", HEAVY),
        ("import fisc.report", HEAVY),
        ("import fisc.cli.app as a; a._assemble()", HEAVY | {"numpy"}),
    ],
)
def test_light_imports(code: str, absent: set[str]) -> None:
    loaded = run(f"import sys\n{code}\nprint(' '.join(sorted(m for m in sys.modules if '.' not in m)))")
    assert not absent & set(loaded.split())


def test_help_pulls_in_nothing_heavy() -> None:
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "fisc.cli", "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0
    assert "data" in result.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in result.stderr.splitlines()}
    assert not imported & HEAVY


def test_nothing_names_this_machine(root: Path) -> None:
    # Written so that this file does not match itself.
    paths = re.compile("/" + r"(work|farm)" + "/|" + r"\.\." + "/shared")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=root, capture_output=True, text=True, check=False
    ).stdout.split()
    for name in listed:
        file = root / name
        if file.suffix in {".py", ".md", ".toml", ".txt", ".yml", ""} and file.is_file():
            assert not paths.search(file.read_text(encoding="utf-8", errors="replace")), name


@pytest.mark.parametrize(
    ("code", "library", "extra"),
    [
        ("from fisc.portfolio import RLPortfolio", "torch", "portfolio"),
        ("from fisc.portfolio import train", "torch", "portfolio"),
        ("from fisc.portfolio import PortfolioVecEnv", "stable_baselines3", "portfolio"),
        ("from fisc.portfolio.demo import demo_section as f; f()", "torch", "portfolio"),
        ("import fisc.data; fisc.data.fetch_prices(['A'], '2020-01-01', '2020-02-01')", "yfinance", "prices"),
        ("from fisc.report import Report, Section; Report('a', [Section('b')]).to_pdf('x.pdf')", "weasyprint", "pdf"),
        ("from fisc.basir import SectorClassifier as C; C('pair').fit(['steel is cheap'] * 2, [['Steel']] * 2)",
         "sentence_transformers", "basir"),
    ],
)  # fmt: skip
def test_a_missing_library_is_named_with_its_extra(
    code: str, library: str, extra: str, tmp_path: Path
) -> None:
    said = run(
        f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {library!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
from fisc.data import MissingExtraError
try:
    {code}
except MissingExtraError as error:
    print(error)
""",
        cwd=tmp_path,
    )
    assert library in said
    assert f"pip install 'fisc[{extra}]'" in said
