"""Kimina's own clients, as they come from PyPI, against a server: python kimina_clients.py URL KEY ENGINE."""

import asyncio
import sys
import typing

import httpx
import typing_extensions

if sys.version_info < (3, 12):
    # The clients were written for Python 3.12: pydantic refuses the older `TypedDict`.
    typing.TypedDict = typing_extensions.TypedDict

import kimina
import kimina_client
from kimina_client import Infotree, KiminaClient, AsyncKiminaClient, Snippet

url, key, engine = sys.argv[1:]
real = engine == "lean"

RIGHT = "theorem t : 1 + 1 = 2 := rfl" if real else "theorem t : a = a := rfl"
WRONG = "theorem t : 1 + 1 = 3 := rfl" if real else "theorem t : a = b := rfl"
SORRY = "theorem t : 1 + 1 = 3 := by sorry" if real else "theorem t : a = b := by sorry"
WANT = {"right": "valid", "wrong": "lean_error", "sorry": "sorry"}


def snippets(module):
    return [module.Snippet(id=i, code=c) for i, c in (("right", RIGHT), ("wrong", WRONG), ("sorry", SORRY))]


def verdict(result):
    if hasattr(result, "analyze"):
        return result.analyze().status.value
    # The older client leaves this to its users.
    if result.error is not None:
        return "timeout_error" if "timed out" in result.error else "server_error"
    errors = any(m["severity"] == "error" for m in result.response.get("messages") or [])
    return "lean_error" if errors else "sorry" if result.response.get("sorries") else "valid"


def verdicts(response):
    return {r.id: verdict(r) for r in response.results}


for module, sync, asynchronous in (
    (kimina_client, KiminaClient, AsyncKiminaClient),
    (kimina, kimina.Kimina, kimina.AsyncKimina),
):
    # The older client does not send its key by itself.
    headers = {"Authorization": f"Bearer {key}"}
    client = sync(api_url=url, api_key=key, headers=headers)
    assert client.health() == {"status": "ok"}, client.health()
    found = client.check(snippets(module), timeout=60, show_progress=False)
    assert verdicts(found) == WANT, found
    assert [r.id for r in client.api_check(snippets(module)).results] == ["right", "wrong", "sorry"]
    one = client.check(RIGHT, debug=True, reuse=False, show_progress=False)
    assert one.results[0].diagnostics["repl_uuid"], one
    many = client.check([f"{RIGHT}\n-- {i}" for i in range(40)], batch_size=8, show_progress=False)
    assert len(many.results) == 40 and all(verdict(r) == "valid" for r in many.results)
    if hasattr(many, "analyze"):
        many.analyze(1.0)
    if real:
        client.test()  # exactly `Nat : Type`, at its place
    else:
        tree = client.check(RIGHT, infotree=Infotree.original, show_progress=False)
        assert tree.results[0].response["infotree"], tree
        late = client.check("#hang", timeout=1, show_progress=False).results[0]
        assert verdict(late) == "timeout_error", late

    async def calls():
        client = asynchronous(api_url=url, api_key=key, headers=headers)
        assert verdicts(await client.check(snippets(module), timeout=60, show_progress=False)) == WANT
        assert (await client.health()) == {"status": "ok"}
        if real:
            await client.test()
        await client.close()

    asyncio.run(calls())

# A wrong key is an error at once after the retries; safe mode turns it into results.
stranger = KiminaClient(api_url=url, api_key="wrong", n_retries=1)
safe = stranger.check(RIGHT, show_progress=False).results[0]
assert safe.error and verdict(safe) == "server_error", safe

# The calls of the client before 2.0 (it is not on PyPI): GET / to try the connection, then POST /verify.
assert httpx.get(url + "/", headers=headers).status_code == 200
codes = [{"custom_id": i, "proof": p} for i, p in enumerate((RIGHT, WRONG, SORRY))]
body = {"codes": codes, "timeout": 60, "infotree_type": None, "disable_cache": False}
results = httpx.post(url + "/verify", json=body, headers=headers, timeout=120).json()["results"]
assert [r["custom_id"] for r in results] == ["0", "1", "2"]
assert all(isinstance(r["response"]["time"], float) and "error" not in r for r in results), results
severities = [[m["severity"] for m in r["response"].get("messages", [])] for r in results]
assert "error" not in severities[0] and "error" in severities[1] and "warning" in severities[2], severities

print("all right")
