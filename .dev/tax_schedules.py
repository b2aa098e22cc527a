"""Write the packaged table of US federal schedules from the policy parameters of Tax-Calculator (CC0).

Run by hand when a year is added: ``python .dev/tax_schedules.py``. It needs the extra ``us``.
"""

import csv
from pathlib import Path

import taxcalc

STATUSES = ("single", "married_joint", "married_separate", "head_of_household", "widowed")
TABLE = Path(__file__).parents[1] / "datasets" / "fisc" / "data" / "tables" / "tax_schedules.csv"
# The revenue procedure that set the amounts of the year.
PROCEDURES = {
    2013: "2013-15",
    2014: "2013-35",
    2015: "2014-61",
    2016: "2015-53",
    2017: "2016-55",
    2018: "2018-18",
    2019: "2018-57",
    2020: "2019-44",
    2021: "2020-45",
    2022: "2021-45",
    2023: "2022-38",
    2024: "2023-34",
    2025: "2024-40",
    2026: "2025-32",
}
LATER = {
    2025: " (edges); Public Law 119-21, section 70102 (standard deduction, 15000 before)",
    2026: "; Public Law 119-21, sections 70101 and 70102",
}


def rows():
    """Yield the rows of the table, those of a year and status together."""
    policy = taxcalc.Policy()
    for year, procedure in PROCEDURES.items():
        policy.set_year(year)
        source = f"26 U.S.C. 1{'(j)' if year > 2017 else ''}; Rev. Proc. {procedure}"
        for column, status in enumerate(STATUSES):
            deduction, exemption = policy.STD[0][column], policy.II_em[0]
            edge = 0.0
            for bracket in range(1, 8):
                rate = float(getattr(policy, f"II_rt{bracket}")[0])
                amounts = [f"{edge:.0f}", f"{rate:.3f}".rstrip("0"), f"{deduction:.0f}", f"{exemption:.0f}"]
                yield [year, status, bracket, *amounts, source + LATER.get(year, "")]
                edge = float(getattr(policy, f"II_brk{bracket}")[0][column])


if __name__ == "__main__":
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        names = ["year", "filing_status", "bracket", "lower_edge_usd", "rate", "standard_deduction_usd"]
        out.writerow([*names, "personal_exemption_usd", "legal_source"])
        out.writerows(rows())
