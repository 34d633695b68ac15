"""Where the package keeps what it need not find out twice."""

from __future__ import annotations

import pytest

from hf_h5.cache_home import cache_home


@pytest.mark.parametrize(
    ("home", "cache", "expected"), [("/a/hf", "", "/a/hf/hf_h5"), ("", "/b", "/b/huggingface/hf_h5")]
)
def test_the_folder_is_in_the_home_of_hugging_face(
    monkeypatch: pytest.MonkeyPatch, home: str, cache: str, expected: str
) -> None:
    monkeypatch.setenv("HF_HOME", home)
    monkeypatch.setenv("XDG_CACHE_HOME", cache)
    assert cache_home().as_posix() == expected
