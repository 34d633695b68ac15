"""`hf-h5 describe --html`: what is on the page, and what a file cannot put there."""

from __future__ import annotations

import base64
import shutil
import subprocess
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from hf_h5.cli import main
from hf_h5.tools.report import write_report

EVIL = '<script>alert(1)</script><img src="http://example.org/x" onerror="alert(2)">"\'&\u202e'
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
REAL = Path(__file__).resolve().parents[3] / "shared" / "realh5"
VOID = {"meta", "img", "br", "rect"}


class Page(HTMLParser):
    """Reads a page strictly: every element that opens is closed, in order."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID or tag == "rect":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def values(self, tag: str, name: str) -> list[str]:
        return [attrs[name] or "" for each, attrs in self.tags if each == tag and name in attrs]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        handle["images"] = random.integers(0, 255, (40, 16, 12, 3)).astype("u1")
        handle["images"].attrs["source"] = "a camera"
        handle["labels"] = np.arange(40) % 3
        handle["values"] = random.normal(size=(40, 4))
        handle["values"][3, 1] = np.nan
        handle.create_dataset("texts", data=["word"] * 40, dtype=h5py.string_dtype())
        handle["other/side"] = np.arange(7)
        handle.attrs["title"] = "A file"
    return tmp_path / "x.h5"


def test_the_page_shows_tables_thumbnails_histograms_and_attributes(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "page.html"
    assert main(["describe", str(file), "--html", str(target), "--class-labels", "labels=a,b,c"]) == 0
    assert capsys.readouterr().out == f"{target}: open it in a browser\n"
    page = Page(target)
    pictures = page.values("img", "src")
    assert len(pictures) == 8
    first = Image.open(BytesIO(base64.b64decode(pictures[0].removeprefix("data:image/png;base64,"))))
    with h5py.File(file) as handle:
        np.testing.assert_array_equal(np.asarray(first), handle["images"][0])
    for words in ("40 rows", "a camera", "A file", "1 not finite", "of 3 classes", "word"):
        assert words in page.words
    assert "a: 14" in page.words


def test_what_a_file_names_itself_stays_a_text(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as handle:
        name = EVIL.replace("/", "|")
        handle[name] = np.arange(5)
        handle[name].attrs[EVIL] = EVIL
        handle.attrs[EVIL] = EVIL
        handle.create_dataset("texts", data=[EVIL] * 5, dtype=h5py.string_dtype())
        handle["lonely"] = EVIL
        handle[f"enum{name}"] = np.zeros(5)
    classes = {name: [f"{EVIL}{number}" for number in range(5)]}
    write_report(str(tmp_path / "x.h5"), tmp_path / "page.html", {"class_labels": classes})
    page = Page(tmp_path / "page.html")
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "iframe", "object", "link", "a", "form"})
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert all(source.startswith("data:image/png;base64,") for source in page.values("img", "src"))
    assert "\u202e" not in page.words
    assert "default-src 'none'" in page.values("meta", "content")[1]


def test_a_column_that_cannot_be_read_hides_no_other(file: Path, tmp_path: Path) -> None:
    with h5py.File(file, "r+") as handle:
        broken = handle.create_dataset("broken", (40, 50), "f8", chunks=(40, 50), compression="gzip")
        broken.id.write_direct_chunk((0, 0), b"no gzip")
    write_report(str(file), tmp_path / "page.html", {})
    page = Page(tmp_path / "page.html")
    assert "cannot be read: " in page.words
    assert len(page.values("img", "src")) == 8


@pytest.mark.parametrize(
    "given", [["x.h5", "x.h5", "--html", "p.html"], ["x.h5", "--html", "x.h5"], ["x.h5", "--html", "."]]
)
def test_a_page_is_of_one_file_and_replaces_none(
    given: list[str], file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    assert main(["describe", *given]) == 2
    assert capsys.readouterr().err.startswith("hf-h5: OptionError: ")
    assert h5py.is_hdf5(file)


@pytest.mark.skipif(not REAL.exists(), reason="the real files are not here")
@pytest.mark.parametrize("name", ["car_racing_episodes.h5", "weather_jan.nc4", "matlab_cell.mat", "sleap_analysis.h5"])
def test_pages_of_real_files_are_well_formed(name: str, tmp_path: Path) -> None:
    write_report(str(REAL / name), tmp_path / "page.html", {})
    assert Page(tmp_path / "page.html").words.strip().startswith(name)


@pytest.mark.skipif(BROWSER is None, reason="no browser is installed")
def test_a_browser_draws_the_page_without_a_server(file: Path, tmp_path: Path) -> None:
    write_report(str(file), tmp_path / "page.html", {"class_labels": {"labels": ["a", "b", "c"]}})
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    picture = tmp_path / "page.png"
    command += [f"--screenshot={picture}", "--window-size=900,1400", (tmp_path / "page.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0
    # Of the thumbnails come many colours, of the bars theirs.
    colours = Image.open(picture).convert("RGB").getcolors(1 << 24)
    assert len(colours) > 1000
    assert (0xD9, 0x62, 0x2B) in {colour for _, colour in colours}
