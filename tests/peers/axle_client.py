"""AXLE's own client and command line, as they come from PyPI, against a server:
python axle_client.py URL KEY FILE1 FILE2 MERGED, where MERGED is what the two files should become."""

import asyncio
import json
import os
import subprocess
import sys
import time

import requests
from axle import AxleClient
from axle.exceptions import AxleInvalidArgument, AxleIsUnavailable, AxleNotFoundError, LeanTimeout

url, key, file1, file2, merged = sys.argv[1:]
os.environ["AXLE_API_URL"] = url
os.environ["AXLE_TIMEOUT_SECONDS"] = "120"
if key:
    os.environ["AXLE_API_KEY"] = key
ONE, TWO, MERGED = (open(f, encoding="utf-8").read() for f in (file1, file2, merged))


def command_line(*args, status=0):
    run = [sys.executable, "-m", "axle.cli.main", *args]
    done = subprocess.run(run, capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert done.returncode == status, done
    return done


async def refused(call, *words):
    try:
        answer = await call
    except AxleInvalidArgument as e:
        assert all(w in str(e) for w in words), e
    else:
        raise AssertionError(f"not refused: {answer}")


async def calls():
    async with AxleClient() as axle:
        until = time.monotonic() + 120
        while True:
            try:
                assert axle.check_status() == {"status": "healthy"}
                break
            except AxleIsUnavailable:
                assert time.monotonic() < until, "it does not become healthy"
                await asyncio.sleep(0.1)
        (env,) = await axle.environments()
        assert env == await axle.get_latest_environment(), env
        assert env["lean_toolchain"] == "leanprover/lean4:v" + env["name"].removeprefix("lean-"), env
        env = env["name"]

        found = await axle.merge(documents=[ONE, TWO], environment=env)
        assert found.content == MERGED.rstrip("\n"), found.content
        assert len(found.lean_messages.errors) == 1 and ": error: " in found.lean_messages.errors[0], found
        assert found.timings["total_ms"] >= found.timings["parse_ms"] >= 0
        assert found.info["lean_version"].startswith("Lean (version " + env.removeprefix("lean-")), found.info
        # AXLE's rule moves what is no declaration to the top, and what that breaks is said.
        scoped = "namespace N\ntheorem t : 1 = 1 := rfl\nend N"
        hoisted = await axle.merge(documents=[scoped], environment=env)
        kept = await axle.run_one("merge", {"documents": [scoped], "environment": env, "scopes": "preserve"})
        order = [kept["content"].index(line) for line in scoped.split("\n")]
        assert order == sorted(order) and not kept["tool_messages"]["warnings"], kept
        assert any("preserve" in w for w in hoisted.tool_messages.warnings), hoisted
        assert hoisted.content.index("end N") < hoisted.content.index("theorem t"), hoisted

        good = await axle.check(content="theorem t : 1 = 1 := rfl", environment="any name")
        assert good.okay and not good.failed_declarations, good
        bad = await axle.check(content="theorem t : 1 = 2 := rfl", environment=env)
        assert not bad.okay and bad.failed_declarations == ["t"], bad
        assert bad.lean_messages.errors[0].startswith("-:1:"), bad
        renamed = await axle.rename(
            content="inductive T | a\ndef f : T := .a\ntheorem t : f = T.a := rfl", declarations={"T": "U"}, environment=env
        )
        assert renamed.content == "inductive U | a\ndef f : U := .a\ntheorem t : f = U.a := rfl", renamed
        plain = await axle.normalize(content="section\ntheorem t : 1 = 1 := rfl\nend", environment=env)
        assert "section" not in plain.content and plain.normalize_stats["remove_sections"] > 0, plain
        parts = await axle.extract_decls(content="def f := 1\ntheorem t : f = 1 := rfl", environment=env)
        assert list(parts.documents) == ["f", "t"], parts
        assert parts.documents["t"].kind == "theorem" and parts.documents["t"].local_type_dependencies == ["f"], parts
        assert "def f" in parts.documents["t"].content, parts
        unproved = await axle.theorem2sorry(content="theorem t : 1 = 1 := rfl", environment=env)
        assert unproved.content == "theorem t : 1 = 1 := sorry", unproved

        # Bad requests, each with what to change.
        await refused(axle.merge(documents=[], environment=env), "documents is empty")
        await refused(axle.check(content="import Missing", environment=env), "Missing")
        await refused(axle.check(content="", environment=env, global_options={"autoImplicit": True}), "global_options")
        await refused(axle.check(content="", environment=env, timeout_seconds=901), "900")
        await refused(axle.rename(content="def f := 1", declarations={"g": "h"}, environment=env), "did you mean f?")
        await refused(axle.normalize(content="", environment=env, normalizations=["what"]), "what")
        await refused(axle.run_one("check", {}), "content")
        loop = "partial def go : IO Unit := do IO.sleep 50; go\n#eval go"
        try:
            raise AssertionError(await axle.check(content=loop, environment=env, timeout_seconds=3))
        except LeanTimeout as e:
            assert "timeout_seconds" in str(e), e
        try:
            raise AssertionError(await axle.disprove(content=loop, environment=env))
        except AxleNotFoundError:
            pass
    return env


env = asyncio.run(calls())

# The command line.
done = command_line("merge", file1, file2, "--environment", env)
assert done.stdout == MERGED.rstrip("\n"), done
whole = json.loads(command_line("--json", "merge", file1, file2, "--environment", env).stdout)
assert whole["content"] == done.stdout and len(whole["lean_messages"]["errors"]) == 1, whole
assert "unsuccessful" in done.stdout
assert json.loads(command_line("environments").stdout)[0]["name"] == env
wrong = command_line("rename", file1, "--declarations", "Z=A", "--environment", env, status=1)
assert "Z is not declared" in wrong.stderr, wrong

# Without the client. The body is one line of JSON, as its type says; the older address does the same.
headers = {"Authorization": f"Bearer {key}"} if key else {}
body = {"documents": [ONE, TWO], "environment": env}
for path in ("/api/v1/merge", "/v1/axle/merge"):
    answer = requests.post(url + path, json=body, headers=headers, timeout=120)
    assert answer.headers["content-type"] == "application/json" and "\n" not in answer.text.rstrip("\n")
    assert answer.json()["content"] == MERGED.rstrip("\n"), answer.text
answer = requests.post(url + "/api/v1/check", data="{", headers={**headers, "X-Request-Source": "x"}, timeout=120)
assert answer.status_code == 400 and "JSON" in answer.json()["user_error"], answer.text
# What a web page could make a browser send is refused, unless a key comes with it.
answer = requests.post(url + "/api/v1/check", data='{"content": ""}', headers=headers, timeout=120)
assert answer.status_code == (200 if key else 400), answer.text
if key:
    for path in ("/api/v1/merge", "/v1/axle/merge"):
        assert requests.post(url + path, json=body, timeout=120).status_code == 401
    assert requests.get(url + "/v1/environments", timeout=120).status_code == 401

print("all right")
