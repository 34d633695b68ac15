"""Taking files: what is asked before an upload, and the commit that makes uploaded files visible."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

from .replies import HubError, Reply, Request
from .routes import ID, KIND, REVISION, route
from .store import LFS_SUFFIXES, Repo, Tree, make_entry

if TYPE_CHECKING:
    from .loopback import LoopbackHub

_REGULAR_BYTES = 10 << 20


@route("POST", rf"/api/{KIND}/{ID}/preupload/{REVISION}")
def before_upload(hub: LoopbackHub, request: Request) -> Reply:
    """Say which files are large, and what is there already under their names."""
    tree = hub.store.tree(hub.repo(request, write=True), request.groups["revision"])
    found = []
    for each in request.json()["files"]:
        path, sample = each["path"], base64.b64decode(each.get("sample") or "")
        large = path.lower().endswith(LFS_SUFFIXES) or each["size"] > _REGULAR_BYTES or b"\0" in sample
        there = tree.get(path)
        oid = {"oid": there["sha256"] if "lfs" in there else there["oid"]} if there else {}
        found.append({"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, **oid})
    return Reply({"files": found})


@route("GET", rf"/api/{KIND}/{ID}/xet-(?P<use>read|write)-token/{REVISION}")
def xet_token(hub: LoopbackHub, request: Request) -> Reply:
    hub.repo(request, write=request.groups["use"] == "write")
    if hub.xet is None:
        raise HubError(501, "this server has no xet storage: set HF_HUB_DISABLE_XET=1")
    url, expires = hub.xet.new_url(), str(int(time.time()) + 3600)
    headers = {"X-Xet-Cas-Url": url, "X-Xet-Token-Expiration": expires, "X-Xet-Access-Token": "local"}
    return Reply({"casUrl": url, "exp": int(expires), "accessToken": "local"}, headers=headers)


@route("POST", rf"/api/{KIND}/{ID}/commit/{REVISION}")
def commit(hub: LoopbackHub, request: Request) -> Reply:
    repo = hub.repo(request, write=True)
    header, *operations = [json.loads(line) for line in request.body().splitlines() if line.strip()]
    with hub.store.lock:
        parent = hub.store.resolve(repo, request.groups["revision"])
        space, name = _target(repo, request)
        if header["value"].get("parentCommit") not in (None, parent):
            raise HubError(412, "A commit has happened since. Please refresh and try again.")
        tree = {path: dict(entry) for path, entry in repo["commits"][parent]["tree"].items()}
        for operation in operations:
            _apply(hub, tree, operation["key"], operation["value"])
        title, message = header["value"]["summary"], header["value"].get("description", "")
        oid = hub.store.commit(repo, space, name, tree, title, parent=parent, message=message)
    home = f"{hub.url}/{'' if request.groups['kind'] == 'models' else request.groups['kind'] + '/'}{repo['id']}"
    made = {"success": True, "commitOid": oid, "commitUrl": f"{home}/commit/{oid}", "hookOutput": ""}
    return Reply(made | ({"pullRequestUrl": f"{home}/discussions/{name}"} if space == "pulls" else {}))


def _target(repo: Repo, request: Request) -> tuple[str, str]:
    """Return what the new commit is of: a branch or a pull request, maybe a new one."""
    revision = request.groups["revision"]
    if request.is_set("create_pr"):
        return "pulls", str(len(repo["pulls"]) + 1)
    if revision.startswith("refs/pr/"):
        return "pulls", revision.removeprefix("refs/pr/")
    if revision not in repo["branches"]:
        raise HubError(400, f"{revision} is not a branch")
    return "branches", revision


def _apply(hub: LoopbackHub, tree: Tree, key: str, value: dict[str, Any]) -> None:
    path = value["path"]
    if key == "file":
        content = base64.b64decode(value["content"])
        tree[path] = make_entry(*hub.store.put([content]), content)
    elif key == "lfsFile":
        if not hub.has_blob(value["oid"]):
            raise HubError(400, f"LFS pointer pointed to a file that does not exist: {path}")
        tree[path] = make_entry(value["oid"], hub.store.blob(value["oid"]).stat().st_size, None)
    elif key == "deletedFile":
        if tree.pop(path, None) is None:
            raise HubError(400, f"cannot delete {path}: no such file")
    elif key == "deletedFolder":
        for each in [each for each in tree if each.startswith(path.rstrip("/") + "/")]:
            del tree[each]
    else:
        raise HubError(400, f"unknown operation {key}")
