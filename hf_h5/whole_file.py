"""Small files that are there as a whole or not at all: who reads one meanwhile finds the old one or the new one."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from stat import S_IMODE

__all__ = ["write_whole"]


def write_whole(file: str | os.PathLike[str], content: bytes) -> None:
    """Write a file in place of an older one, and make its folder.

    It is written beside and renamed; what was written in part is removed, also on Ctrl-C. The file has the mode of the
    older one, or what the umask says. A link stays one, and what is not a file (a pipe, ``/dev/stdout``) is written
    to. It is not waited for the disk.

    Raises
    ------
    OSError
        If it cannot be written; it names the file.
    """
    try:
        if os.path.exists(file) and not os.path.isfile(file):
            Path(file).write_bytes(content)
        else:
            _replace(Path(os.path.realpath(file)), content)
    except OSError as error:
        # Of the two names in it, one is nobody's who reads the error.
        raise OSError(error.errno, error.strerror, os.fspath(file)) from None


def _replace(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # Not with the target's name in it, which may be as long as a name may be.
    part = target.with_name(f".hf_h5-{secrets.token_hex(8)}.part")
    try:
        with open(part, "xb") as stream:
            stream.write(content)
        if target.exists():
            _take_mode(part, target)
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _take_mode(part: Path, target: Path) -> None:
    mode = S_IMODE(target.stat().st_mode)
    # File systems without modes refuse to change them.
    if S_IMODE(part.stat().st_mode) != mode:
        part.chmod(mode)
