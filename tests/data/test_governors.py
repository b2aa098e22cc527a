"""Elections of governors: the checksum, the forms of the file, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fisc.data import (
    CorruptFileError,
    DataError,
    OfflineError,
    load_governor_elections,
    load_governor_incomes,
)

NAMES = ["election_year", "state", "fips", "democratic_raw_votes", "republican_raw_votes"]


def small() -> pd.DataFrame:
    rows = [
        (1950.0, "ME", "23001", 60.0, 40.0),
        (1950.0, "ME", "23003", 0.0, 9.0),
        (1930.0, "ME", "23001", 6.0, 4.0),
    ]
    return pd.DataFrame(rows, columns=NAMES).assign(election_type=["G", "G", "G"])


def test_a_copy_of_the_file_passes_its_checksum_in_any_order_of_rows(shared: Path, tmp_path: Path) -> None:
    file = shared / "data" / "elections" / "gov_county_1940_2018.parquet"
    whole = load_governor_elections(file)
    assert whole.shape == (70492, 5)
    pd.read_parquet(file).sample(frac=1.0, random_state=0).to_csv(tmp_path / "again.csv.gz", index=False)
    pd.testing.assert_frame_equal(whole, load_governor_elections(tmp_path / "again.csv.gz"))


def test_another_table_is_refused_unless_any_version_is_asked_for(tmp_path: Path) -> None:
    small().to_csv(tmp_path / "small.csv", index=False)
    with pytest.raises(CorruptFileError, match="any_version"):
        load_governor_elections(tmp_path / "small.csv")
    kept = load_governor_elections(tmp_path / "small.csv", any_version=True)
    assert kept.to_numpy().tolist() == [[1950, "ME", 23001, 60, 40]]


def test_an_r_workspace_is_read(tmp_path: Path) -> None:
    rdata = pytest.importorskip("rdata")
    plain = small().astype({"state": object, "fips": object, "election_type": object})
    plain.columns = plain.columns.astype(object)
    rdata.write_rda(tmp_path / "small.RData", {"gov_elections_release": plain})
    assert len(load_governor_elections(tmp_path / "small.RData", any_version=True)) == 1


def test_without_network_or_columns_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FISC_OFFLINE", "1")
    with pytest.raises(OfflineError, match="path="):
        load_governor_elections()
    small().drop(columns="fips").to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(DataError, match="county_fips"):
        load_governor_elections(tmp_path / "x.csv")
    with pytest.raises(DataError, match="no file"):
        load_governor_elections(tmp_path / "none.csv")


def test_percentiles_ascend_and_a_governor_serves_after_the_election() -> None:
    table = load_governor_incomes()
    curves = table[[f"q{k:02d}" for k in range(1, 100)]].to_numpy()
    assert (np.diff(curves, axis=1) >= 0.0).all()
    assert ((table["year"] - table["election_year"]).between(1, 4)).all()
    assert table.groupby(["state", "election_year"])["margin"].nunique().eq(1).all()
