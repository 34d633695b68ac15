"""The doctor finds what is slow or unsafe in a file, what it costs and what mends it, and chooses a mode."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.cli import main
from hf_h5.errors import MissingFileError, NotHDF5Error, OptionError
from hf_h5.tools.doctor import diagnose
from hf_h5.tools.doctor.facts import ColumnFacts, Diagnosis, Finding, Primitives, TableFacts
from hf_h5.tools.doctor.findings import find_all, of_error
from hf_h5.tools.doctor.predict import amplification, predict
from hf_h5.tools.doctor.verdict import choose_mode
from tests.written import write_h5

RECORDED = json.loads(Path(__file__).with_name("doctor_recorded.json").read_text())
"""Facts and primitives of files of `bench_doctor`, and the speeds that were measured, in seconds of the processor."""

MACHINE = Primitives(threads=2, gain=1.8, copy_bytes_per_s=1e10, call_s=2.5e-7)
PLAIN = ColumnFacts("x", ("/x",), "float32", n_rows=100_000, row_bytes=4000, stored_bytes=400_000_000, mapped=True)
GZIP = replace(
    PLAIN,
    layout="chunked",
    mapped=False,
    chunk_rows=500,
    chunks_per_row=2,
    chunk_bytes=1_000_000,
    n_chunks=400,
    filters=("gzip",),
    stored_bytes=200_000_000,
    decode_s=0.003,
    repacked_s=1e-10,
)


def table(*columns: ColumnFacts, **facts: Any) -> TableFacts:
    given = {"cached_s": 1e-4, "collated_s": 1e-4, "arrow_row_bytes": 4000, "parquet_row_bytes": 3000}
    return TableFacts("a.h5", "train", columns[0].n_rows, columns, **given | facts)


def kinds(found: Diagnosis | list[Finding]) -> dict[str, Finding]:
    return {each.kind: each for each in (found if isinstance(found, list) else found.findings)}


def recorded(name: str) -> tuple[TableFacts, Primitives, dict[str, dict[str, float]]]:
    facts = dict(RECORDED[name]["table"])
    columns = [
        ColumnFacts(**each | {"paths": tuple(each["paths"]), "filters": tuple(each["filters"])})
        for each in facts.pop("columns")
    ]
    plain = {"columns": tuple(columns), "widest": tuple(facts.pop("widest")), "notes": ()}
    return TableFacts(**facts | plain), Primitives(**RECORDED[name]["machine"]), RECORDED[name]["measured"]


@pytest.mark.parametrize("name", [name for name, each in RECORDED.items() if each["set"] == "check"])
def test_a_shuffled_epoch_of_files_that_did_not_calibrate_is_predicted_within_a_factor_of_two(name: str) -> None:
    facts, machine, measured = recorded(name)
    predicted = predict(facts, machine)
    ratios = {mode: predicted[mode]["shuffled"] / rates["shuffled"] for mode, rates in measured.items()}
    assert all(0.5 <= ratios[mode] <= 2 for mode in ("direct", "cached view")), ratios


def test_most_other_predictions_hold_too() -> None:
    ratios = {}
    for name in RECORDED:
        facts, machine, measured = recorded(name)
        predicted = predict(facts, machine)
        for mode, rates in measured.items():
            ratios |= {(name, mode, work): predicted[mode][work] / rate for work, rate in rates.items()}
    wrong = {place: ratio for place, ratio in ratios.items() if not 0.5 <= ratio <= 2}
    assert len(wrong) <= len(ratios) / 10, wrong


def test_more_threads_decode_faster_and_larger_chunks_are_slower_at_random() -> None:
    one = predict(table(GZIP), replace(MACHINE, threads=1, gain=1.0))["direct"]
    two = predict(table(GZIP), MACHINE)["direct"]
    small = predict(table(replace(GZIP, chunk_rows=50, chunk_bytes=100_000, n_chunks=4000, decode_s=0.0003)), MACHINE)
    assert 1.5 < two["shuffled"] / one["shuffled"] < 1.9
    assert 4 < small["direct"]["random"] / two["random"] < 11
    assert two["shuffled"] > 20 * two["random"]


def test_only_tables_whose_columns_are_all_mapped_have_a_mapped_mode() -> None:
    assert "mapped" in predict(table(PLAIN), MACHINE)
    assert "mapped" not in predict(table(PLAIN, GZIP), MACHINE)


def test_amplification_is_what_is_decoded_for_a_byte_of_a_row() -> None:
    assert amplification(GZIP) == 2 * 1_000_000 / 4000
    assert amplification(PLAIN) == 1


def test_plain_bytes_are_read_in_place() -> None:
    verdict = choose_mode(table(PLAIN), predict(table(PLAIN), MACHINE))
    assert verdict.mode == "direct"
    assert "open_dataset" in verdict.why


def test_a_file_of_slow_chunks_is_repacked_or_cached_and_a_small_one_is_left_alone() -> None:
    slow = table(replace(GZIP, decode_s=0.03, n_chunks=400))
    assert choose_mode(slow, predict(slow, MACHINE)).mode == "repack"
    unpackable = table(replace(GZIP, decode_s=0.03, repacked_s=3e-8))
    assert choose_mode(unpackable, predict(unpackable, MACHINE)).mode == "cached"
    huge = replace(unpackable, n_rows=10**8)
    assert choose_mode(huge, predict(huge, MACHINE)).mode == "direct"
    small = table(replace(GZIP, n_rows=1000, n_chunks=4))
    assert "an epoch takes" in choose_mode(small, predict(small, MACHINE)).why


def test_each_finding_has_its_cost_and_what_mends_it() -> None:
    found = kinds(find_all(table(GZIP), MACHINE))
    assert set(found) == {"read-amplification", "split-rows", "slow-filter", "no-checksum", "sizes"}
    assert "4.0 kB, and 2.0 MB are decoded for it (500 times), which takes 6 ms" in found["read-amplification"].cost
    assert "at 333.3 MB/s by one thread; as lz4 10.0 GB/s" in found["slow-filter"].cost
    assert "667 ms of decoding on 2 threads" in found["slow-filter"].cost
    assert found["slow-filter"].mend == "hf-h5 repack a.h5 repacked.h5 --for training"
    assert "400.0 MB decoded, about 400.0 MB in the cache (Arrow) and 300.0 MB in Parquet" in found["sizes"].cost


@pytest.mark.parametrize(
    ("kind", "column", "facts", "says"),
    [
        ("tiny-chunks", replace(GZIP, chunk_bytes=400, n_chunks=10**6), {}, "1,000,000 chunks of 400 B"),
        ("never-written", replace(GZIP, n_unallocated=100), {}, "100 of 400 chunks of x were never written"),
        ("through-the-library", replace(PLAIN, route="it holds bfloat16", read_s=1e-3), {}, "1 ms a row"),
        ("byte-order", replace(PLAIN, dtype="float32 big-endian"), {}, "40 ms an epoch"),
        ("wide-group", PLAIN, {"widest": ("/data", 200_000)}, "/data has 200,000 links"),
        ("many-parts", replace(PLAIN, layout="made", read_s=1e-3), {"parts": 50}, "50 groups or files"),
        ("outside", PLAIN, {"notes": (("/y", "the external link to 'b.h5' leads nowhere"),)}, "leads nowhere"),
    ],
)
def test_what_is_wrong_is_found(kind: str, column: ColumnFacts, facts: dict[str, Any], says: str) -> None:
    found = kinds(find_all(table(column, **facts), MACHINE))
    assert says in found[kind].cost
    assert found[kind].mend
    assert kind not in kinds(find_all(table(PLAIN), MACHINE))


def test_a_checksum_in_the_file_is_seen() -> None:
    assert "no-checksum" not in kinds(find_all(table(replace(GZIP, filters=("gzip", "fletcher32"))), MACHINE))


def test_facts_are_those_of_the_file(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 4, (1000, 64)).astype("f4")
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["plain"] = np.arange(1000)
        handle.create_dataset("x", data=values, chunks=(100, 16), compression="gzip", shuffle=True, fletcher32=True)
        part = handle.create_dataset("part", (1000, 64), "f4", chunks=(100, 64))
        part[:300] = values[:300]
        handle["text"] = [f"row {row}" for row in range(1000)]
    found = diagnose(tmp_path / "x.h5")
    assert found.table is not None
    columns = {column.name: column for column in found.table.columns}
    x = columns["x"]
    assert (x.layout, x.chunk_rows, x.chunks_per_row, x.chunk_bytes, x.n_chunks) == ("chunked", 100, 4, 6400, 40)
    assert x.decode_s > 0 < x.repacked_s
    assert columns["part"].n_unallocated == 7
    assert (columns["plain"].mapped, columns["text"].layout, columns["text"].fixed) == (True, "made", False)
    assert set(found.predicted) == {"direct", "repacked", "cached", "cached view"}
    assert all(rate > 0 for rates in found.predicted.values() for rate in rates.values())
    assert {"never-written", "no-checksum", "sizes"} <= set(kinds(found))
    assert found.verdict is not None


@pytest.mark.parametrize("layout", ["episodes", "steps"])
def test_rows_of_many_groups_are_measured_as_they_are_read(tmp_path: Path, layout: str) -> None:
    write_h5(tmp_path / "x.h5", {f"demo_{number}/a": np.zeros((5 + number, 2)) for number in range(4)})
    found = diagnose(tmp_path / "x.h5", layout=layout)
    assert found.table is not None
    assert found.table.parts == 4
    assert found.predicted["direct"]["shuffled"] > 0


def test_a_filter_that_is_not_there_is_broken_and_says_what_to_install(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((10,))
        plist.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, (1,))
        space = h5py.h5s.create_simple((100,))
        h5py.h5d.create(handle.id, b"x", h5py.h5t.NATIVE_INT32, space, plist)
    found = diagnose(tmp_path / "x.h5")
    assert (found.table, found.verdict) == (None, None)
    assert (found.findings[0].kind, found.findings[0].weight) == ("missing-filter", "broken")
    assert "hdf5plugin" in found.findings[0].mend


def test_a_file_that_leads_outside_is_broken_and_says_what_would_let_it(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["x"] = np.arange(10)
        handle["y"] = h5py.ExternalLink("other.h5", "/y")
    finding = kinds(diagnose(tmp_path / "x.h5"))["outside"]
    assert (finding.weight, "allow_external" in finding.mend) == ("broken", True)


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        ("the HDF5 library cannot open the file: unable to lock file, errno = 11", "locked"),
        ("the HDF5 library cannot open the file: bad block", "unreadable"),
        ("a virtual dataset over other files is refused", "outside"),
    ],
)
def test_what_keeps_a_file_from_being_read_is_named(problem: str, kind: str) -> None:
    assert of_error(problem, None, None).kind == kind


def test_an_intact_file_without_datasets_is_not_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.h5"
    with h5py.File(file, "w") as handle:
        handle.create_group("settings").attrs["seed"] = 3
    found = diagnose(file)
    assert [(finding.kind, finding.weight) for finding in found.findings] == [("no-rows", "note")]
    assert main(["doctor", str(file)]) == 0
    assert "broken" not in capsys.readouterr().out
    assert main(["doctor", str(file), "--quiet"]) == 0
    assert capsys.readouterr().out == f"{file}: no rows\n"


def test_no_rows_is_broken_and_no_file_is_an_error(tmp_path: Path) -> None:
    write_h5(tmp_path / "x.h5", {"x": np.zeros((0, 3))})
    assert diagnose(tmp_path / "x.h5").findings[0].weight == "broken"
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(MissingFileError):
        diagnose(tmp_path / "absent.h5")
    with pytest.raises(NotHDF5Error):
        diagnose(tmp_path / "text.h5")
    with pytest.raises(OptionError, match="isolate"):
        diagnose(tmp_path / "x.h5", isolate=True)


@pytest.mark.filterwarnings("ignore::hf_h5.errors.H5Warning")
@pytest.mark.parametrize("name", ["nwb_2_2.nwb", "pbmc68k_reduced.h5ad", "matlab_simple.mat", "pandas_store.h5"])
def test_real_files_have_a_verdict(realh5: Path, name: str) -> None:
    found = diagnose(realh5 / name)
    assert found.verdict is not None
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_command_prints_the_verdict_and_its_exit_code_tells_of_broken_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_h5(tmp_path / "x.h5", {"x": np.zeros((100, 3))})
    empty = write_h5(tmp_path / "y.h5", {"x": np.zeros((0, 3))})
    assert main(["doctor", str(file)]) == 0
    out = capsys.readouterr().out
    assert "verdict: direct: " in out
    assert "predicted rows/s" in out
    assert main(["doctor", str(file), str(empty), "--json"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["verdict"] and line["verdict"]["mode"] for line in lines] == ["direct", None]
    assert main(["doctor", str(file), "--quiet"]) == 0
    assert capsys.readouterr().out == f"{file}: direct\n"
    assert main(["doctor", str(tmp_path / "absent.h5"), str(file)]) == 2
    captured = capsys.readouterr()
    assert "MissingFileError" in captured.err
    assert "verdict" in captured.out


def test_rows_in_any_order_are_judged_as_load_judges_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_h5.modes.choose._QUICK_BATCH_S", 0.0)
    monkeypatch.setattr("hf_h5.modes.measure._KEPT_BYTES", 0)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    write_h5(tmp_path / "plain.h5", {"x": np.zeros((100, 3))})
    with h5py.File(tmp_path / "packed.h5", "w") as out:
        out.create_dataset("x", data=np.zeros((256, 8, 8), "u1"), chunks=(64, 8, 8), compression="gzip")
    for name, mode in (("plain.h5", "mapped"), ("packed.h5", "cached")):
        file = str(tmp_path / name)
        assert main(["doctor", file]) == 0
        assert f"\nrows in any order: {mode}: " in capsys.readouterr().out
        hf_h5.load(file)
        assert f"hf_h5.load: {mode}, as " in capsys.readouterr().err


def test_the_page_has_verdict_findings_and_what_is_in_the_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a<b>.h5", "w") as out:
        out.create_dataset("x", data=np.zeros((256, 8, 8), "u1"), chunks=(256, 8, 8), compression="gzip")
    page = tmp_path / "page.html"
    assert main(["doctor", str(tmp_path / "a<b>.h5"), "--html", str(page)]) == 0
    text = page.read_text()
    assert text.index("<h2>Verdict</h2>") < text.index("<h2>Findings</h2>") < text.index("<h2>What is in it</h2>")
    assert "a&lt;b&gt;.h5" in text
    assert "a<b>" not in text
    assert main(["doctor", str(tmp_path / "a<b>.h5"), "--html", str(tmp_path)]) == 2
