"""Check what a wheel holds: every package and data file, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOTS = ("econ", "finance", "datasets", "reports")


def main(wheel: str) -> None:
    """Compare the wheel with the files under version control."""
    listed = subprocess.run(
        ["git", "ls-files", "--", *ROOTS], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    expected = {name.partition("/")[2] for name in listed if "/fisc/" in name}
    held = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n and not n.endswith("/")}
    missing, surplus = sorted(expected - held), sorted(held - expected)
    if missing or surplus:
        sys.exit(f"{Path(wheel).name}: missing {missing}, surplus {surplus}")
    print(f"{Path(wheel).name}: {len(held)} files, all that belong and no other")


if __name__ == "__main__":
    main(sys.argv[1])
