"""Windows of rows: what numpy's sliding windows give, episode by episode."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from datasets import ClassLabel, Features, Image, Value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from torch.utils.data import DataLoader

import hf_h5
from hf_h5 import H5TorchView
from hf_h5.errors import OptionError

STORAGES = {
    "contiguous": {},
    "gzip": {"chunks": (4, 2), "compression": "gzip", "maxshape": (None, 3)},
    "chunks": {"chunks": (3, 3), "maxshape": (None, 3)},
}


def write_episodes(file: Path, lengths: list[int], **storage) -> list[np.ndarray]:
    """Write one group per episode; value ``1000 * episode + step`` in three columns of ``x``."""
    episodes = []
    with h5py.File(file, "w") as handle:
        for number, length in enumerate(lengths):
            steps = 1000 * number + np.arange(length)
            episodes.append((steps[:, np.newaxis] + np.array([0, 0.25, 0.5])).astype("<f4"))
            group = handle.create_group(f"data/demo_{number}")
            group.create_dataset("x", data=episodes[-1], **storage)
            group.create_dataset("action", data=steps)
    return episodes


def windows_of(rows: np.ndarray, length: int, stride: int, pad: str | None) -> np.ndarray:
    """The windows of one episode, by numpy."""
    if pad is not None:
        width = [(0, length - 1)] + [(0, 0)] * (rows.ndim - 1)
        rows = np.pad(rows, width, mode="edge") if pad == "edge" else np.pad(rows, width)
    if len(rows) < length:
        return np.empty((0, length, *rows.shape[1:]), rows.dtype)
    return np.moveaxis(sliding_window_view(rows, length, axis=0), -1, 1)[::stride]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(1, 12), min_size=3, max_size=5, unique=True),
    length=st.integers(1, 9),
    stride=st.integers(1, 5),
    pad=st.sampled_from(["edge", "zero", None]),
    storage=st.sampled_from(sorted(STORAGES)),
    route=st.sampled_from(["auto", "h5py"]),
    data=st.data(),
)
def test_windows_of_steps_are_numpys_and_never_cross_an_episode(
    tmp_path: Path, lengths, length: int, stride: int, pad, storage: str, route: str, data
) -> None:
    episodes = write_episodes(tmp_path / "x.h5", lengths, **STORAGES[storage])
    expected = [windows_of(rows, length, stride, pad) for rows in episodes]
    joined = np.concatenate(expected)
    arguments = {"layout": "steps", "window": (length, stride), "pad": pad, "route": route}
    if not len(joined):
        with pytest.raises(OptionError, match=f"the longest has {max(lengths)}"):
            H5TorchView(tmp_path / "x.h5", **arguments)
        return
    with H5TorchView(tmp_path / "x.h5", **arguments).with_format("numpy", dtype=None) as view:
        assert len(view) == len(joined)
        rows = data.draw(st.lists(st.integers(0, len(joined) - 1), min_size=1, max_size=20))
        found = view[rows]
        np.testing.assert_array_equal(found["x"], joined[rows])
        whole = view[:]
        np.testing.assert_array_equal(whole["x"], joined)
        numbers = np.repeat(np.arange(len(expected)), [len(each) for each in expected])
        assert whole["episode_index"].tolist() == numbers.tolist()
        assert list(whole["episode_id"]) == [f"demo_{number}" for number in numbers]
        first_steps = np.concatenate([np.arange(len(each)) * stride for each in expected])
        assert whole["step_index"].tolist() == first_steps.tolist()
        row = view[len(view) - 1]
        np.testing.assert_array_equal(row["x"], joined[-1])
        if pad is not None:
            sizes = np.array(lengths)[numbers]
            beyond = first_steps[:, np.newaxis] + np.arange(length) >= sizes[:, np.newaxis]
            np.testing.assert_array_equal(whole["is_pad"], beyond)


@pytest.fixture
def signal(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A file of 1,000 samples of a signal, its labels and its words."""
    values = np.random.default_rng(0).standard_normal(1000).astype("<f4")
    with h5py.File(tmp_path / "signal.h5", "w") as handle:
        handle.create_dataset("signal", data=values, chunks=(64,), compression="gzip")
        kind = h5py.enum_dtype({"rest": 0, "move": 1})
        handle.create_dataset("state", data=(np.arange(1000) // 100 % 2).astype("u1"), dtype=kind)
        words = np.array([f"w{number}" for number in range(1000)], object)
        handle.create_dataset("word", data=words, dtype=h5py.string_dtype())
        handle.create_dataset("day", data=np.arange(1000) * 86400.0)
    return tmp_path / "signal.h5", values


def test_windows_of_labels_and_strings_are_lists_of_them(signal) -> None:
    with H5TorchView(signal[0], window=(4, 333), pad="zero").with_format(None) as view:
        assert view.features["state"].feature.names == ["rest", "move"]
        last = view[3]
        assert (last["word"], last["state"]) == (["w999", "", "", ""], [1, -1, -1, -1])
        assert last["is_pad"] == [False, True, True, True]


@pytest.mark.parametrize("pad", ["edge", None])
def test_the_cached_mode_has_the_same_windows(signal, tmp_path: Path, pad) -> None:
    with H5TorchView(signal[0], window=(50, 20), pad=pad) as view:
        cached = view.to_dataset(cache_dir=tmp_path / "cache")
        assert cached.features == view.features
        for format_name in (None, "torch", "numpy"):
            mine, theirs = view.with_format(format_name), cached.with_format(format_name)
            for row in (0, len(view) - 1):
                assert repr(mine[row]) == repr(theirs[row])
            torch.testing.assert_close(mine[3:7]["signal"], theirs[3:7]["signal"]) if format_name == "torch" else None
        again = H5TorchView(signal[0], window=(50, 21), pad=pad).to_dataset(cache_dir=tmp_path / "cache")
        assert again[1]["signal"].tolist() == signal[1][21:71].tolist()


def test_windows_are_the_rows_that_a_view_picks_from(signal) -> None:
    path, values = signal
    expected = sliding_window_view(values, 10)[::7]
    with H5TorchView(path, window=(10, 7), columns=["signal"]).with_format("numpy") as view:
        dataset = view.to_dataset(keep_in_memory=True).with_format("numpy")
        shuffled = view.shuffle(seed=3)
        np.testing.assert_array_equal(shuffled[:]["signal"], dataset.shuffle(seed=3)[:]["signal"])
        parts = view.train_test_split(0.2, seed=1)
        assert len(parts["train"]) + len(parts["test"]) == len(expected)
        found = view.filter(lambda rows: (rows.mean(axis=1) > 0).tolist(), input_columns=["signal"], batched=True)
        np.testing.assert_array_equal(found[:]["signal"], expected[expected.mean(axis=1) > 0])


@pytest.mark.parametrize("split", ["train[:50%]", "train[100:200]+train[:30]", "train[50%:]+train[:50%]"])
def test_windows_lie_in_the_rows_of_a_split(signal, split: str) -> None:
    path, values = signal
    bounds = {"train[:50%]": [(0, 500)], "train[100:200]+train[:30]": [(100, 200), (0, 30)]}
    pieces = [values[low:high] for low, high in bounds.get(split, [(500, 1000), (0, 500)])]
    expected = np.concatenate([windows_of(piece, 20, 3, None) for piece in pieces])
    with H5TorchView(path, split=split, window=(20, 3)).with_format("numpy") as view:
        np.testing.assert_array_equal(view[:]["signal"], expected)
        batches = [batch["signal"] for batch in view.loader(32)]
        np.testing.assert_array_equal(np.concatenate(batches), expected)


def test_windows_do_not_cross_from_file_to_file(tmp_path: Path) -> None:
    for number, length in enumerate([10, 3, 7]):
        with h5py.File(tmp_path / f"{number}.h5", "w") as handle:
            handle["x"] = 100 * number + np.arange(length)
    with H5TorchView(tmp_path / "*.h5", window=(5, 2)) as view:
        assert view[:]["x"].tolist() == [
            [0, 1, 2, 3, 4],
            [2, 3, 4, 5, 6],
            [4, 5, 6, 7, 8],
            [200, 201, 202, 203, 204],
            [202, 203, 204, 205, 206],
        ]
        assert "5 rows every 2; 1 of 3 runs of rows are too short for one" in repr(view)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    by=st.sampled_from(["number", "name", ["terminals", "timeouts"]]),
    pad=st.sampled_from(["edge", None]),
    files=st.integers(1, 2),
)
def test_episodes_in_one_table_are_told_apart_by_a_column(tmp_path: Path, lengths, by, pad, files: int) -> None:
    steps = np.concatenate([np.arange(length) + 100 * number for number, length in enumerate(lengths)])
    ends = np.cumsum(lengths) - 1
    for number in range(files):
        with h5py.File(tmp_path / f"{number}.h5", "w") as handle:
            handle["x"] = steps
            handle["number"] = np.repeat(np.arange(len(lengths)), lengths) % 3
            handle["name"] = np.repeat([f"e{each}" for each in range(len(lengths))], lengths).astype("S4")
            handle["terminals"] = np.isin(np.arange(len(steps)), ends[::2])
            handle["timeouts"] = np.isin(np.arange(len(steps)), ends[1::2])
    bounds = [(end + 1 - length, end + 1) for end, length in zip(ends.tolist(), lengths, strict=True)]
    expected = np.concatenate([windows_of(steps[low:high], 3, 1, pad) for low, high in bounds] * files)
    names = [str(tmp_path / f"{number}.h5") for number in range(files)]
    if len(expected):
        with H5TorchView(names, window=3, episodes=by, pad=pad) as view:
            np.testing.assert_array_equal(view[:]["x"].numpy(), expected)
    else:
        with pytest.raises(OptionError, match="longer than every run"):
            H5TorchView(names, window=3, episodes=by, pad=pad)


@pytest.mark.parametrize("storage", sorted(STORAGES))
@pytest.mark.parametrize("shuffle_bytes", [2000, 1 << 20])
def test_a_shuffled_loader_gives_each_window_once(tmp_path: Path, storage: str, shuffle_bytes: int) -> None:
    episodes = write_episodes(tmp_path / "x.h5", [40, 5, 17, 90], **STORAGES[storage])
    expected = np.concatenate([windows_of(rows, 8, 3, None) for rows in episodes])
    with H5TorchView(tmp_path / "x.h5", layout="steps", window=(8, 3), cache_bytes=0) as view:
        loader = view.loader(7, shuffle=True, seed=1, shuffle_bytes=shuffle_bytes)
        found = np.concatenate([batch["x"].numpy() for batch in loader])
    order = np.argsort(found[:, 0, 0])
    np.testing.assert_array_equal(found[order], expected)
    assert (order != np.arange(len(order))).any()


def test_workers_of_a_data_loader_read_windows(tmp_path: Path) -> None:
    episodes = write_episodes(tmp_path / "x.h5", [20, 9], chunks=(4, 2), compression="gzip")
    expected = np.concatenate([windows_of(rows, 6, 2, "edge") for rows in episodes])
    view = H5TorchView(tmp_path / "x.h5", layout="steps", window=(6, 2), pad="edge")
    loader = DataLoader(view, batch_size=4, num_workers=2, collate_fn=hf_h5.collate, multiprocessing_context="fork")
    np.testing.assert_array_equal(torch.cat([batch["x"] for batch in loader]).numpy(), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(view))[:]["x"].numpy(), expected)


def test_a_million_windows_cost_no_memory(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle.create_dataset("x", (1 << 24,), "u1", chunks=(1 << 20,), compression="gzip")
    H5TorchView(tmp_path / "x.h5").close()  # what is imported counts no more
    tracemalloc.start()
    with H5TorchView(tmp_path / "x.h5", window=(1024, 1)) as view:
        assert len(view) == (1 << 24) - 1023
        view[5]
        _, alone = tracemalloc.get_traced_memory()
        next(iter(view.loader(64, shuffle=True, shuffle_bytes="8MB")))
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert alone < 4 << 20
    assert peak < 64 << 20


def test_overlapping_windows_decode_each_chunk_once(signal, decoded: list[bytes]) -> None:
    with H5TorchView(signal[0], window=(100, 1), columns=["signal"], cache_bytes=0) as view:
        view[[5]]
        decoded.clear()
        view[[5, 700, 6, 7, 5, 300]]
        assert len(decoded) == len(set(decoded)) == 2 + 3 + 3
        decoded.clear()
        view[list(range(0, 900, 7))]
        assert len(decoded) == len(set(decoded)) == 16


@pytest.mark.parametrize("cut", [(32, 32), (32, 1), (7, 3)])
def test_an_epoch_of_windows_decodes_chunks_about_once(tmp_path: Path, decoded: list[bytes], cut) -> None:
    values = np.random.default_rng(0).standard_normal((16_000, 4)).astype("<f4")
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle.create_dataset("x", data=values, chunks=(100, 4), compression="gzip")
    with H5TorchView(tmp_path / "x.h5", window=cut, cache_bytes="10kB") as view:
        loader = view.loader(16, shuffle=True, shuffle_bytes="1MB")
        found = np.concatenate([batch["x"].numpy() for batch in loader])
        assert len(found) == len(view)
    assert len(decoded) / 160 < 1.5


def test_columns_that_a_split_lacks_stay_missing_in_windows(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        for split in ("train", "test"):
            handle[f"x_{split}"] = np.arange(6.0)
        handle["y_train"] = np.arange(6)
    with H5TorchView(tmp_path / "x.h5", split="test+train", window=(3, 3)).with_format(None) as view:
        assert view[:]["y"] == [None, None, [0, 1, 2], [3, 4, 5]]
        assert view[[2, 0]]["y"] == [[0, 1, 2], None]


def test_features_of_rows_become_those_of_windows(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["x"] = np.arange(24).reshape(6, 4).astype("u1")
        handle["y"] = np.arange(6) % 2
        handle["word"] = [b"no", b"yes"] * 3
    asked = Features(
        {"x": [Value("float32")], "y": ClassLabel(names=["a", "b"]), "word": ClassLabel(names=["no", "yes"])}
    )
    with H5TorchView(tmp_path / "x.h5", features=asked, window=(2, 2)) as view:
        dataset = view.to_dataset(keep_in_memory=True)
        assert view.features["y"].feature == asked["y"]
        assert view.features["word"].feature == asked["word"]
        assert repr(view[1]) == repr(dataset[1])
        assert view[1]["word"].tolist() == [0, 1]
    with pytest.raises(OptionError, match=r"column 'x' shall be Image\(\), which is made of one row"):
        H5TorchView(tmp_path / "x.h5", features=Features({"x": Image()}), window=2)


def test_nested_and_complex_columns_come_in_windows(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["obs/image"] = np.arange(120).reshape(10, 4, 3).astype("u1")
        handle["z"] = np.arange(10) * (1 + 2j)
    with H5TorchView(tmp_path / "x.h5", nested=True, window=(3, 2)) as view:
        assert view[1]["obs"]["image"][:, 0, 0].tolist() == [24, 36, 48]
        dataset = view.to_dataset(keep_in_memory=True)
        assert repr(view[2]) == repr(dataset[2])
    with H5TorchView(tmp_path / "x.h5", complex=True, window=(3, 2)) as view:
        assert view[[1]]["z"].tolist() == [[2 + 4j, 3 + 6j, 4 + 8j]]


def test_an_open_file_and_a_process_of_its_own_give_the_same_windows(signal) -> None:
    expected = H5TorchView(signal[0], window=(10, 90))[:]["signal"]
    with h5py.File(signal[0]) as handle:
        assert torch.equal(H5TorchView(handle, window=(10, 90))[:]["signal"], expected)
    with H5TorchView(signal[0], window=(10, 90), isolate=True) as view:
        assert torch.equal(view[:]["signal"], expected)


def test_an_iterable_dataset_of_windows(signal) -> None:
    view = H5TorchView(signal[0], window=(10, 90), columns=["signal"])
    found = [row["signal"] for row in view.to_iterable_dataset(num_shards=3)]
    assert torch.equal(torch.stack(found), view[:]["signal"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 0}, "window=0 is no length"),
        ({"window": (4, 0)}, "no length, nor a length and a stride"),
        ({"window": "long"}, "window='long'"),
        ({"window": True}, "window=True"),
        ({"window": 2000}, "window=2000 is longer than every run of rows: the longest has 1,000"),
        ({"window": 5, "pad": "mean"}, "pad='mean' is not one of"),
        ({"pad": "edge"}, "pad='edge' fills windows"),
        ({"episodes": "state"}, "episodes='state' says where windows end"),
        ({"episodes": "stat", "window": 2}, "no column 'stat'.*\n.*did you mean 'state'"),
    ],
)
def test_wrong_windows_are_refused(signal, arguments, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        H5TorchView(signal[0], **arguments)


def test_whole_episodes_as_rows_cannot_be_in_windows(tmp_path: Path) -> None:
    write_episodes(tmp_path / "x.h5", [5, 6, 7])
    with pytest.raises(
        OptionError, match=r"rows differ in length.*x\.h5::/data/demo_0/action\]\n  hint: layout='steps'"
    ):
        H5TorchView(tmp_path / "x.h5", window=2)


def test_the_view_says_what_its_windows_are(signal) -> None:
    view = H5TorchView(signal[0], window=(8, 4), pad="edge")
    assert "window: 8 rows every 4, pad='edge'" in repr(view)
    assert "window 8 rows every 4" in view._repr_html_()


@pytest.mark.parametrize(
    "cut", [{"window": (4, 2)}, {"window": (4, 4)}, {"window": (4, 3), "pad": "edge"}, {"patch": (4, 3), "pad": "zero"}]
)
@pytest.mark.parametrize("how", ["plain", "strided", "transposed"])
def test_arrays_of_the_caller_are_filled_whatever_their_strides(tmp_path: Path, cut, how: str) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle.create_dataset("x", data=np.arange(600, dtype="f4").reshape(100, 6), chunks=(7, 4), compression="gzip")
        handle["y"] = np.arange(100)
    makers = {
        "plain": lambda shape, dtype: np.empty(shape, dtype),
        "strided": lambda shape, dtype: np.empty((*shape[:-1], shape[-1] * 2), dtype)[..., ::2],
        "transposed": lambda shape, dtype: np.empty(shape[::-1], dtype).T,
    }
    with H5TorchView(tmp_path / "x.h5", **cut) as view:
        source = view._source
        rows = np.array([3, 1, 1, 0, len(source) - 1])
        expected = source.read(rows)
        for read in (source.read, source.read_here):
            out = {name: makers[how](values.shape, values.dtype) for name, values in expected.items()}
            found = read(rows, list(expected), out)
            for name, values in expected.items():
                np.testing.assert_array_equal(found[name], values)
                np.testing.assert_array_equal(out[name], values)
