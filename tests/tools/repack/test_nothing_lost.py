"""What h5py hardly shows, and a copy easily loses: marks, comments, fill values of any type, types with names."""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5a, h5d, h5o, h5p, h5s, h5t
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hf_h5.errors import DamagedFileError, DataError, H5Warning
from hf_h5.tools.console import Console
from hf_h5.tools.repack import Wanted, attributes, command, equality, run_repack
from tests.tools.repack.same import assert_same

WANTED = (Wanted("training"), Wanted("streaming", None, "gzip"), Wanted("training", 3, "none"))
LIBRARY = ctypes.CDLL(h5a.__file__)


@pytest.fixture(autouse=True)
def _everything_is_big(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hf_h5.tools.repack.storage.SMALL_BYTES", 0)


def repacked(file: Path, wanted: Wanted = WANTED[1], **options: Any) -> Path:
    output = file.with_name(f"repacked {file.name}")
    assert run_repack(str(file), str(output), Console(quiet=True), wanted=wanted, overwrite=True, **options) == 0
    return output


def call(name: str, *arguments: Any) -> int:
    """Call a function of the library that h5py has not."""
    function = getattr(LIBRARY, name)
    function.restype = ctypes.c_int64
    found = function(*(ctypes.c_int64(each) if isinstance(each, int) else each for each in arguments))
    assert found >= 0
    return int(found)


def properties_of(name: str) -> int:
    return call("H5Pcreate", ctypes.c_int64.in_dll(LIBRARY, f"H5P_CLS_{name}_CREATE_ID_g").value)


def write_marked(file: Path) -> None:
    """Names of attributes that are marked as UTF-8, as Julia's package writes them."""
    with h5py.File(file, "w", libver="v108") as out:
        out["x"], out["type"] = np.arange(100), np.dtype("<i4")
        acpl = properties_of("ATTRIBUTE")
        call("H5Pset_char_encoding", acpl, h5t.CSET_UTF8)
        for opened in (out, out["x"], out["type"]):
            space = h5s.create_simple((2,))
            call("H5Acreate2", opened.id.id, "größe".encode(), h5t.NATIVE_INT32.id, space.id, acpl, 0)
            opened.attrs.get_id("größe").write(np.array([1, 2], "i4"))
            opened.attrs["plain"] = "text"


def marks(file: Path) -> dict[tuple[str, str], int]:
    with h5py.File(file) as opened:
        return {
            (path, name): h5a.get_info(opened[path].id, name.encode()).cset
            for path in ("/", "x", "type")
            for name in opened[path].attrs
        }


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_names_of_attributes_stay_marked(tmp_path: Path, wanted: Wanted) -> None:
    file = tmp_path / "a.h5"
    write_marked(file)
    assert marks(file)["x", "größe"] == h5t.CSET_UTF8
    output = repacked(file, wanted)
    assert marks(output) == marks(file)
    assert_same(file, output)


def test_names_that_nothing_here_can_mark_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_marked(tmp_path / "a.h5")
    monkeypatch.setattr(attributes, "_library", lambda: None)
    with pytest.warns(H5Warning, match=r"3 names of attributes of .*a\.h5 are not marked as UTF-8 any more"):
        output = repacked(tmp_path / "a.h5")
    assert_same(tmp_path / "a.h5", output)


def test_comments_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        out["group/x"], out["words"], out["type"] = np.arange(100), ["a", "b"], np.dtype("<i4")
        for path in ("/", "group", "group/x", "words", "type"):
            h5o.set_comment(out[path].id, f"about {path}".encode())
    with h5py.File(repacked(file)) as after:
        for path in (b"/", b"group", b"group/x", b"words", b"type"):
            assert after["/"].id.get_comment(path) == b"about " + path


def test_a_type_keeps_its_name_and_the_order_of_its_attributes(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w", libver="v108") as out:
        ordered, named = properties_of("DATATYPE"), h5t.STD_I32LE.copy()
        call("H5Pset_attr_creation_order", ordered, h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)
        call("H5Tcommit2", out.id.id, b"type", named.id, 0, ordered, 0)
        out["type"].attrs["z"], out["type"].attrs["a"] = 1, 2
        out["other"] = np.dtype("<i4")
        # A name that repack may take for itself, for a while.
        out["types of hf-h5 repack/0"] = np.arange(3)
        for name in ("x", "y"):
            out.create_dataset(name, (100,), out["type"])[:] = np.arange(100)
        h5a.create(out["x"].id, b"typed", out["type"].id, h5s.create_simple((1,)))
    output = repacked(file)
    assert_same(file, output)
    with h5py.File(output) as after:
        order = after["type"].id.get_create_plist().get_attr_creation_order()
        assert order == h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED
        typed = [after["x"].id.get_type(), after["y"].id.get_type(), h5a.open(after["x"].id, b"typed").get_type()]
        assert {h5o.get_info(each).addr for each in typed} == {h5o.get_info(after["type"].id).addr}
        assert list(after) == ["other", "type", "types of hf-h5 repack", "x", "y"]


_PLAIN = st.sampled_from(["<i1", "<u2", ">i4", "<i8", ">u8", "<f2", ">f4", "<f8", "S3", "V5", "?", "<c8", ">c16"])
_ENUMS = st.sampled_from([h5py.enum_dtype({"cat": 1, "dog": 5}, "i1"), h5py.enum_dtype({"a": -2, "b": 300}, ">i2")])


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    arrays = st.tuples(inner, st.lists(st.integers(1, 3), min_size=1, max_size=2).map(tuple))
    compounds = st.lists(inner, min_size=1, max_size=3).map(lambda types: [(f"f{n}", t) for n, t in enumerate(types)])
    return arrays.map(np.dtype) | compounds.map(np.dtype)


DTYPES = st.recursive(_PLAIN.map(np.dtype) | _ENUMS, _nested, max_leaves=4)


def write_typed(file: Path, dtype: np.dtype[Any], seed: int, chunks: tuple[int, ...] | None) -> bytes:
    """A dataset of which the middle is written, its fill value and an attribute, all of any type, by raw bytes."""
    tid, random = h5t.py_create(dtype, logical=True), np.random.default_rng(seed)

    def raw(count: int) -> Any:
        # A truth value has one bit.
        return random.integers(0, 2, count * tid.get_size(), np.uint8).view(f"V{tid.get_size()}")

    with h5py.File(file, "w") as out:
        plist, fill = h5p.create(h5p.DATASET_CREATE), raw(1).tobytes()
        call("H5Pset_fill_value", plist.id, tid.id, fill)
        if chunks:
            plist.set_chunk(chunks)
        made = h5d.create(out.id, b"x", tid, h5s.create_simple((30,)), plist)
        if chunks:
            middle = made.get_space()
            middle.select_hyperslab((10,), (5,))
            made.write(h5s.create_simple((5,)), middle, raw(5), tid)
        h5a.create(made, b"a", tid, h5s.create_simple((2,))).write(raw(2), tid)
    return fill


def raw_values(file: Path) -> tuple[bytes, bytes]:
    with h5py.File(file) as opened:
        dataset = opened["x"].id
        tid, attribute = dataset.get_type(), h5a.open(dataset, b"a")
        rows, values = (np.zeros(count, f"V{tid.get_size()}") for count in (30, 2))
        dataset.read(h5s.ALL, h5s.ALL, rows, tid)
        attribute.read(values, tid)
        return rows.tobytes(), values.tobytes()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dtype=DTYPES, seed=st.integers(0, 99), chunks=st.sampled_from([(4,), None]), wanted=st.sampled_from(WANTED))
def test_values_of_drawn_types_are_kept_with_what_fills_the_rows_that_were_never_written(
    dtype: np.dtype[Any], seed: int, chunks: Any, wanted: Wanted, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("drawn") / "a.h5"
    fill = write_typed(file, dtype, seed, chunks)
    output = repacked(file, wanted)
    assert raw_values(file) == raw_values(output)
    with h5py.File(output, "r+") as after:
        # Rows that come to be later are filled so, too.
        made = after["x"].id
        plist, tid = made.get_create_plist(), made.get_type()
        assert tid.equal(h5t.py_create(dtype, logical=True))
        found = ctypes.create_string_buffer(tid.get_size())
        call("H5Pget_fill_value", plist.id, tid.id, found)
        assert found.raw == fill


def test_a_text_that_fills_rows_is_kept(tmp_path: Path) -> None:
    # The library's own copy keeps the place of the text in the old file, where the new one has something else.
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        out["words"] = ["more", "words"]
        out.create_dataset("x", (100,), h5py.string_dtype(), fillvalue="nothing", chunks=(10,))[:5] = "a"
    # The library does not read such rows where a file may not be written.
    with h5py.File(repacked(file), "r+") as after:
        assert after["x"].asstr()[[0, 4, 5, 99]].tolist() == ["a", "a", "nothing", "nothing"]


def write_array_fill(values: Any) -> Callable[[h5py.File], None]:
    def write(out: h5py.File) -> None:
        dtype = np.dtype([("a", "<i4"), ("b", "S3", (2,))])
        out.create_dataset("x", (9,), dtype, fillvalue=np.array(values, dtype), chunks=(3,))

    return write


def write_named(name: str) -> Callable[[h5py.File], None]:
    def write(out: h5py.File) -> None:
        out["one"], out["two"] = np.dtype("<i4"), np.dtype("<i4")
        out.create_dataset("x", (3,), out[name])

    return write


def write_comment(comment: bytes) -> Callable[[h5py.File], None]:
    def write(out: h5py.File) -> None:
        h5o.set_comment(out.create_group("x").id, comment)

    return write


def write_ordered(is_ordered: bool) -> Callable[[h5py.File], None]:
    def write(out: h5py.File) -> None:
        out.create_group("x", track_order=is_ordered).attrs["a"] = 1

    return write


def write_link(cset: int) -> Callable[[h5py.File], None]:
    def write(out: h5py.File) -> None:
        lcpl = h5p.create(h5p.LINK_CREATE)
        lcpl.set_char_encoding(cset)
        out.id.links.create_soft(b"x", b"/y", lcpl)

    return write


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        (write_array_fill((1, [b"a", b"b"])), write_array_fill((1, [b"a", b"c"])), "/x: another fill value"),
        (write_named("one"), write_named("two"), "/x: another type or shape"),
        (write_comment(b"a"), write_comment(b"b"), "/x: another comment"),
        (write_ordered(True), write_ordered(False), "/x: the order"),
        (write_link(0), write_link(1), "/x: another kind of link"),
    ],
)
def test_what_differs_is_found(
    tmp_path: Path, first: Callable[[h5py.File], None], second: Callable[[h5py.File], None], what: str
) -> None:
    for name, write in (("a", first), ("b", second), ("c", first)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as out:
            write(out)
    assert str(difference(tmp_path / "a.h5", tmp_path / "b.h5")).startswith(what)
    assert difference(tmp_path / "a.h5", tmp_path / "c.h5") is None


def difference(first: Path, second: Path) -> str | None:
    with h5py.File(first) as one, h5py.File(second) as two, Console(quiet=True).progress(0, "x") as progress:
        return equality.find_difference(one, two, progress).difference


def test_a_new_file_that_cannot_be_read_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        out.create_dataset("x", data=np.arange(1000), chunks=(100,))
        out["words"] = ["a", "b"]
    write = command._write

    def write_and_damage(source: h5py.File, part: Path, *more: Any) -> Any:
        copied = write(source, part, *more)
        with h5py.File(part, "r+") as damaged:
            damaged["x"].id.write_direct_chunk((0,), b"no gzip")
        return copied

    monkeypatch.setattr(command, "_write", write_and_damage)
    with pytest.raises(DataError, match=r"/x: values of rows 0 to 1,000 cannot be read in it"):
        repacked(file)
    assert [each.name for each in tmp_path.iterdir()] == ["a.h5"]


def test_what_cannot_be_carried_over_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        short = h5t.STD_I32LE.copy()
        short.set_size(3)
        h5a.create(out.create_group("g").id, b"odd", h5t.vlen_create(short), h5s.create(h5s.SCALAR))
    with pytest.raises(DataError, match=r"its attribute 'odd' cannot be copied here: .* \[.*a\.h5::/g\]"):
        repacked(file)


def test_values_of_a_named_type_that_cannot_be_read_are_an_error_with_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hf_h5.tools.repack.storage.SMALL_BYTES", 1 << 16)
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["type"] = np.dtype("<i4")
        made = out.create_dataset("x", (100,), out["type"], chunks=(10,), compression="gzip")
        made[:] = 1
        made.id.write_direct_chunk((30,), b"no gzip")
    with pytest.raises(DamagedFileError, match=r"its values cannot be read.*a\.h5::/x"):
        repacked(tmp_path / "a.h5")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("chunk", "longest"), [(None, 30), ((4,), 30), ((4,), None)])
def test_references_that_fill_rows_are_written_into_them(
    tmp_path: Path, chunk: tuple[int, ...] | None, longest: int | None
) -> None:
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as out:
        out["pad"], out["empty"], out["one"] = np.arange(500), np.zeros(2), np.zeros(1)
        raw = np.zeros(1, "V8")
        out["points"] = np.array([out["empty"].ref], h5py.ref_dtype)
        out["points"].id.read(h5s.ALL, h5s.ALL, raw, h5t.STD_REF_OBJ)
        plist = h5p.create(h5p.DATASET_CREATE)
        call("H5Pset_fill_value", plist.id, h5t.STD_REF_OBJ.id, raw.tobytes())
        if chunk:
            plist.set_chunk(chunk)
        space = h5s.create_simple((30,), (longest or h5s.UNLIMITED,))
        for name in (b"cells", b"never"):
            h5d.create(out.id, name, h5t.STD_REF_OBJ, space, plist)
        out["cells"][9] = out["one"].ref
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        output = repacked(file)
    assert ["2 datasets of" in str(each.message) for each in said] == ([] if longest else [True])
    with h5py.File(output) as after:
        names = [after[reference].name for reference in after["cells"]]
        assert names == ["/empty"] * 9 + ["/one"] + ["/empty"] * 20
        assert {after[reference].name for reference in after["never"]} == {"/empty"}


def test_a_dataset_that_grows_over_other_files_still_grows(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "part.h5", "w") as out:
        out["x"], out["s"] = np.arange(6), np.array(["a"] * 6, object)
        out["r"] = np.array([out["x"].ref] * 6, h5py.ref_dtype)
    with h5py.File(tmp_path / "a.h5", "w") as out:
        for name, dtype, fill in (("x", "i8", 7), ("s", h5py.string_dtype(), None)):
            layout = h5py.VirtualLayout((9,), dtype, maxshape=(None,))
            layout[:6] = h5py.VirtualSource("part.h5", name, (6,))
            out.create_virtual_dataset(name, layout, fillvalue=fill)
    allowed = {"allow_external": [str(tmp_path)]}
    with h5py.File(repacked(tmp_path / "a.h5", **allowed), "r+") as after:
        assert (after["x"].maxshape, after["s"].maxshape) == ((None,), (None,))
        after["x"].resize((12,))
        after["s"].resize((12,))
        assert after["x"][:].tolist() == [0, 1, 2, 3, 4, 5, *[7] * 6]
        assert after["s"].asstr()[:].tolist() == ["a"] * 6 + [""] * 6
    with h5py.File(tmp_path / "a.h5", "r+") as out:
        layout = h5py.VirtualLayout((6,), h5py.ref_dtype)
        layout[:] = h5py.VirtualSource("part.h5", "r", (6,))
        out.create_virtual_dataset("r", layout)
    with pytest.raises(DataError, match="references into that"):
        repacked(tmp_path / "a.h5", **allowed)
