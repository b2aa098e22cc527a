"""The script of tables in a browser's document model: sorting, filtering, saving."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from fisc.report import Report, Section, Table

# Runs the page's own script, does what it is told, and prints what is seen.
DRIVE = """
const {JSDOM} = require("jsdom"), fs = require("fs");
const window = new JSDOM(fs.readFileSync(process.argv[1], "utf8"), {runScripts: "outside-only"}).window;
let blob = null;
window.URL.createObjectURL = b => { blob = b; return "blob:x" };
window.URL.revokeObjectURL = () => {};
window.HTMLAnchorElement.prototype.click = function () { window.saved = this.download };
const all = s => [...window.document.querySelectorAll(s)];
window.eval(all("script")[0].textContent);
const column = i => all("#table-1 tbody tr").filter(r => !r.hidden).map(r => r.cells[i].textContent.trim());
const seen = {buttons: all("#table-1 button").map(b => b.textContent.trim()), cut: all("#table-2 button").length};
const heads = all("#table-1 th button");
heads[1].click(); seen.up = column(1); seen.sort = heads[1].parentElement.getAttribute("aria-sort");
heads[1].click(); seen.down = column(1);
heads[0].click(); seen.words = column(0);
const field = all("#table-1 input")[0];
field.value = "GOA"; field.dispatchEvent(new window.Event("input")); seen.left = column(0);
all("#table-1 .tools button")[0].click(); seen.name = window.saved;
const reader = new window.FileReader();
reader.onload = () => { seen.csv = reader.result; console.log(JSON.stringify(seen)) };
reader.readAsText(blob);
setTimeout(() => process.exit(0), 1000);
"""


def _node() -> list[str]:
    node = shutil.which("node")
    if node is None or subprocess.run([node, "-e", "require('jsdom')"], capture_output=True).returncode:
        pytest.skip("needs node with jsdom (npm install jsdom; NODE_PATH=.../node_modules)")
    return [node, "-e", DRIVE]


def test_tables_sort_filter_and_are_saved(tmp_path: Path) -> None:
    command = _node()
    states = ["Goa", "=Assam()", "Kerala", "Bihar", "Sikkim", "Punjab", "Odisha", 'goa "north"']
    values = [1200.5, -3.0, None, 7.0, 11.0, 10.0, 9.0, 8.0]
    table = Table({"state": states, "value": values}, decimals=1, index=False)
    cut = Table({"x": list(range(100))}, max_rows=10)
    page = tmp_path / "r.html"
    Report("R", [Section("S", tables=[table, cut])]).to_html(page)
    done = subprocess.run([*command, str(page)], capture_output=True, text=True, timeout=60, check=True)
    seen = json.loads(done.stdout)
    assert seen["buttons"] == ["state", "value", "Save as CSV"]
    assert seen["cut"] == 0, "what is not whole is not sorted"
    assert [t.replace(",", "") for t in seen["up"][:-1]] == [
        "−3.0",
        "7.0",
        "8.0",
        "9.0",
        "10.0",
        "11.0",
        "1200.5",
    ]
    assert seen["sort"] == "ascending"
    assert seen["down"] == [*seen["up"][:-1][::-1], seen["up"][-1]], "what is missing stays last"
    assert seen["words"][0] == "=Assam()"
    assert seen["left"] == ["Goa", 'goa "north"']
    assert seen["name"] == "table-1.csv"
    assert seen["csv"].lstrip("\ufeff").splitlines() == [
        '"state","value"',
        '"Goa","1200.5"',
        '"goa ""north""","8.0"',
    ]
