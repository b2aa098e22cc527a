"""Everything but real servers works without the openai package, and imports stay light."""

from __future__ import annotations

import subprocess
import sys

BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "openai":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_without_openai_scripts_work_and_servers_say_what_to_install() -> None:
    code = (
        BLOCKED
        + """
from fisc.economist import Simulation, SimulationConfig
from fisc.data import MissingExtraError
from fisc.llm import OpenAIModel
result = Simulation(SimulationConfig(n=10, years=2, planner="language", workers="language")).run()
try:
    OpenAIModel("x", "http://localhost:1/v1")
except MissingExtraError as error:
    print(result.status, error)
"""
    )
    assert run(code) == "done openai is not installed; pip install 'fisc[llm]'"


def test_imports_are_light() -> None:
    code = "import sys, fisc.llm, fisc.economist; print([m for m in {} if m in sys.modules])"
    heavy = ["torch", "openai", "pandas", "matplotlib", "sklearn", "numba", "fisc.basir", "fisc.portfolio"]
    assert run(code.format(heavy)) == "[]"


def test_the_client_does_not_know_the_economist() -> None:
    modules = "fisc.llm.client, fisc.llm.openai_model, fisc.llm.ledger, fisc.llm.cache, fisc.llm.models"
    assert run(f"import sys, {modules}; print('fisc.economist' in sys.modules)") == "False"
