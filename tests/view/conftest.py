"""What several tests of views look at."""

from __future__ import annotations

import pytest

from hf_h5.read.codecs import Decoder


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The stored bytes of each chunk that is decoded from now on."""
    seen: list[bytes] = []
    decode = Decoder.decode

    def noted(self, raw, mask, out) -> None:
        seen.append(bytes(raw))
        decode(self, raw, mask, out)

    monkeypatch.setattr(Decoder, "decode", noted)
    return seen
