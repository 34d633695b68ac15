"""What clients raise about the Hub becomes an error with a next step; what is not about the Hub stays what it is."""

from __future__ import annotations

import errno

import pytest

from hf_h5.errors import DataError, HubError
from hf_h5.hub.refusals import hub_errors
from hf_h5.hub.repository import open_repository


def test_clients_that_are_told_to_stay_offline_are_named() -> None:
    with pytest.raises(HubError, match="unset HF_HUB_OFFLINE"):
        open_repository("alice/x")


def test_an_upload_that_fails_otherwise_says_what_the_client_said() -> None:
    with pytest.raises(HubError, match=r"the upload failed \(CAS service error: no route\)[\s\S]*run the same command"):
        with hub_errors("alice/x"):
            raise RuntimeError("CAS service error: no route\nat line 7")


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), DataError("a value"), ValueError("x"), KeyError("x")]
)
def test_what_is_not_about_the_hub_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, hub_errors("alice/x"):
        raise error
    assert caught.value is error


def test_a_connection_that_fails_is_not_the_users_fault() -> None:
    with pytest.raises(HubError, match="could not be reached"), hub_errors("alice/x"):
        raise ConnectionResetError("reset by peer")
