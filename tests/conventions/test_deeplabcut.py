"""DeepLabCut keeps poses in pandas frames with three or four levels of columns: each body part's x is a column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hf_h5

pd = pytest.importorskip("pandas")
pytest.importorskip("tables")

LEVELS = {
    "single": (["DLC_resnet50"], ["nose", "tail"], ["x", "y", "likelihood"]),
    "multi": (["DLC_dlcrnet"], ["mouse1", "mouse2"], ["nose", "tail"], ["x", "y", "likelihood"]),
}
NAMES = {"single": ["scorer", "bodyparts", "coords"], "multi": ["scorer", "individuals", "bodyparts", "coords"]}


@pytest.mark.parametrize("animals", LEVELS)
@pytest.mark.parametrize("kind", ["table", "fixed"])
def test_predictions_have_a_column_for_each_coordinate(tmp_path: Path, animals: str, kind: str) -> None:
    columns = pd.MultiIndex.from_product(LEVELS[animals], names=NAMES[animals])
    frame = pd.DataFrame(np.random.default_rng(0).random((50, len(columns))), columns=columns)
    frame.to_hdf(tmp_path / "video.h5", key="df_with_missing", mode="w", format=kind)
    with hf_h5.open_table(tmp_path / "video.h5") as table:
        found = table.read(slice(None))
    assert list(found) == ["index", *("/".join(levels) for levels in columns)]
    for levels in columns:
        assert found["/".join(levels)].tolist() == frame[levels].tolist()


def test_labels_have_the_image_of_each_row(tmp_path: Path) -> None:
    columns = pd.MultiIndex.from_product([["Ann"], ["nose", "tail"], ["x", "y"]], names=NAMES["single"])
    index = pd.MultiIndex.from_tuples([("labeled-data", "video", f"img{number:03}.png") for number in range(9)])
    frame = pd.DataFrame(np.random.default_rng(0).random((9, 4)), columns=columns, index=index)
    frame.iloc[2:4, :2] = np.nan
    frame.to_hdf(tmp_path / "CollectedData_Ann.h5", key="df_with_missing", mode="w")
    with hf_h5.H5TorchView(tmp_path / "CollectedData_Ann.h5") as view:
        rows = view.with_format("numpy", dtype=None)[:]
    np.testing.assert_array_equal(rows["Ann/nose/x"], frame[("Ann", "nose", "x")])
    images = [name for name in rows if rows[name][0] == "img000.png"]
    assert [rows[name].tolist() for name in images] == [[name for _, _, name in index]]
