"""Making, listing and describing repositories: what ``/api`` answers without taking files."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import yaml

from .replies import HubError, Reply, Request
from .routes import ID, KIND, REVISION, route
from .store import Repo, Tree

if TYPE_CHECKING:
    from .loopback import LoopbackHub


@route("GET", r"/api/whoami-v2")
def who_am_i(hub: LoopbackHub, request: Request) -> Reply:
    user = hub.need_user(request)
    token = {"displayName": "token", "role": user.role, "createdAt": "2026-01-01T00:00:00.000Z"}
    found = {"type": "user", "name": user.name, "fullname": user.name, "isPro": False}
    orgs = [{"name": name, "type": "org"} for name in user.orgs]
    return Reply({**found, "orgs": orgs, "auth": {"type": "access_token", "accessToken": token}})


@route("POST", r"/api/validate-yaml")
def validate_yaml(hub: LoopbackHub, request: Request) -> Reply:
    block = re.match(r"\s*---\n(.*?)\n---", request.json().get("content", ""), re.DOTALL)
    errors = []
    try:
        yaml.safe_load(block[1] if block else "")
    except yaml.YAMLError as error:
        errors.append({"message": f"YAML: {error}"})
    return Reply({"errors": errors, "warnings": []}, status=400 if errors else 200)


@route("POST", r"/api/repos/create")
def create_repo(hub: LoopbackHub, request: Request) -> Reply:
    user, asked = hub.need_user(request), request.json()
    owner, kind = asked.get("organization") or user.name, asked.get("type") or "model"
    if not user.may_write_to(owner):
        raise HubError(403, f'You don\'t have the rights to create a {kind} under the namespace "{owner}"')
    repo_id = f"{owner}/{asked['name']}"
    url = f"{hub.url}/{_prefix(kind)}{repo_id}"
    private = bool(asked.get("private") or asked.get("visibility") == "private")
    try:
        hub.store.create(kind, repo_id, private=private)
    except HubError as error:
        return Reply({"error": error.message, "url": url}, error.status, {"X-Error-Message": error.message})
    return Reply({"url": url, "name": repo_id, "id": repo_id})


@route("DELETE", r"/api/repos/delete")
def delete_repo(hub: LoopbackHub, request: Request) -> Reply:
    asked = request.json()
    request.groups["kind"] = asked.get("type") or "model"
    request.groups["id"] = f"{asked.get('organization') or hub.need_user(request).name}/{asked['name']}"
    hub.repo(request, write=True)
    with hub.store.lock:
        del hub.store.repos[f"{request.groups['kind']}/{request.groups['id']}"]
        hub.store.save()
    return Reply(b"OK")


@route("PUT", rf"/api/{KIND}/{ID}/settings")
def change_settings(hub: LoopbackHub, request: Request) -> Reply:
    repo, asked = hub.repo(request, write=True), request.json()
    if "private" in asked or "visibility" in asked:
        repo["private"] = bool(asked.get("private") or asked.get("visibility") == "private")
        hub.store.save()
    return Reply({"private": repo["private"]})


@route("GET", rf"/api/{KIND}/{ID}")
@route("GET", rf"/api/{KIND}/{ID}/revision/{REVISION}")
def describe_repo(hub: LoopbackHub, request: Request) -> Reply:
    repo = hub.repo(request)
    oid = hub.store.resolve(repo, request.groups.get("revision") or "main")
    commit = repo["commits"][oid]
    made = {"_id": _sha1(repo["id"])[:24], "id": repo["id"], "author": repo["id"].split("/")[0], "sha": oid}
    flags = {"private": repo["private"], "gated": False, "disabled": False, "tags": [], "downloads": 0, "likes": 0}
    dates = {"lastModified": commit["date"], "createdAt": repo["created"]}
    files = [
        {"rfilename": path} | ({"size": entry["size"], "blobId": entry["oid"], **_lfs(entry)} if blobs else {})
        for blobs in [request.is_set("blobs")]
        for path, entry in sorted(commit["tree"].items())
    ]
    return Reply({**made, **flags, **dates, "siblings": files})


@route("GET", rf"/api/{KIND}/{ID}/tree/{REVISION}(?:/(?P<path>.*))?")
def list_tree(hub: LoopbackHub, request: Request) -> Reply:
    folder = request.groups["path"].strip("/")
    tree = hub.store.tree(hub.repo(request), request.groups["revision"])
    found = _listing(tree, folder, recursive=request.is_set("recursive"), expand=request.is_set("expand"))
    if folder and not found:
        raise HubError(404, f'{folder} does not exist on "{request.groups["revision"]}"', "EntryNotFound")
    start = int(request.query.get("cursor") or 0)
    stop = start + hub.page_size
    if stop >= len(found):
        return Reply(found[start:stop])
    query = "&".join(f"{name}={text}" for name, text in request.query.items() if name != "cursor")
    following = f'<{hub.url}{request.path}?{query}&cursor={stop}>; rel="next"'
    return Reply(found[start:stop], headers={"Link": following})


@route("POST", rf"/api/{KIND}/{ID}/paths-info/{REVISION}")
def describe_paths(hub: LoopbackHub, request: Request) -> Reply:
    tree = hub.store.tree(hub.repo(request), request.groups["revision"])
    if "json" in request.headers.get("Content-Type", ""):
        paths, expand = request.json()["paths"], bool(request.json().get("expand"))
    else:
        paths, expand = request.form().get("paths", []), request.form().get("expand", [""])[0].lower() == "true"
    found = []
    for path in [paths] if isinstance(paths, str) else paths:
        if path in tree:
            found.append(_file(path, tree[path], expand=expand))
        elif _listing(tree, path.strip("/"), recursive=False, expand=False):
            found.append({"type": "directory", "oid": _sha1(path), "size": 0, "path": path})
    return Reply(found)


@route("GET", rf"/api/{KIND}/{ID}/refs")
def list_refs(hub: LoopbackHub, request: Request) -> Reply:
    repo = hub.repo(request)
    spaces = {"branches": "refs/heads/", "tags": "refs/tags/", "pulls": "refs/pr/"}
    branches, tags, pulls = (
        [{"name": name, "ref": prefix + name, "targetCommit": oid} for name, oid in repo[space].items()]
        for space, prefix in spaces.items()
    )
    return Reply({"branches": branches, "tags": tags, "converts": [], "pullRequests": pulls})


@route("GET", rf"/api/{KIND}/{ID}/commits/{REVISION}")
def list_commits(hub: LoopbackHub, request: Request) -> Reply:
    repo = hub.repo(request)
    found: list[dict[str, Any]] = []
    oid: str | None = hub.store.resolve(repo, request.groups["revision"])
    while oid:
        commit = repo["commits"][oid]
        found.append({"id": oid, "authors": [], **{name: commit[name] for name in ("title", "message", "date")}})
        oid = commit["parent"]
    return Reply(found)


@route("POST", rf"/api/{KIND}/{ID}/(?P<space>branch|tag)/{REVISION}")
def create_ref(hub: LoopbackHub, request: Request) -> Reply:
    repo, asked = hub.repo(request, write=True), request.json()
    with hub.store.lock:
        if request.groups["space"] == "branch":
            refs, name, start = repo["branches"], request.groups["revision"], asked.get("startingPoint") or "main"
        else:
            refs, name, start = repo["tags"], asked["tag"], request.groups["revision"]
        if name in refs:
            raise HubError(409, f"Reference already exists: {name}")
        refs[name] = hub.store.resolve(repo, start)
        hub.store.save()
    return Reply(b"OK")


@route("DELETE", rf"/api/{KIND}/{ID}/(?P<space>branch|tag)/{REVISION}")
def delete_ref(hub: LoopbackHub, request: Request) -> Reply:
    repo = hub.repo(request, write=True)
    refs = repo["branches" if request.groups["space"] == "branch" else "tags"]
    if refs.pop(request.groups["revision"], None) is None:
        raise HubError(404, f"no such {request.groups['space']}", "RevisionNotFound")
    hub.store.save()
    return Reply(b"OK")


def _prefix(kind: str) -> str:
    return "" if kind == "model" else f"{kind}s/"


def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def _lfs(entry: Repo) -> dict[str, Any]:
    if "lfs" not in entry:
        return {}
    return {
        "lfs": {"oid": entry["sha256"], "sha256": entry["sha256"], "size": entry["size"], "pointerSize": entry["lfs"]}
    }


def _file(path: str, entry: Repo, *, expand: bool) -> dict[str, Any]:
    found = {"type": "file", "oid": entry["oid"], "size": entry["size"], "path": path, **_lfs(entry)}
    return found | ({"lastCommit": entry["last"]} if expand else {})


def _listing(tree: Tree, folder: str, *, recursive: bool, expand: bool) -> list[dict[str, Any]]:
    """Files and folders below a folder, in order of their paths; folders before what they hold."""
    found: dict[str, dict[str, Any]] = {}
    start = f"{folder}/" if folder else ""
    for path, entry in sorted(tree.items()):
        if not path.startswith(start):
            continue
        names = path.removeprefix(start).split("/")
        for depth in range(1, len(names) if recursive else min(2, len(names))):
            parent = start + "/".join(names[:depth])
            last = {"lastCommit": entry["last"]} if expand else {}
            found.setdefault(parent, {"type": "directory", "oid": _sha1(parent), "size": 0, "path": parent, **last})
        if recursive or len(names) == 1:
            found[path] = _file(path, entry, expand=expand)
    return list(found.values())
