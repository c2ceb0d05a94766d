"""AXLE's own client and command line, as they come from PyPI, against a server:
python axle_client.py URL KEY FILE1 FILE2 MERGED PROGRAM DIR, where MERGED is what the two files should become, and
PROGRAM is our own command line, which should do the same; files are written into DIR."""

import asyncio
import json
import os
import subprocess
import sys
import time

import requests
from axle import AxleClient
from axle.exceptions import AxleInvalidArgument, AxleIsUnavailable, AxleNotFoundError, LeanTimeout

url, key, file1, file2, merged, program, directory = sys.argv[1:]
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


def both(tool, *args, status=0, stdin=""):
    """Runs a tool of AXLE's command line and of ours with the same arguments: the same answer, the same status."""
    answers = []
    for run in ([sys.executable, "-m", "axle.cli.main"], [program]):
        mine = [a.replace("DIR", os.path.join(directory, "ours" if run == [program] else "theirs")) for a in args]
        command = [*run, tool, *mine, "--environment", "x"]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, encoding="utf-8", timeout=300)
        assert done.returncode == status, (command, done)
        out = done.stdout
        if out.startswith("{"):
            out = {k: v for k, v in json.loads(out).items() if k not in ("timings", "info")}
        elif out:
            # What was done stands on standard error, for some of AXLE's tools.
            told = json.loads(done.stderr) if done.stderr.startswith("{") else None
            out = (out.removesuffix("\n"), told and {k: v for k, v in told.items() if k not in ("timings", "info")})
        answers.append(out)
    theirs, ours = answers
    assert theirs == ours or (theirs[1] is None and theirs[0] == ours[0]), answers
    return ours


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
        await refused(axle.check(content="", environment=env, global_options={"pp.all": True}), "global_options")
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

# Every tool, beside our own command line, which needs no server.
SOURCE = """namespace N
def f := 1
theorem t : f = 1 := by rfl
theorem u (x : Nat) : x = x + 0 := rfl
end N
theorem N.M.t : 2 = 2 := rfl
"""
source = os.path.join(directory, "Source.lean")
wrong = os.path.join(directory, "Wrong.lean")
names = os.path.join(directory, "names.json")
for path, text in ((source, SOURCE), (wrong, "theorem w : 1 = 2 := rfl"), (names, '{"N.f": "N.g", "N.t": "N.s"}')):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
text, told = both("normalize", source)
assert "theorem N.t : N.f = 1" in text or "theorem N.t : f = 1" in text, text
assert told["normalize_stats"]["remove_sections"] == 1, told
both("normalize", "-", "--normalizations", "remove_duplicates", stdin=SOURCE)
both("normalize", source, "--normalizations", "nothing", status=1)
text, _ = both("rename", source, "--declarations", "N.f=N.g,N.t=N.s")
assert "theorem s : g = 1" in text, text
assert both("rename", "-", "--declarations-file", names, stdin=SOURCE)[0] == text
both("rename", source, "--declarations", "N.nobody=a", status=1)
assert both("theorem2sorry", source)[0].count("sorry") == 3
assert both("theorem2sorry", source, "--names", "u,N.t", "--indices=-1")[0].count("sorry") == 3
assert both("theorem2sorry", "-", "--names", "M.t", stdin=SOURCE)[0].count("sorry") == 1
both("theorem2sorry", source, "--names", "f", status=1)
assert both("theorem2sorry", source, "--names", "f", "--no-theorems-only")[0].count("sorry") == 0
assert both("check", source, "--strict")["okay"]
assert both("check", wrong)["failed_declarations"] == ["w"]
both("check", wrong, "--strict", status=3)
both("check", "-", "--strict", stdin=SOURCE)
assert both("check", source, "--names", "u", "--global-options", "autoImplicit=true,maxHeartbeats=300000")["okay"]
both("check", source, "--names", "a", status=1)
both("check", source, "--global-options", "no.option=1", status=1)
parts = both("extract-decls", source, "-d", "DIR", "--verbosity", "1")["documents"]
assert set(parts) == {"N.f", "N.t", "N.u", "N.M.t"} and parts["N.t"]["tactic_counts"] == {"rfl": 1}, parts
for name in parts:
    ours, theirs = (open(os.path.join(directory, d, name + ".lean"), encoding="utf-8").read() for d in ("ours", "theirs"))
    assert ours.rstrip("\n") == theirs == parts[name]["content"], (ours, theirs)
both("extract-decls", source, "-d", "DIR", status=2)
both("extract-decls", source, "-d", "DIR", "-f", "--names", "M.t", "--dependencies-only", "--no-elaborate-proofs")

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
