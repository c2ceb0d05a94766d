"""Holds a server against its own description: python openapi_conformance.py URL.

Every operation is called with right and with wrong input, made from the schemas; each answer must have a status
that the description lists, and a body that fits its schema there.
"""

import copy
import json
import random
import sys

import httpx
from jsonschema import Draft202012Validator

url = sys.argv[1]
client = httpx.Client(base_url=url, timeout=120)
api = client.get("/api/openapi.json").json()
chance = random.Random(1)


def with_components(schema):
    return {**schema, "components": api["components"]}


def fits(value, schema):
    return Draft202012Validator(with_components(schema)).is_valid(value)


def hold(path, method, answer, sent):
    operation = api["paths"][path][method]
    where = f"{method} {path} with {sent!r:.300}: {answer.status_code} {answer.text[:300]}"
    described = operation["responses"].get(str(answer.status_code))
    assert described, f"no such status: {where}"
    kind = answer.headers["content-type"].split(";")[0]
    assert kind in described["content"], f"{kind} is not described: {where}"
    if kind == "application/json":
        errors = list(Draft202012Validator(with_components(described["content"][kind]["schema"])).iter_errors(answer.json()))
        assert not errors, f"{errors[0].message}: {where}"
    return answer


ODD = [None, True, -1, 0, 1.5, 10**30, "", "x", "true", [], {}, [1], {"id": 1}, "\u0000\ud7ff", "a" * 5000]
BODIES = {
    "/api/check": {"snippets": [{"id": "a", "code": "def x := 1"}, {"id": "b", "code": "#check y"}], "timeout": 30,
                   "debug": True, "reuse": True, "infotree": "full", "audit": True, "imports": "as_written", "cache": True},
    "/api/jobs": {"snippets": [{"id": "a", "code": "def x := 1"}], "timeout": 30},
    "/verify": {"codes": [{"custom_id": 1, "proof": "def x := 1"}, {"custom_id": "b", "code": "#check y"}], "timeout": 30,
                "infotree_type": None, "disable_cache": False},
    "/api/arb": {"func": "exp", "lo": "0", "hi": "1", "digits": 10},
}
BODIES["/one_pass_verify_batch"] = BODIES["/verify"]
LEAN = "namespace N\ndef f := 1\ntheorem t : f = 1 := by rfl\nend N"
COMMON = {"environment": "x", "ignore_imports": False, "timeout_seconds": 100, "global_options": {"autoImplicit": False}}
CHOSEN = {"names": ["t"], "indices": [0, -1], "theorems_only": True}
TOOLS = {
    "/api/v1/merge": {"documents": [LEAN, "def g := 2"], "use_def_eq": True, "include_alts_as_comments": True, "scopes": "preserve"},
    "/v1/axle/merge": {"documents": ["def g := 2"]},
    "/api/v1/normalize": {"content": LEAN, "normalizations": ["remove_sections"], "failsafe": True},
    "/api/v1/rename": {"content": LEAN, "declarations": {"N.f": "N.g"}},
    "/api/v1/check": {"content": LEAN, **CHOSEN},
    "/api/v1/extract_decls": {"content": LEAN, "names": ["t"], "verbosity": 1, "delab_options": {"pp.notation": False},
                              "elaborate": True, "elaborate_proofs": True, "dependencies_only": False},
    "/api/v1/theorem2sorry": {"content": LEAN, **CHOSEN},
}
BODIES |= {path: body | COMMON for path, body in TOOLS.items()}
# A server without Lean says so.
HAS_LEAN = client.get("/v1/environments").status_code == 200


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from places(inner, path + (key,))


def changed(body):
    """The same body with something odd in one place, or without it."""
    path = chance.choice([p for p in places(body) if p])
    body = copy.deepcopy(body)
    inner = body
    for key in path[:-1]:
        inner = inner[key]
    if chance.random() < 0.3:
        del inner[path[-1]]
    else:
        inner[path[-1]] = chance.choice(ODD)
    return body


calls = 0
for path, body in BODIES.items():
    schema = api["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert fits(body, schema), f"{path}: the example does not fit its own schema"
    good = hold(path, "post", client.post(path, json=body), body)
    assert good.status_code in (200, 202) or (path in TOOLS and not HAS_LEAN), good.text
    assert not fits({"codes": 1, "snippets": 1}, schema) or path == "/api/arb"
    for _ in range(15 if path in TOOLS else 60):
        sent = changed(changed(body) if chance.random() < 0.3 else body)
        # A time of 0 or a year is right, and no use here.
        if isinstance(sent.get("timeout"), (int, float)) and sent["timeout"] in (0, True):
            continue
        answer = hold(path, "post", client.post(path, json=sent), sent)
        calls += 1
        ids = [s.get("id") for s in sent.get("snippets") or [] if isinstance(s, dict)] if isinstance(sent.get("snippets"), list) else []
        # A name may not be there and an option may be unknown: that is for Lean to say.
        if path not in ("/api/arb", *TOOLS) and fits(sent, schema) and len(set(map(str, ids))) == len(ids):
            assert answer.status_code in (200, 202), f"refused although it fits: {sent} {answer.text}"
    for raw in (b"", b"{", b"[]", b"null", b"\xff\xfe", b"1" * 100, b'{"a":' * 2000):
        hold(path, "post", client.post(path, content=raw, headers={"content-type": "application/json"}), raw)

job = client.post("/api/jobs", json=BODIES["/api/jobs"]).json()
for path, methods in api["paths"].items():
    for method in methods:
        if method == "post":
            continue
        for name in (job["id"], "nothing", "%00", "a b"):
            hold(path, method, client.request(method, path.replace("{id}", name)), name)
        for query in ("?from=0&limit=1", "?from=-1", "?limit=x", "?since=5", "?since=-5"):
            if any(p["in"] == "query" and p["name"] == query[1:].split("=")[0] for p in methods[method].get("parameters", [])):
                hold(path, method, client.request(method, path.replace("{id}", job["id"]) + query), query)
assert calls > 150, calls
print("all right")
