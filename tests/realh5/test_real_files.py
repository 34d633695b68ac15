"""Real files of other hands: both modes give h5py's values, or say by name what they do not read."""

from __future__ import annotations

from pathlib import Path

import datasets
import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.assemble.arrow import table_features
from tests.realh5.parity import assert_modes_agree, assert_reads_as_h5py, quiet

# What each holds, as h5py shows it: rows, and the path of every column.
WHOLE_TABLES = {
    "altitude_grid.h5": (2160, ["Altitude"]),
    "caffe_sample.h5": (10, ["data", "label", "label2"]),
    "caffe_sample_gzip.h5": (10, ["data", "label", "label2"]),
    "d4rl_trajectories.hdf5": (20000, ["actions", "next_observations", "observations", "rewards", "terminals"]),
    "gesture.h5": (3080, ["angles", "confidence", "landmarks", "timestamps"]),
    "proteins_vlen_str.h5": (6180, ["sequences"]),
}
# Rows of each split of the others, and a part of the warning where something is not among the rows.
TABLES: dict[str, tuple[dict[str, int], str | None]] = {
    "anndata_0_7_8.h5ad": ({"train": 30}, "raw/"),
    "car_racing_episodes.h5": ({"train": 5}, None),
    "cats_test.h5": ({"train": 50}, "list_classes"),
    "cats_train.h5": ({"train": 209}, None),
    "cloud_top_height.nc": ({"train": 300}, "x_image_bounds"),
    "code_posneg.h5": ({"train": 2606, "validation": 60, "test": 262}, None),
    "force_torque_train.h5": ({"train": 19069}, "mean_X"),
    "genome_scores_f16.h5": ({"train": 1024}, "percentiles"),
    "isaaclab_demos.hdf5": ({"train": 10}, None),
    "matlab_cell.mat": ({"train": 4}, None),
    "matlab_simple.mat": ({"train": 1}, None),
    "matlab_string.mat": ({"train": 2}, "simple_string"),
    "nwb_2_2.nwb": ({"train": 1}, "specifications"),
    "pandas_fixed_traffic.h5": ({"train": 4133}, None),
    "pandas_store.h5": ({"train": 8}, None),
    "pbmc68k_reduced.h5ad": ({"train": 700}, "raw/var"),
    "radiosonde_compound.h5": ({"train": 97}, None),
    "rooms_groups.hdf5": ({"train": 5}, None),
    "sleap_analysis.h5": ({"train": 3000}, "node_names"),
    "soil_moisture.nc": ({"train": 3164}, None),
    "tenx_v3_matrix.h5": ({"train": 1107}, "features"),
    "weather_feb.nc4": ({"train": 28}, "lat"),
    "weather_jan.nc4": ({"train": 31}, "lat"),
}


@pytest.mark.parametrize("name", WHOLE_TABLES)
def test_direct_mode_gives_every_value_of_h5py(realh5: Path, name: str) -> None:
    n_rows, columns = WHOLE_TABLES[name]
    with h5py.File(realh5 / name) as handle, hf_h5.H5TorchView(realh5 / name) as view:
        assert len(view) == n_rows
        assert sorted(view.column_names) == columns
        batches = view.with_format("numpy", dtype=None)
        for start in range(0, n_rows, 500):
            rows = slice(start, start + 500)
            found = batches[rows]
            for column in columns:
                assert_is(found[column], handle[column], rows)


@pytest.mark.parametrize("name", WHOLE_TABLES)
def test_cached_mode_gives_every_value_of_h5py(realh5: Path, name: str, tmp_path: Path) -> None:
    n_rows, columns = WHOLE_TABLES[name]
    loaded = datasets.load_dataset("hf_h5", data_files=str(realh5 / name), split="train", cache_dir=str(tmp_path))
    batches = loaded.with_format("numpy", dtype=None)
    assert len(loaded) == n_rows
    assert sorted(loaded.column_names) == columns
    with h5py.File(realh5 / name) as handle:
        for start in range(0, n_rows, 500):
            rows = slice(start, start + 500)
            found = batches[rows]
            for column in columns:
                assert_is(found[column], handle[column], rows)


def assert_is(found: object, dataset: h5py.Dataset, rows: slice) -> None:
    """Compare a column of a batch with rows of a dataset, values and types."""
    if h5py.check_string_dtype(dataset.dtype):
        assert list(found) == dataset.asstr()[rows].tolist()  # type: ignore[call-overload]
        return
    expected = dataset[rows]
    assert isinstance(found, np.ndarray)
    assert found.dtype == expected.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", WHOLE_TABLES)
def test_a_whole_table_is_the_same_by_either_route(realh5: Path, name: str) -> None:
    for route in ("auto", "h5py"):
        assert assert_reads_as_h5py(realh5 / name, route=route) == len(WHOLE_TABLES[name][1])


@pytest.mark.parametrize("name", [*WHOLE_TABLES, *TABLES])
def test_both_modes_agree_in_every_format(realh5: Path, name: str, tmp_path: Path) -> None:
    expected, words = TABLES.get(name) or ({"train": WHOLE_TABLES[name][0]}, None)
    with quiet() as said:
        found = assert_modes_agree(realh5 / name, tmp_path)
        schema = hf_h5.describe(realh5 / name)
    assert found == list(expected)
    splits = schema.splits or {"train": schema.table}
    assert {split: table.num_rows for split, table in splits.items() if table} == expected
    assert bool(said) == (words is not None), said
    assert all((words or "") in line for line in said)


@pytest.mark.parametrize("name", TABLES)
def test_the_rows_are_those_of_h5py(realh5: Path, name: str) -> None:
    with quiet():
        assert_reads_as_h5py(realh5 / name, splits=False)


@pytest.mark.parametrize("name", [*WHOLE_TABLES, *TABLES])
def test_every_table_is_what_describe_promised_in_both_modes(realh5: Path, name: str, tmp_path: Path) -> None:
    with quiet():
        for table, promised in hf_h5.describe(realh5 / name, splits=False).tables.items():
            assert assert_modes_agree(realh5 / name, tmp_path, table=table, splits=False) == ["train"]
            with hf_h5.H5TorchView(realh5 / name, table=table, splits=False) as view:
                assert view.num_rows == promised.num_rows
                assert view.column_names == list(promised.columns)
                assert view.features == table_features(promised)


def test_no_real_file_is_left_out(realh5: Path) -> None:
    there = {file.name for file in realh5.iterdir() if file.suffix != ".md"}
    assert there == {*WHOLE_TABLES, *TABLES}
