"""Patches of volumes: what numpy slices, whatever lies in the file and by whichever route."""

from __future__ import annotations

import pickle
from pathlib import Path

import datasets
import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

import hf_h5
from hf_h5 import H5TorchView
from hf_h5.errors import H5Error, OptionError

SHAPE = (12, 10, 9)


def write_volume(file: Path, shape=SHAPE, dtype: str = "<f4", **storage) -> np.ndarray:
    """Write a volume whose every value is another one, a mask of it, and the depth of each slice."""
    raw = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    with h5py.File(file, "w") as handle:
        handle.create_dataset("raw", data=raw, **storage)
        handle.create_dataset("mask", data=raw % 3 == 0, **storage)
        handle["depth"] = np.arange(shape[0]) / 2
    return raw


def slices(corner, shape) -> tuple[slice, ...]:
    return tuple(slice(at, at + size) for at, size in zip(corner, shape, strict=True))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    patch=st.tuples(*[st.integers(2, 7)] * 3),
    stride=st.tuples(*[st.integers(2, 8)] * 3),
    pad=st.sampled_from(["edge", "zero", None]),
    chunk=st.one_of(st.none(), st.tuples(*[st.integers(1, 8)] * 3)),
    gzip=st.booleans(),
    route=st.sampled_from(["auto", "h5py"]),
    dtype=st.sampled_from(["<f4", ">i2", "u1"]),
    data=st.data(),
)
def test_patches_are_what_numpy_slices(
    tmp_path: Path, patch, stride, pad, chunk, gzip: bool, route: str, dtype: str, data
) -> None:
    storage = {"chunks": chunk, "compression": "gzip" if gzip else None} if chunk else {}
    raw = write_volume(tmp_path / "x.h5", dtype=dtype, **storage)
    arguments = {
        "patch": (patch, stride),
        "pad": pad,
        "route": route,
        "cache_bytes": data.draw(st.sampled_from([0, 9999])),
    }
    reach = [(0, size) for size in patch]
    padded = {"edge": np.pad(raw, reach, mode="edge"), "zero": np.pad(raw, reach), None: raw}[pad]
    with H5TorchView(tmp_path / "x.h5", **arguments).with_format("numpy", dtype=None) as view:
        rows = data.draw(st.lists(st.integers(0, len(view) - 1), min_size=1, max_size=8))
        found = view[rows]
        for number, corner in enumerate(found["position"].tolist()):
            expected = padded[slices(corner, patch)]
            np.testing.assert_array_equal(found["raw"][number], expected)
            inside = tuple(slice(0, size - at) for size, at in zip(SHAPE, corner, strict=True))
            np.testing.assert_array_equal(found["mask"][number][inside], expected[inside] % 3 == 0)
            assert found["depth"][number][0] == corner[0] / 2
        every = {tuple(corner) for corner in view[:]["position"].tolist()}
        assert len(every) == len(view)
        np.testing.assert_array_equal(view[rows[0]]["raw"], found["raw"][0])


def test_patches_cover_the_volume(tmp_path: Path) -> None:
    raw = write_volume(tmp_path / "x.h5", chunks=(4, 5, 3))
    with H5TorchView(tmp_path / "x.h5", patch=(4, 5, 3)).with_format("numpy", dtype=None) as view:
        rebuilt = np.zeros_like(raw)
        for batch in view.iter(7):
            for corner, values in zip(batch["position"].tolist(), batch["raw"], strict=True):
                rebuilt[slices(corner, (4, 5, 3))] += values
    np.testing.assert_array_equal(rebuilt, raw)


def test_images_are_cut_along_their_sides_and_keep_their_colours(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 12, 3), np.uint8)
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle.create_dataset("images", data=images, chunks=(1, 8, 8, 3), compression="gzip")
        handle["labels"] = np.arange(5)
    with H5TorchView(tmp_path / "x.h5", patch=(1, 8, 6)).with_format("torch", dtype=None) as view:
        assert len(view) == 5 * 2 * 2
        row = view[6]
        number, top, left = row["position"].tolist()
        assert row["images"].shape == (1, 8, 6, 3)
        np.testing.assert_array_equal(row["images"][0], images[number, top : top + 8, left : left + 6])
        assert row["labels"].tolist() == [number]


def test_the_cached_mode_has_the_same_patches(tmp_path: Path) -> None:
    write_volume(tmp_path / "x.h5")
    with H5TorchView(tmp_path / "x.h5", patch=(5, 4, 4), pad="edge") as view:
        cached = view.to_dataset(cache_dir=tmp_path / "cache")
        assert cached.features == view.features
        assert len(cached) == len(view)
        for row in (0, 7, len(view) - 1):
            for name, values in cached[row].items():
                torch.testing.assert_close(values, view[row][name])
        other = H5TorchView(tmp_path / "x.h5", patch=(5, 4, 4), pad="zero").to_dataset(cache_dir=tmp_path / "cache")
        assert other[-1]["raw"][-1, -1, -1] == 0


def test_volumes_of_several_parts_and_splits_of_their_slices(tmp_path: Path) -> None:
    raws = []
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        for number, depth in enumerate([4, 7, 2]):
            raws.append(100 * number + np.arange(depth * 6).reshape(depth, 6))
            handle[f"volume_{number}/raw"] = raws[-1]
    with H5TorchView(tmp_path / "x.h5", layout="steps", patch=(3, 3)).with_format("numpy") as view:
        assert view[:]["episode_index"].tolist() == [0, 0, 1, 1, 1, 1]
        assert view[:]["position"].tolist() == [[0, 0], [0, 3], [0, 0], [0, 3], [3, 0], [3, 3]]
        np.testing.assert_array_equal(view[5]["raw"], raws[1][3:6, 3:6])
        assert view[4]["step_index"] == 3
        assert "patch: (3, 3); 1 of 3 volumes are too small for one" in repr(view)
    options = {"layout": "steps", "split": "train[5:11]", "patch": (2, 6)}
    with H5TorchView(tmp_path / "x.h5", **options).with_format("numpy") as view:
        assert view[:]["position"].tolist() == [[1, 0], [3, 0], [5, 0]]
        np.testing.assert_array_equal(view[:]["raw"], np.stack([raws[1][at : at + 2] for at in (1, 3, 5)]))


@pytest.mark.parametrize("storage", [{}, {"chunks": (2, 3, 4), "compression": "gzip"}], ids=["contiguous", "gzip"])
@pytest.mark.parametrize("pad", ["edge", None])
def test_volumes_of_several_sizes_are_cut_each_on_its_own(tmp_path: Path, storage, pad) -> None:
    raws = []
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        for number, shape in enumerate([(4, 6, 8), (5, 9, 7), (3, 5, 8)]):
            raws.append((1000 * number + np.arange(np.prod(shape))).reshape(shape))
            handle.create_dataset(f"volume_{number}/raw", data=raws[-1], **storage)
            handle[f"volume_{number}/z"] = np.arange(shape[0]) / 2
            handle[f"volume_{number}/flag"] = np.zeros(shape, bool)
    options = {"layout": "steps", "patch": (3, 4, 4), "pad": pad}
    with H5TorchView(tmp_path / "x.h5", **options).with_format("numpy", dtype=None) as view:
        assert view.features["raw"].shape == (3, 4, 4)
        assert len(view) == (2 * 2 * 2 + 2 * 3 * 2 + 2 * 2 if pad else 2 + 2 + 2)
        for batch in view.iter(5):
            for row, (volume, corner) in enumerate(
                zip(batch["episode_index"], batch["position"].tolist(), strict=True)
            ):
                padded = np.pad(raws[volume], 3, mode="edge")[3:, 3:, 3:] if pad else raws[volume]
                np.testing.assert_array_equal(batch["raw"][row], padded[slices(corner, (3, 4, 4))])
                assert batch["z"][row][0] == corner[0] / 2
        dataset = view.to_dataset(keep_in_memory=True)
        assert dataset.features == view.features


@pytest.mark.parametrize("axis", [1, 2])
def test_patches_along_another_axis_begin_with_it(tmp_path: Path, axis: int) -> None:
    raw = np.arange(4 * 6 * 8).reshape(4, 6, 8)
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle.create_dataset("raw", data=raw, chunks=(3, 2, 5), compression="gzip")
    turned = np.moveaxis(raw, axis, 0)
    for route in ("auto", "h5py"):
        with H5TorchView(tmp_path / "x.h5", axis=axis, patch=(3, 2), route=route).with_format("numpy") as view:
            for row in range(len(view)):
                found = view[row]
                np.testing.assert_array_equal(found["raw"], turned[slices(found["position"], (3, 2))])


def test_only_chunks_that_a_patch_touches_are_read(tmp_path: Path, decoded: list[bytes]) -> None:
    write_volume(tmp_path / "x.h5", (32, 32, 32), chunks=(8, 8, 8), compression="gzip")
    with H5TorchView(tmp_path / "x.h5", patch=(8, 8, 8), columns=["raw"], cache_bytes=0) as view:
        view[[0]]
        decoded.clear()
        view[5]
        assert len(decoded) == 1
    with H5TorchView(tmp_path / "x.h5", patch=((8, 8, 8), (4, 8, 8)), columns=["raw"], cache_bytes=0) as view:
        places = view[:]["position"].tolist()
        decoded.clear()
        view[[places.index([0, 8, 8]), places.index([4, 8, 8]), places.index([8, 8, 8])]]
        assert len(decoded) == 2


@pytest.mark.parametrize(
    ("patch", "chunk", "most"),
    [((4, 4, 4), (8, 8, 8), 1.01), ((16, 8, 8), (8, 8, 8), 1.01), ((6, 6, 6), (8, 8, 8), 2.2)],
)
def test_a_shuffled_epoch_decodes_each_chunk_about_once(
    tmp_path: Path, decoded: list[bytes], patch, chunk, most: float
) -> None:
    raw = np.random.default_rng(0).integers(0, 9, (48, 48, 48)).astype("<i4")
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle.create_dataset("raw", data=raw, chunks=chunk, compression="gzip")
    with H5TorchView(tmp_path / "x.h5", patch=patch, cache_bytes=0).with_format("numpy", dtype=None) as view:
        view[0]
        decoded.clear()
        found = 0
        for batch in view.loader(5, shuffle=True, shuffle_bytes="200kB"):
            for corner, values in zip(batch["position"].tolist(), batch["raw"], strict=True):
                np.testing.assert_array_equal(values, raw[slices(corner, patch)])
                found += 1
        assert found == len(view)
    assert len(decoded) / 6**3 <= most


def test_workers_of_a_data_loader_read_patches(tmp_path: Path) -> None:
    raw = write_volume(tmp_path / "x.h5", chunks=(4, 5, 9), compression="gzip")
    view = H5TorchView(tmp_path / "x.h5", patch=(4, 5, 9))
    loader = DataLoader(view, batch_size=2, num_workers=2, collate_fn=hf_h5.collate, multiprocessing_context="fork")
    total = sum(float(batch["raw"].sum()) for batch in loader)
    assert total == raw.sum()
    assert pickle.loads(pickle.dumps(view))[1]["position"].tolist() == [0, 5, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch": 4}, "patch=4 is no shape"),
        ({"patch": (4, 0, 4)}, "is no shape"),
        ({"patch": ((4, 4), (2,))}, "a stride of as many axes"),
        ({"patch": (4, 4, 4), "window": 3}, "window= and patch= were both given"),
        ({"patch": (13, 4, 4)}, r"patch=\(13, 4, 4\) is larger than the volume, which is \(12, 10, 9\).*x.h5::/raw"),
        ({"patch": (4, 4, 4, 4)}, "patch= has 4 axes, and no column has rows of 3"),
        ({"patch": (4, 4, 4), "columns": ["depth"]}, "patch= has 3 axes"),
    ],
)
def test_wrong_patches_are_refused(tmp_path: Path, options, message: str) -> None:
    write_volume(tmp_path / "x.h5")
    with pytest.raises(OptionError, match=message):
        H5TorchView(tmp_path / "x.h5", **options)


def test_columns_that_cannot_be_cut_are_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["raw"] = np.zeros((4, 6, 6))
        handle["pose"] = np.zeros((4, 7))
        handle["name"] = ["a", "b", "c", "d"]
    with pytest.raises(OptionError, match=r"column 'name' is .*no numbers of one shape"):
        H5TorchView(tmp_path / "x.h5", patch=(2, 2))
    with pytest.raises(OptionError, match=r"'pose' has rows of shape \(7,\), and the volume has the sides \(6,\)"):
        H5TorchView(tmp_path / "x.h5", patch=(2, 2), columns=["raw", "pose"])
    with H5TorchView(tmp_path / "x.h5", patch=(2, 2), columns=["raw"]) as view:
        assert "patch: (2, 2)" in repr(view)


def test_positions_of_a_dataset_are_rows_as_it_shows_them(tmp_path: Path) -> None:
    raw = np.arange(12 * 6, dtype=np.float32).reshape(12, 6)
    dataset = datasets.Dataset.from_dict(
        {"raw": raw}, datasets.Features({"raw": datasets.List(datasets.Value("float32"), 6)})
    )
    chosen = dataset.select([6, 7, 8, 9, 1, 2, 3, 0])
    shown = np.array(chosen["raw"][:])
    view = H5TorchView.from_dataset(chosen, patch=((2, 3), (1, 3))).with_format("numpy", dtype=None)
    found = view[:]
    assert sorted(set(found["position"][:, 0].tolist())) == [0, 1, 2, 4, 5]
    for corner, values in zip(found["position"].tolist(), found["raw"], strict=True):
        np.testing.assert_array_equal(values, shown[slices(corner, (2, 3))])
    again = H5TorchView.from_dataset(dataset.select([6, 7, 8, 9]), patch=(2, 6))
    assert again[:]["position"].tolist() == [[0, 0], [2, 0]]


def test_a_closed_view_reads_no_patches(tmp_path: Path) -> None:
    write_volume(tmp_path / "x.h5")
    view = H5TorchView(tmp_path / "x.h5", patch=(4, 4, 4))
    view.close()
    with pytest.raises(H5Error, match="closed"):
        view[0]
