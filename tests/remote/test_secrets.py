"""Are passwords, tokens and signatures of URLs out of what is shown and pickled, and do workers know them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from hf_h5.errors import OptionError
from hf_h5.remote import secrets
from hf_h5.remote.secrets import conceal, kept_as, reveal, seal, unseal

SECRET = "https://me:pass-word@host/a.h5?x=1&X-Amz-Signature=5ec7e7&sig=5ec7e7"


@pytest.fixture(autouse=True)
def nothing_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    for known, empty in {"_URLS": {}, "_NAMES": {}, "_COUNTS": Counter()}.items():
        monkeypatch.setattr(secrets, known, empty)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (SECRET, "https://***@host/a.h5?x=1&X-Amz-Signature=***&sig=***"),
        ("zip://a.h5::https://u:p@host/a.zip", "zip://a.h5::https://***@host/a.zip"),
        ("https://host/a.h5?version=3", "https://host/a.h5?version=3"),
        ("https://host/a.h5?apiKey=7&JSESSIONID=7", "https://host/a.h5?apiKey=***&JSESSIONID=***"),
        ("https://host/a.h5?signal=7&design=7&session=7", "https://host/a.h5?signal=7&design=7&session=7"),
        ("https://host/a.h5?keyword=7&monkey=7&author=7", "https://host/a.h5?keyword=7&monkey=7&author=7"),
        ("hf://datasets/me/set@main/a.h5", "hf://datasets/me/set@main/a.h5"),
        ("s3://bucket/a@b.h5", "s3://bucket/a@b.h5"),
        ("data/a.h5", "data/a.h5"),
    ],
)
def test_secrets_are_replaced_and_nothing_else(url: str, name: str) -> None:
    assert conceal(url) == name
    assert conceal(name) == name
    assert reveal(name) == url


def test_urls_that_differ_in_secrets_alone_have_names_of_their_own() -> None:
    urls = [f"https://u{number}:p@host/share?token=t{number}" for number in range(3)]
    names = [conceal(url) for url in urls]
    assert names == [f"https://{hidden}@host/share?token={hidden}" for hidden in ("***", "***2", "***3")]
    assert [conceal(url) for url in urls] == [conceal(name) for name in names] == names
    assert [reveal(name) for name in names] == urls


def test_what_is_kept_is_found_by_another_signature_and_not_by_another_token() -> None:
    signed = [kept_as(conceal(f"https://u:{number}@host/a.h5?X-Amz-Date={number}&sig={number}")) for number in "12"]
    assert signed[0] == signed[1]
    tokens = [kept_as(conceal(f"https://host/a.h5?token={number}")) for number in "1213"]
    assert len({*tokens, *signed}) == 4
    assert tokens[0] == tokens[2]
    assert kept_as("https://host/a.h5?x=1") == "https://host/a.h5?x=1"


def test_a_name_is_not_learned_for_a_second_url() -> None:
    sealed = seal([conceal("https://host/learned.h5?sig=1")])
    unseal(sealed)
    secrets._URLS[conceal("https://host/learned.h5?sig=1")] = "https://host/learned.h5?sig=2"
    with pytest.raises(OptionError, match="another URL by the same name"):
        unseal(sealed)


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
