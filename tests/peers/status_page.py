"""Looks at the status page with a browser: python status_page.py URL KEY SCREENSHOTS."""

import json
import os
import sys
import urllib.request

from playwright.sync_api import expect, sync_playwright

url, key, directory = sys.argv[1:]


def check(snippets, timeout):
    request = urllib.request.Request(
        url + "/api/check",
        json.dumps({"snippets": snippets, "timeout": timeout, "cache": True}).encode(),
        {"content-type": "application/json", "authorization": key},
    )
    return json.load(urllib.request.urlopen(request, timeout=120))["results"]


EVIL = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"

with sync_playwright() as p:
    browser = p.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": 1280, "height": 1180}, color_scheme="light")
    problems, requests = [], []
    page.on("pageerror", lambda e: problems.append(str(e)))
    page.on("request", lambda r: requests.append(r.url))
    page.goto(url + "/status")
    # Without the key there is nothing to see; a wrong one is asked for again.
    expect(page.locator("#state")).to_have_text("locked", timeout=60_000)
    page.fill("#key", "wrong")
    page.click("#ask button")
    expect(page.locator("#ask")).to_be_visible()
    page.fill("#key", key)
    page.click("#ask button")
    expect(page.locator("#state")).to_have_text("healthy", timeout=60_000)
    expect(page.locator("#ask")).to_be_hidden()

    # Work of every kind, over some seconds, so that there is something to draw.
    for n in range(int(os.environ.get("ROUNDS", "12"))):
        codes = [f"import Known{n % 3}\n\ndef x{n}_{i} := 1\n#sleep {17 * (i % 9)}" for i in range(8 + n % 5)]
        codes += [codes[0], "theorem t : a = b := by sorry", f"#check y{n}"]
        check([{"id": f"r{n}-{i}", "code": c} for i, c in enumerate(codes)], 60)
        page.wait_for_timeout(500)
    expect(page.locator("#headers td", has_text="import Known").first).to_be_visible(timeout=60_000)
    faults = [{"id": EVIL, "code": f"{EVIL}\n#crash"}, {"id": "slow", "code": "#hang"}, {"id": "nonsense", "code": "#garbage"}]
    check(faults, 1)
    # Their processes are gone; the picture is to show some.
    check([{"id": f"last{i}", "code": f"import Known{i}\n#sleep 300"} for i in range(2)], 60)

    expect(page.locator("#failures td", has_text="slow")).to_be_visible(timeout=60_000)
    expect(page.locator("#verdicts", has_text="sorry")).to_be_visible()
    assert "hacked" not in page.title() and page.locator("#failures img").count() == 0
    expect(page.locator("#failures td", has_text="<img src=x").first).to_be_visible()
    page.wait_for_function("document.querySelectorAll('#c-rate path').length >= 2 && document.querySelectorAll('#c-lat path').length >= 1")

    # The buttons do what they say.
    assert "5:00" in page.locator("#c-rate").text_content()
    page.click("#range button:has-text('1 min')")
    assert "1:00" in page.locator("#c-rate").text_content()
    page.click("#pause")
    seen = len(requests)
    page.wait_for_timeout(2500)
    assert len(requests) <= seen + 1, "paused, but still asking"
    with page.expect_request("**/api/status*", timeout=60_000):
        page.click("#pause")
    box = page.locator("#c-lat").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 60)
    expect(page.locator("#k-lat b").first).to_be_visible()
    page.mouse.move(0, 0)
    if page.locator("#failures summary").count():
        page.locator("#failures summary").last.click()
        expect(page.locator("#failures pre").last).to_be_visible()
    page.screenshot(path=f"{directory}/status-light.png", full_page=True)
    background = lambda: page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = background()
    page.click("#theme")
    assert background() != light
    page.screenshot(path=f"{directory}/status-dark.png", full_page=True)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than a telephone"
    page.screenshot(path=f"{directory}/status-narrow.png", full_page=True)

    # The page of the interface.
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(url + "/docs")
    page.locator("summary", has_text="/api/check").first.click()
    expect(page.locator("pre").first).to_be_visible()
    page.screenshot(path=f"{directory}/docs.png")

    assert not problems, problems
    assert all(r.startswith((url, "data:")) for r in requests), "something was loaded from elsewhere"
    browser.close()
print("all right")
