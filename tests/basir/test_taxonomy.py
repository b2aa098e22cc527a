"""The taxonomy: names, aliases, encoding, errors that name the nearest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fisc.basir import Sector, Taxonomy
from fisc.data import DataError, OptionError, load_sectors


def test_default_has_the_81_sectors_in_order() -> None:
    taxonomy = Taxonomy.default()
    assert taxonomy.names == load_sectors()["sector"].tolist()
    assert len(taxonomy) == 81
    assert all(len(s.keywords) >= 4 and len(s.aliases) >= 5 and s.description for s in taxonomy.sectors)


def test_aliases_name_no_unknown_sector_and_weak_hints_lose_their_mark() -> None:
    phrases = {p: kind for s in Taxonomy.default().sectors for p, kind in s.phrases()}
    assert not any(p.endswith("?") for p in phrases)
    assert phrases["power"] == "weak"
    assert phrases["cement"] == "keyword"


def test_canonical_knows_other_names_whatever_case_and_punctuation() -> None:
    taxonomy = Taxonomy.default()
    assert taxonomy.canonical("castings forgings and fastners") == "Castings, Forgings & Fasteners"
    assert taxonomy.canonical("STEEL") == "Steel"


def test_unknown_label_names_the_nearest() -> None:
    with pytest.raises(OptionError, match=r"'Fertiliser'.*did you mean 'Fertilizers'"):
        Taxonomy.default().canonical("Fertiliser")


def test_encode_and_decode_are_inverse() -> None:
    taxonomy = Taxonomy.default()
    rows = [["Steel", "Cement"], [], ["Tyres"]]
    matrix = taxonomy.encode(rows)
    assert matrix.shape == (3, 81)
    assert matrix.sum() == 3
    assert [set(r) for r in taxonomy.decode(matrix)] == [set(r) for r in rows]


def test_encode_refuses_a_bare_string() -> None:
    with pytest.raises(DataError, match=r"labels\[0\] is 'Steel'; expected a list"):
        Taxonomy.default().encode(["Steel"])


def test_round_trip_through_a_dictionary_keeps_the_fingerprint() -> None:
    taxonomy = Taxonomy.default()
    again = Taxonomy.from_dict(taxonomy.to_dict())
    assert again == taxonomy
    assert again.fingerprint == taxonomy.fingerprint


def test_round_trip_through_a_csv(tmp_path) -> None:
    path = tmp_path / "own.csv"
    Taxonomy.default().to_frame().to_csv(path, index=False)
    assert Taxonomy.read(path).sectors == Taxonomy.default().sectors


@pytest.mark.parametrize(("level", "number"), [("macro", 12), ("sector", 22), ("industry", 59)])
def test_nse_levels(level: str, number: int) -> None:
    taxonomy = Taxonomy.nse(level)
    assert len(taxonomy) == number
    assert np.all([len(s.phrases()) >= 1 for s in taxonomy.sectors])


def test_bad_tables_are_explained(tmp_path) -> None:
    with pytest.raises(DataError, match="needs a column 'sector'; this one has name"):
        Taxonomy.from_frame(pd.DataFrame({"name": ["A"]}))
    with pytest.raises(DataError, match="given twice: A"):
        Taxonomy((Sector("A"), Sector("A")))
    with pytest.raises(DataError, match="at least one sector"):
        Taxonomy(())
    with pytest.raises(DataError, match="there is no taxonomy file"):
        Taxonomy.read(tmp_path / "absent.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match="cannot be read as a CSV"):
        Taxonomy.read(tmp_path / "empty.csv")
