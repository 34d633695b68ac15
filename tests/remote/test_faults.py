"""What servers do wrong: what passes is waited for, what stays is an error that says the next step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import hf_h5
from hf_h5.errors import AccessError, FileChangedError, H5Error, MissingFileError, TransferError
from hf_h5.remote import connections, patience

from .serving import Fault, Server


@pytest.fixture
def view(server: Server) -> Any:
    with hf_h5.H5TorchView(f"{server.url}/a.h5", columns=["images"], remote_cache_bytes=0) as view:
        view[0]
        yield view


@pytest.mark.parametrize(
    "fault",
    [
        Fault(500),
        Fault(503, {"Retry-After": "0"}),
        Fault(429, {"Retry-After": "0"}),
        Fault(408),
        Fault(cut_to=0),
        Fault(cut_to=1000),
        Fault(wait_s=0.2),
    ],
    ids=str,
)
def test_what_passes_is_asked_for_again(server: Server, view: Any, values: dict[str, Any], fault: Fault) -> None:
    server.faults.extend([fault] * 3)
    np.testing.assert_array_equal(view[[100, 500]]["images"], values["images"][[100, 500]])


def test_of_a_connection_that_broke_only_the_rest_is_asked_for(server: Server, view: Any) -> None:
    server.asked.clear()
    server.faults.append(Fault(cut_to=1000))
    view[100]
    (_, _, start, stop), (_, _, again, end) = server.asked
    assert (again, end) == (start + 1000, stop)


def test_a_server_is_waited_for_as_long_as_it_asks(server: Server, view: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", waits.append)
    server.faults.extend([Fault(429, {"Retry-After": "7"}), Fault(503)])
    view[100]
    asked, own = (wait for wait in waits if wait)
    assert 7 <= asked < 8
    assert own < 1


def test_patience_ends(server: Server, view: Any) -> None:
    server.faults.extend([Fault(500)] * patience.ATTEMPTS)
    with pytest.raises(TransferError, match=r"answers 500.* 7 times.*a\.h5(?s:.*)hint: check the network"):
        view[100]
    assert view[100]


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, AccessError, "refuses: 401"),
        (403, AccessError, "put user and password into the URL"),
        (404, MissingFileError, "no such file"),
        (400, TransferError, "answers 400"),
        (416, FileChangedError, "the file changed"),
    ],
)
def test_what_stays_is_an_error_at_once(server: Server, view: Any, status: int, kind: type[H5Error], said: str) -> None:
    server.faults.append(Fault(status, {"Content-Range": "bytes */5"} if status == 416 else {}))
    server.asked.clear()
    with pytest.raises(kind, match=said):
        view[100]
    assert server.asked == []


def test_a_server_without_ranges_says_what_to_do(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.sends_ranges = False
    monkeypatch.setattr("hf_h5.remote.http._WHOLE_BYTES", 1000)
    with pytest.raises(TransferError, match=r"only as a whole(?s:.*)download it first"):
        hf_h5.H5TorchView(f"{server.url}/a.h5")


def test_small_files_are_read_from_a_server_without_ranges(server: Server, values: dict[str, Any]) -> None:
    server.sends_ranges = False
    with hf_h5.H5TorchView(f"{server.url}/a.h5", columns=["images"]) as view:
        np.testing.assert_array_equal(view[[3, 599]]["images"], values["images"][[3, 599]])


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(TransferError, match=r"the connection to 127\.0\.0\.1:9 failed"):
        hf_h5.H5TorchView("http://127.0.0.1:9/a.h5")


def test_a_server_that_says_nothing_is_given_up(server: Server, view: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "TIMEOUT_S", 0.1)
    monkeypatch.setattr(connections, "_IDLE", connections._Idle())
    server.faults.extend([Fault(wait_s=0.3)] * patience.ATTEMPTS)
    with pytest.raises(TransferError, match="timed out"):
        view[100]


@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>", b"\x89HDF\r\n\x1a\n broken"])
def test_what_is_no_hdf5_says_so(server: Server, content: bytes) -> None:
    server.files["a.h5"] = content
    with pytest.raises(H5Error, match=r"a\.h5"):
        hf_h5.H5TorchView(f"{server.url}/a.h5")


def test_a_prefetch_that_fails_is_an_error_of_the_batch(server: Server, file: Path) -> None:
    view = hf_h5.H5TorchView(f"{server.url}/a.h5", columns=["images"], remote_cache_bytes=0)
    view[0]
    server.faults.extend([Fault(403)] * 50)
    with pytest.raises(AccessError):
        list(view.loader(32, shuffle=True))


OPEN_AND_KEEP_THE_ERROR = """
import sys
import hf_h5
try:
    hf_h5.H5TorchView(sys.argv[1], isolate=False, remote_cache_bytes=0)
except BaseException as error:
    print(type(error).__name__, flush=True)
    {kept}
"""


@pytest.mark.parametrize("kept", ["kept = error", "pass"])
@pytest.mark.parametrize("n_answers", [1, 2])
def test_a_server_that_refuses_while_a_file_is_opened_lets_the_process_end(
    server: Server, tmp_path: Path, n_answers: int, kept: str
) -> None:
    """What HDF5 still holds at the end of the process would be read by a Python that is no more."""
    with h5py.File(tmp_path / "long.h5", "w") as handle:
        handle.create_dataset("words", data=[f"word {number}" for number in range(100_000)])
        handle.create_dataset("labels", data=np.arange(100_000), chunks=(1000,), compression="gzip")
    server.files["long.h5"] = (tmp_path / "long.h5").read_bytes()
    server.faults.extend([*[Fault()] * n_answers, *[Fault(403)] * 50])
    script = OPEN_AND_KEEP_THE_ERROR.format(kept=kept)
    ended = subprocess.run(
        [sys.executable, "-c", script, f"{server.url}/long.h5"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "AccessError\n"), ended.stderr
