"""Are passwords, tokens and signatures of URLs out of what is shown and pickled, and do workers know them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
from typing import Any

import pytest

from hf_h5.errors import OptionError
from hf_h5.remote import secrets
from hf_h5.remote.secrets import conceal, reveal, seal, unseal

SECRET = "https://me:pass-word@host/a.h5?x=1&X-Amz-Signature=5ec7e7&sig=5ec7e7"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (SECRET, "https://***@host/a.h5?x=1&X-Amz-Signature=***&sig=***"),
        ("zip://a.h5::https://u:p@host/a.zip", "zip://a.h5::https://***@host/a.zip"),
        ("https://host/a.h5?version=3", "https://host/a.h5?version=3"),
        ("hf://datasets/me/set@main/a.h5", "hf://datasets/me/set@main/a.h5"),
        ("s3://bucket/a@b.h5", "s3://bucket/a@b.h5"),
        ("data/a.h5", "data/a.h5"),
    ],
)
def test_secrets_are_replaced_and_nothing_else(url: str, name: str) -> None:
    assert conceal(url) == name
    assert conceal(name) == name
    assert reveal(name) == url


def test_a_name_whose_url_is_not_known_says_what_to_do() -> None:
    with pytest.raises(OptionError, match=r"known only to the process"):
        reveal("https://host/never-opened.h5?sig=***")


def test_what_is_sealed_does_not_show_the_secret() -> None:
    sealed = seal([conceal(SECRET), "data/a.h5"])
    assert sealed
    assert b"pass-word" not in sealed
    assert b"5ec7e7" not in sealed
    assert seal(["data/a.h5"]) == b""


class Carrier:
    """Something that knows a URL, and takes it along wherever it is sent."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getstate__(self) -> tuple[str, bytes]:
        return self.name, seal([self.name])

    def __setstate__(self, state: tuple[str, bytes]) -> None:
        secrets._URLS.clear()
        self.name, sealed = state
        unseal(sealed)


def tell(carrier: Carrier, results: Any) -> None:
    results.put(reveal(carrier.name) == SECRET)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_worker_of_this_process_learns_it(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The server of forkserver may be older than the key.
    monkeypatch.delenv("HF_H5_WORKER_KEY", raising=False)
    context = multiprocessing.get_context(method)
    results = context.Queue()
    process = context.Process(target=tell, args=(Carrier(conceal(SECRET)), results))
    process.start()
    assert results.get(timeout=60)
    process.join()


def test_a_pickle_for_a_worker_that_runs_is_sealed_with_a_key_that_it_has() -> None:
    sealed = seal([conceal(SECRET)])
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(learned, (sealed, conceal(SECRET)))


def learned(sealed: bytes, name: str) -> bool:
    secrets._URLS.clear()
    unseal(sealed)
    return reveal(name) == SECRET


def test_no_other_process_does() -> None:
    sealed = seal([conceal(SECRET)])
    code = (
        "import pickle, sys; from hf_h5.remote.secrets import unseal, _URLS;"
        "unseal(pickle.loads(bytes.fromhex(sys.argv[1]))); print(len(_URLS))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "HF_H5_WORKER_KEY"}
    command = [sys.executable, "-c", code, pickle.dumps(sealed).hex()]
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout == "0\n"
