"""What clients raise about the Hub becomes an error with a next step; what is not about the Hub stays what it is."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from hf_h5.errors import DataError, H5Error, HubError
from hf_h5.hub.refusals import hub_errors
from hf_h5.hub.repository import open_repository
from hf_h5.tools.push import room_for_shards


def test_clients_that_are_told_to_stay_offline_are_named() -> None:
    with pytest.raises(HubError, match="unset HF_HUB_OFFLINE"):
        open_repository("alice/x")


def test_an_upload_that_fails_otherwise_says_what_the_client_said() -> None:
    told = r"the upload failed \(CAS service error: no route\)[\s\S]*run the same command"
    with pytest.raises(HubError, match=told), hub_errors("alice/x"):
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


def test_no_room_on_this_machine_names_the_folder_and_the_flag(tmp_path: Path) -> None:
    with pytest.raises(H5Error, match=r"no room for the shards[\s\S]*-o FOLDER") as caught, room_for_shards(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.file == str(tmp_path)
