"""The report's page in headless Chromium: what it shows, by keyboard, in light and dark, on paper, and how fast.

Every function below whose name is a sentence is a check; words as arguments choose those whose name has one of them.
Screenshots go to target/page/shots.
"""

import json
import re
import statistics
import sys
import traceback

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

import support
import world
from support import AXE, DEMO, HOSTILE, SHOTS, WORK, Served, counted

FINDINGS = ["public", "unconfined", "dead", "noRule", "full"]
browser = None


def opened(url, **settings):
    """A page, of which every complaint of the browser is a failure and every request is noted."""
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 1000}} | settings)
    page = context.new_page()
    page.complaints, page.requests = [], []
    page.on("console", lambda message: page.complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("requestfinished", lambda request: page.requests.append(request.url))
    page.goto(url if isinstance(url, str) else url.as_uri())
    return page


def closed(page, refusals=0):
    """Ends a page; a refusal by the broker is no fault of the page, though the browser complains of its status."""
    complaints = [text for text in page.complaints if "status of 403" not in text]
    assert complaints == [] and len(page.complaints) == refusals, page.complaints
    page.context.close()


def shot(page, name):
    page.screenshot(path=SHOTS / f"{name}.png")


def is_accessible(page, what):
    results = Axe().run(page, options=AXE).response
    broken = [(rule["id"], [node["html"] for node in rule["nodes"]][:3]) for rule in results["violations"]]
    assert not broken, f"{what}: {json.dumps(broken, indent=1)}"
    assert len(results["passes"]) > 20, "the rules have run"


def the_figures_are_those_of_the_command_line():
    path, said = support.report("demo.html", "--demo")
    page = opened(path)
    told = [int(n) for n in re.findall(r"(\d+) (?:open|without|with|that|policies)", said)]
    shown = [int(page.locator(f"[data-finding={name}] .value").text_content()) for name in FINDINGS]
    assert told == shown and all(shown), (said, shown)
    assert f"{counted(page)[0]} statements on {counted(page)[1]} targets" in said
    for name, figure in zip(FINDINGS[:4], shown):
        page.locator(f"[data-finding={name}]").click()
        expect(page.locator(f"[data-finding={name}]")).to_have_attribute("aria-pressed", "true")
        assert counted(page)[0] == figure, name
    closed(page)


def typing_finds_what_the_policies_hold():
    path, _ = support.report("demo.html", "--demo")
    page = opened(path)
    for typed in ["998877665544", "partner-invoke", "O-A1B2C3D4E5", "function:orders:live", "s3.amazonaws.com"]:
        held = [
            name
            for name, _, text in support.statements(DEMO)
            if typed.lower() in text.lower() or typed.lower() in name.lower()
        ]
        page.locator("#filter").press_sequentially(typed)
        assert counted(page) == (len(held), len(set(held))), (typed, held)
        assert held, typed
        expect(page.locator(".main > tbody > tr:not(.detail)")).to_have_count(len(set(held)))
        expect(page.locator(".statements > tbody > tr:not(.detail)")).to_have_count(len(held))
        page.locator("#filter").press("Escape")
        expect(page.locator("#filter")).to_have_value("")
    every = counted(page)
    page.locator("#filter").press_sequentially("orders 998877665544")
    assert counted(page) == (1, 1), "every word has to be found"
    page.locator("#filter").fill("no such thing")
    expect(page.locator(".empty")).to_have_text("No statement matches.")
    page.locator("#filter").fill("")
    page.get_by_label("Layers").check()
    layers = counted(page)
    page.get_by_label("Functions").check()
    assert counted(page)[0] + layers[0] == every[0]
    closed(page)


def each_party_reaches_what_names_it():
    path, _ = support.report("demo.html", "--demo")
    page = opened(path)
    page.get_by_label("By party").check()
    row = page.locator(".main > tbody > tr", has_text="998877665544")
    held = {name for name, statement, text in support.statements(DEMO) if "998877665544" in text and statement["Effect"] == "Allow"}
    for name in held:
        expect(row).to_contain_text(name.split(":", 1)[1])
    row.get_by_role("button").click()
    expect(page.locator(".statements > tbody > tr")).to_have_count(len(held))
    shot(page, "parties-open")
    closed(page)


def everything_is_reached_by_keyboard():
    path, _ = support.report("demo.html", "--demo")
    page = opened(path)
    focused = lambda: page.evaluate("document.activeElement.id || document.activeElement.className || document.activeElement.value || document.activeElement.tagName")
    page.keyboard.press("Tab")
    assert focused() == "skip"
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert focused() == "filter"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("By party")).to_be_checked()
    expect(page.locator(".main.parties")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    sorted_by = page.locator("th[data-sort=name]")
    expect(sorted_by).to_have_attribute("aria-sort", "ascending")
    page.keyboard.press("Enter")
    expect(sorted_by).to_have_attribute("aria-sort", "descending")
    for _ in range(4):
        page.keyboard.press("Tab")
    assert focused() == "toggle"
    page.keyboard.press("Enter")
    expect(page.locator(".toggle").first).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Request that revokes it").first).to_be_visible()
    page.keyboard.press("/")
    assert focused() == "filter"
    expect(page.locator("#filter")).to_have_value("")
    page.keyboard.press("Shift+Tab")
    assert focused().startswith("figure")
    page.keyboard.press("Space")
    expect(page.locator("[data-finding=full]")).to_have_attribute("aria-pressed", "true")
    closed(page)


def light_and_dark_can_be_read_by_everybody():
    path, _ = support.report("demo.html", "--demo")
    grounds = set()
    for scheme in ["light", "dark"]:
        page = opened(path, color_scheme=scheme)
        grounds.add(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
        shot(page, f"targets-{scheme}")
        is_accessible(page, f"targets, {scheme}")
        page.locator(".main > tbody > tr > th .toggle").nth(6).click()
        page.locator(".main > tbody > tr > th .toggle").nth(0).click()
        page.locator(".statements .toggle").nth(1).click()
        shot(page, f"targets-open-{scheme}")
        is_accessible(page, f"statements, {scheme}")
        page.get_by_label("By party").check()
        shot(page, f"parties-{scheme}")
        is_accessible(page, f"parties, {scheme}")
        closed(page)
    assert len(grounds) == 2, grounds
    page = opened(path, viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "only the table scrolls sideways"
    shot(page, "narrow")
    is_accessible(page, "narrow")
    closed(page)


def who_wants_no_motion_gets_none():
    path, _ = support.report("demo.html", "--demo")
    moving = """[...document.querySelectorAll("*")].filter((node) =>
        ["", "::before", "::after"].some((part) => getComputedStyle(node, part).transitionDuration !== "0s"
            || getComputedStyle(node, part).animationName !== "none")).length"""
    for motion, some in [("reduce", False), ("no-preference", True)]:
        page = opened(path, reduced_motion=motion)
        assert bool(page.evaluate(moving)) is some, motion
        closed(page)


def paper_gets_everything_that_was_found():
    path, _ = support.report("demo.html", "--demo")
    page = opened(path)
    pdf = page.pdf(path=SHOTS / "report.pdf", format="A4", landscape=True)
    assert pdf.startswith(b"%PDF-")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    for hidden in ["#filter", "#view", "#more", ".skip"]:
        expect(page.locator(hidden)).to_be_hidden()
    every = sum(1 for _ in support.statements(DEMO))
    expect(page.locator(".statements > tbody > tr:not(.detail)")).to_have_count(every)
    expect(page.locator("#access .notice")).to_have_count(0)
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator(".statements")).to_have_count(0)
    closed(page)


def printed(page):
    """How long the browser stands still for a print, in milliseconds."""
    page.emulate_media(media="print")
    script = """(() => {
        const begun = performance.now();
        dispatchEvent(new Event("beforeprint"));
        document.body.getBoundingClientRect();
        return performance.now() - begun;
    })()"""
    return page.evaluate(script)


def on_screen(page):
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")


def paper_says_what_it_leaves_out(page):
    """Of 50,000 statements; the page is open."""
    rows, statements = page.locator(".main > tbody > tr:not(.detail)"), page.locator(".statements > tbody > tr")
    took = [printed(page)]
    expect(page.locator("#access .notice")).to_contain_text(
        "the first 500 of 1,000 targets, and of 50,000 statements 0, which were opened. Up to 2,000 statements are printed whole"
    )
    expect(rows).to_have_count(500)
    on_screen(page)
    expect(page.locator("#access .notice")).to_have_count(0)
    for typed, finding, found in [("service-000", "", 500), ("", "public", 1000), ("service-00", "", 5000)]:
        page.locator("#filter").fill(typed)
        page.locator(f"[data-finding='{finding}']").click()
        assert counted(page)[0] == found, (typed, finding, counted(page))
        took.append(printed(page))
        expect(page.locator("#access .notice")).to_have_count(0 if found <= 2000 else 1)
        expect(statements).to_have_count(found if found <= 2000 else 0)
        on_screen(page)
    page.locator("#filter").fill("")
    # What was opened by hand is printed as far as there is room.
    page.get_by_label("By party").check()
    page.locator("th[data-sort=statements] button").click()
    page.locator(".main > tbody > tr > th .toggle").first.click()
    took.append(printed(page))
    expect(statements).to_have_count(2000)
    expect(page.locator(".detail > td > p")).to_have_text(re.compile(r"^[\d,]+ more statements not printed\.$"))
    expect(page.locator("#access .notice")).to_contain_text("statements 2,000, which were opened")
    on_screen(page)
    page.locator(".main > tbody > tr > th .toggle").first.click()
    page.get_by_label("By target").check()
    return max(took)


def hostile_text_stays_text():
    path, _ = support.report("hostile.html", "--demo", "--world", support.hostile_world())
    text = path.read_text()
    assert "CANARY-7f3a91" not in text and text.count("<script") == 2 and text.count("</script") == 2
    page = opened(path)
    page.locator(".toggle").first.click()
    for toggle in page.locator(".statements .toggle").all():
        toggle.click()
    shown = page.locator("#access").text_content()
    for text in HOSTILE:
        # What has no shape or turns the writing around is spelt out.
        spelt = re.sub("[\u0085\u2028\u2029\u202e\u2066]", lambda char: f"\\u{ord(char[0]):04x}", text)
        assert spelt in shown, spelt
    assert "present" in shown
    page.get_by_label("By party").check()
    assert page.evaluate("window.hacked") is None and page.locator("#access img, #access script").count() == 0
    assert page.evaluate("Object.keys(Object.prototype).length") == 0
    shot(page, "hostile")
    closed(page)


def nothing_is_asked_of_any_network():
    path, _ = support.report("demo.html", "--demo")
    page = opened(path, offline=True)
    page.locator(".toggle").first.click()
    assert page.requests == [path.as_uri()], page.requests
    # What the page's own policy forbids: a foreign script, a foreign address, markup with a handler.
    tried = page.evaluate(
        """async () => {
            const script = document.createElement("script");
            script.textContent = "window.hacked = 5";
            document.body.append(script);
            const holder = document.createElement("div");
            document.body.append(holder);
            holder.innerHTML = '<img src="https://example.invalid/x" onerror="window.hacked = 6">';
            const fetched = await fetch("https://example.invalid/").then(() => true, () => false);
            return [window.hacked, fetched];
        }"""
    )
    assert tried == [None, False] and page.requests == [path.as_uri()], (tried, page.requests)
    page.context.close()


def what_was_not_read_is_said():
    path, _ = support.report("demo.html", "--demo")
    data = re.sub(r'"unread":\[\]', '"unread":[{"target":"function:orders","operation":"GetPolicy","code":"AccessDeniedException"}]', path.read_text())
    partly = WORK / "partly.html"
    partly.write_text(data)
    page = opened(partly)
    expect(page.locator("#notice")).to_contain_text("1 call failed, so this page is not complete")
    expect(page.locator(".unread tbody tr")).to_have_text("function:ordersGetPolicyAccessDeniedException")
    is_accessible(page, "not read")
    closed(page)


def fifty_thousand_statements_open_and_filter_without_a_pause():
    large = WORK / "world.json"
    large.write_text(json.dumps(world.world()))
    path, progress = support.report_on_a_terminal("large.html", "--demo", "--world", large)
    assert re.search(r"reading policies  #*-*  \d+ of 1000  \d+:\d\d left", progress), progress[:200]
    assert progress.endswith("\r\x1b[2K"), "at the end it is taken away"
    page = opened(path)
    every = world.FUNCTIONS * world.STATEMENTS
    assert counted(page) == (every, world.FUNCTIONS)
    rows = page.evaluate("performance.getEntriesByName('rows')[0].startTime")
    page.evaluate("new Promise((done) => requestIdleCallback(done))")
    times = []
    for typed, statements in [("service-0999", 50), ("statement-0042-10", 1), ("rule-7-", 10), ("dead zzz", 0)]:
        times += support.time_typing(page, typed)
        assert counted(page)[0] == statements, (typed, counted(page))
    page.locator("#filter").fill("")
    for name in ["public", "unconfined", "dead"]:
        page.locator(f"[data-finding={name}]").click()
        assert counted(page) == (world.FUNCTIONS, world.FUNCTIONS), name
    page.locator("[data-finding='']").click()
    shown = page.locator(".main > tbody > tr").count()
    page.mouse.wheel(0, 4000)
    page.locator(".main > tbody > tr").nth(shown).wait_for(state="attached")
    stands_still = paper_says_what_it_leaves_out(page)
    page.get_by_label("By party").check()
    times_by_party = support.time_typing(page, "300000000777")
    shot(page, "large")
    script, painted = zip(*times)
    by_party = [painted for _, painted in times_by_party]
    print(f"  first rows after {rows:.0f} ms; a key: {statistics.median(script):.0f} ms of script, painted after "
          f"{statistics.median(painted):.0f} ms (most {max(painted):.0f}); by party painted after {statistics.median(by_party):.0f} ms; "
          f"a print stands still for {stands_still:.0f} ms at most")
    # On an idle machine a fraction of this; a tenth of a second is what people notice.
    assert rows < 4000 and statistics.median(script) < 100 and statistics.median(painted) < 400 and stands_still < 4000
    closed(page)


def a_request_is_explained_before_it_is_sent():
    with Served() as served:
        for scheme in ["light", "dark"]:
            page = opened(served.url, color_scheme=scheme)
            page.get_by_text("Ask the broker").click()
            send, answer = page.get_by_role("button", name="Send"), page.locator("#ask-answer")
            expect(send).to_be_disabled()
            page.get_by_label("Function", exact=True).fill("orders")
            page.get_by_label("Principal").fill("999999999999")
            page.get_by_role("button", name="Explain").click()
            expect(answer).to_contain_text("denied")
            expect(answer).to_contain_text("no rule for this target and action names this principal")
            expect(send).to_be_disabled()
            page.get_by_label("Principal").fill("210987654321")
            page.get_by_label("Statement id").fill(f"asked-{scheme}")
            page.get_by_role("button", name="Explain").click()
            expect(answer).to_contain_text("would grant")
            expect(send).to_be_enabled()
            assert f"asked-{scheme}" not in served.state_text(), "explaining changes nothing"
            page.get_by_label("Request, as it is sent").press("End")
            page.get_by_label("Request, as it is sent").press_sequentially(" ")
            expect(send).to_be_disabled()
            page.get_by_role("button", name="Explain").click()
            expect(send).to_be_enabled()
            shot(page, f"ask-{scheme}")
            is_accessible(page, f"asking, {scheme}")
            send.click()
            expect(answer).to_contain_text("granted by rule partner")
            page.locator("#filter").fill(f"asked-{scheme}")
            expect(page.locator(".statements > tbody > tr")).to_have_count(1)
            assert f"asked-{scheme}" in served.state_text()
            closed(page, refusals=1)


def no_other_site_can_ask():
    with Served() as served, support.other_site() as elsewhere:
        before = served.state_text()
        request = json.dumps({"operation": "AddPermission", "parameters": {
            "FunctionName": "orders", "Action": "lambda:InvokeFunction", "Principal": "210987654321"}})
        page = opened(elsewhere)
        asked = page.evaluate(
            """async ([url, text]) => {
                const tries = [["text/plain", "no-cors"], ["application/json", "cors"], ["application/x-www-form-urlencoded", "no-cors"]];
                const answers = [];
                for (const [type, mode] of tries) {
                    const sent = fetch(url + "grants", { method: "POST", mode, headers: { "content-type": type }, body: text });
                    answers.push(await sent.then((answer) => answer.type, () => "refused"));
                }
                answers.push(await fetch(url + "report.json").then(() => "read", () => "refused"));
                return answers;
            }""",
            [served.url, request],
        )
        assert asked == ["opaque", "refused", "opaque", "refused"], asked
        assert served.state_text() == before, "what was sent unseen has done nothing"
        # A name of another site that points here.
        answer = page.goto(f"http://rebound.example:{served.port}/")
        assert answer.status == 403 and "127.0.0.1" in answer.text(), answer.text()
        page.context.close()


CHECKS = [
    the_figures_are_those_of_the_command_line,
    typing_finds_what_the_policies_hold,
    each_party_reaches_what_names_it,
    everything_is_reached_by_keyboard,
    light_and_dark_can_be_read_by_everybody,
    who_wants_no_motion_gets_none,
    paper_gets_everything_that_was_found,
    hostile_text_stays_text,
    nothing_is_asked_of_any_network,
    what_was_not_read_is_said,
    a_request_is_explained_before_it_is_sent,
    no_other_site_can_ask,
    fifty_thousand_statements_open_and_filter_without_a_pause,
]


def main(chosen):
    global browser
    SHOTS.mkdir(parents=True, exist_ok=True)
    failed = 0
    checks = [check for check in CHECKS if not chosen or any(word in check.__name__ for word in chosen)]
    with sync_playwright() as playwright:
        # As root Chromium has no sandbox; the pages are our own.
        arguments = ["--no-sandbox", "--host-resolver-rules=MAP rebound.example 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=support.chromium(), args=arguments)
        for check in checks:
            print(check.__name__.replace("_", " "), flush=True)
            try:
                check()
            except Exception:
                failed += 1
                traceback.print_exc()
        browser.close()
    print(f"{len(checks) - failed} passed, {failed} failed")
    return failed > 0 or not checks


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
