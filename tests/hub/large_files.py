"""Large files: how they are taken by the LFS protocol, and how they are handed out, by ranges too."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .replies import HubError, Reply, Request
from .routes import ID, PATH, REVISION, route

if TYPE_CHECKING:
    from .loopback import LoopbackHub

_OID = r"/_lfs/(?P<oid>[0-9a-f]{64})"
_PIECE = 1 << 20


@route("POST", rf"/(?P<prefix>datasets/|spaces/|){ID}\.git/info/lfs/objects/batch")
def start_transfer(hub: LoopbackHub, request: Request) -> Reply:
    """Say for each content where its bytes go, or come from; nothing for one that is there."""
    asked = request.json()
    uploads = asked["operation"] == "upload"
    hub.repo(request, write=uploads)
    multipart = "multipart" in asked.get("transfers", [])
    found = []
    for each in asked["objects"]:
        told = {"oid": each["oid"], "size": each["size"]}
        there = hub.has_blob(each["oid"])
        if uploads and not there:
            told["actions"] = _upload_actions(hub, each["oid"], each["size"], multipart=multipart)
        elif not uploads and there:
            told["actions"] = {"download": {"href": _signed(hub, each["oid"])}}
        elif not uploads:
            told["error"] = {"code": 404, "message": "Object does not exist"}
        found.append(told)
    return Reply({"transfer": "multipart" if multipart else "basic", "objects": found})


def _upload_actions(hub: LoopbackHub, oid: str, size: int, *, multipart: bool) -> dict[str, Any]:
    verify = {"href": f"{hub.cdn_url}/_lfs/{oid}/verify", "header": {}}
    if not multipart or size <= hub.multipart_bytes:
        return {"upload": {"href": _signed(hub, oid, "/put")}, "verify": verify}
    parts = range(1, -(-size // hub.multipart_bytes) + 1)
    header = {"chunk_size": str(hub.multipart_bytes)} | {str(n): _signed(hub, oid, f"/part/{n}") for n in parts}
    return {"upload": {"href": _signed(hub, oid, "/complete"), "header": header}, "verify": verify}


def _signed(hub: LoopbackHub, oid: str, what: str = "") -> str:
    return f"{hub.cdn_url}/_lfs/{oid}{what}?signature={hub.sign(oid)}"


def _check_signature(hub: LoopbackHub, request: Request) -> str:
    oid = request.groups["oid"]
    if request.query.get("signature") != hub.sign(oid):
        raise HubError(403, "bad signature")
    return oid


@route("PUT", rf"{_OID}/put")
def take_whole(hub: LoopbackHub, request: Request) -> Reply:
    oid = _check_signature(hub, request)
    hub.store.put(request.stream(), expected=oid)
    return Reply(headers={"ETag": f'"{oid}"'})


@route("PUT", rf"{_OID}/part/(?P<number>\d+)")
def take_part(hub: LoopbackHub, request: Request) -> Reply:
    part, digest = _part(hub, _check_signature(hub, request), request.groups["number"]), hashlib.md5()
    with open(part, "wb") as stream:
        for piece in request.stream():
            digest.update(piece)
            stream.write(piece)
    return Reply(headers={"ETag": f'"{digest.hexdigest()}"'})


@route("POST", rf"{_OID}/complete")
def join_parts(hub: LoopbackHub, request: Request) -> Reply:
    oid = _check_signature(hub, request)
    numbers = sorted(each["partNumber"] for each in request.json()["parts"])
    parts = [_part(hub, oid, number) for number in numbers]
    hub.store.put((piece for part in parts for piece in _pieces(part)), expected=oid)
    for part in parts:
        part.unlink()
    return Reply({})


@route("POST", rf"{_OID}/verify")
def verify_blob(hub: LoopbackHub, request: Request) -> Reply:
    blob = hub.store.blob(request.groups["oid"])
    if not blob.exists() or blob.stat().st_size != request.json()["size"]:
        raise HubError(404, "object missing or of another size")
    return Reply({})


@route("GET", _OID)
def give_blob(hub: LoopbackHub, request: Request) -> Reply:
    oid = _check_signature(hub, request)
    if not hub.store.blob(oid).exists():
        raise HubError(404, "no such object")
    return Reply(headers={"ETag": f'"{oid}"'}, file=hub.store.blob(oid))


@route("GET", rf"/(?P<prefix>datasets/|spaces/|){ID}/(?:resolve|raw)/{REVISION}/{PATH}")
def give_file(hub: LoopbackHub, request: Request) -> Reply:
    """Give a small file; for a large one say where it is, on another host as the Hub does."""
    repo = hub.repo(request)
    commit = hub.store.resolve(repo, request.groups["revision"])
    path = request.groups["path"]
    entry = repo["commits"][commit]["tree"].get(path)
    headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
    if entry is None:
        raise HubError(404, "Entry not found", "EntryNotFound", headers)
    headers |= {"ETag": f'"{entry["oid"]}"', "Content-Disposition": f'inline; filename="{path.split("/")[-1]}"'}
    if "lfs" not in entry:
        return Reply(headers=headers, file=hub.store.blob(entry["sha256"]))
    linked = {"X-Linked-Size": str(entry["size"]), "X-Linked-ETag": f'"{entry["sha256"]}"'}
    return Reply(status=302, headers=headers | linked | {"Location": _signed(hub, entry["sha256"])})


def _part(hub: LoopbackHub, oid: str, number: int | str) -> Path:
    return hub.store.scratch / f"{oid}.part{int(number)}"


def _pieces(file: Path) -> Iterator[bytes]:
    with open(file, "rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece
