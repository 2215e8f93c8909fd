#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""look.py BROWSER FOLDER PAGE... - open pages in a headless Chromium, and say what is to be seen.

Prints a line of JSON for each page: what the console said, whether the page is wider than its
window, and what each picture of a timeline has as it is laid out: lanes, bars, marks, waits, and
what is wrong with them. Screenshots go to FOLDER. Exit 0, or 2 if the browser does not do as it is
told.

The browser is spoken to by the Chrome DevTools Protocol over a pair of pipes: messages in JSON with
a zero byte behind each.
"""
import base64
import json
import os
import pathlib
import select
import subprocess
import sys
import time

PATIENCE = 60  # seconds for any one thing
WIDTH, HEIGHT = 1200, 900

# In the page. A bar is thin if one cannot see it, outside if it is not within its lane's rail,
# crooked if its parts are not above each other; two of a lane overlap if they do by more than a
# seam. A colour is that of the bars of a class.
LOOK = r"""(() => {
  const box = e => e.getBoundingClientRect();
  const has = (picture, selector) => picture.querySelectorAll(selector).length;
  const fill = e => getComputedStyle(e).fill;
  const picture = svg => {
    const rails = [...svg.querySelectorAll('.rail')].map(box);
    const bars = [...svg.querySelectorAll('.bar')].map(g => {
      const rects = [...g.querySelectorAll('rect')].map(box);
      const x = rects[0].left, right = rects[0].right;
      const middle = (rects[0].top + rects[rects.length - 1].bottom) / 2;
      const lane = rails.findIndex(r => r.top <= middle && middle <= r.bottom);
      const crooked = rects.some(r => Math.abs(r.left - x) > 1 || Math.abs(r.right - right) > 1);
      return {x, right, lane, crooked, tip: g.querySelector('title').textContent};
    });
    let overlaps = 0;
    for (const a of bars)
      for (const b of bars)
        if (a !== b && a.lane === b.lane && a.x <= b.x && a.right > b.x + 1) overlaps++;
    const colours = {};
    for (const r of svg.querySelectorAll('.bar rect')) colours[r.classList[0]] = fill(r);
    return {
      title: svg.getAttribute('aria-label'),
      width: Math.round(box(svg).width),
      lanes: has(svg, '.lane'), rails: rails.length, bars: bars.length,
      marks: has(svg, '.mark'), waits: has(svg, 'path[class^=w]'), signs: has(svg, '.sign'),
      words: has(svg, '.found'),
      thin: bars.filter(b => b.right - b.x < 1).length,
      outside: bars.filter(b => b.lane < 0 || b.x < rails[b.lane].left - 1 ||
                                b.right > rails[b.lane].right + 1).length,
      crooked: bars.filter(b => b.crooked).length,
      untold: bars.filter(b => !b.tip).length,
      on_lanes: rails.map((_, lane) => bars.filter(b => b.lane === lane).length),
      overlaps, colours,
    };
  };
  return {
    heading: document.querySelector('h1').textContent,
    told: [...document.querySelectorAll('h3')].map(h => h.textContent),
    legend: [...document.querySelectorAll('.legend span')].map(s => s.textContent.trim()),
    samples: [...document.querySelectorAll('.legend rect')].map(fill),
    pictures: [...document.querySelectorAll('svg[role=img]')].map(picture),
    wide: document.documentElement.scrollWidth > innerWidth,
    height: document.documentElement.scrollHeight,
  };
})()"""


class Browser:
    def __init__(self, program, folder):
        down, up = os.pipe(), os.pipe()  # to the browser, which reads 3; from it, which writes 4
        arguments = [
            program, "--headless", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-dev-shm-usage", "--hide-scrollbars",
            f"--window-size={WIDTH},{HEIGHT}", f"--user-data-dir={folder}/profile", "about:blank"]
        if os.geteuid() == 0:
            arguments.insert(1, "--no-sandbox")

        def place():
            os.dup2(down[0], 13)
            os.dup2(up[1], 14)
            os.dup2(13, 3)
            os.dup2(14, 4)

        with open(f"{folder}/browser.log", "wb") as log:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, close_fds=False, preexec_fn=place)
        os.close(down[0])
        os.close(up[1])
        self.to, self.from_, self.rest = down[1], up[0], b""
        self.number, self.events = 0, []

    def read(self, deadline):
        while b"\0" not in self.rest:
            if not select.select([self.from_], [], [], max(0, deadline - time.monotonic()))[0]:
                raise RuntimeError("the browser is silent")
            more = os.read(self.from_, 1 << 16)
            if not more:
                raise RuntimeError("the browser has gone")
            self.rest += more
        line, self.rest = self.rest.split(b"\0", 1)
        return json.loads(line)

    def ask(self, method, session=None, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.read(deadline)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method):
        deadline = time.monotonic() + PATIENCE
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.read(deadline))

    def end(self):
        self.process.kill()
        self.process.wait()


def said(events):
    """What the console got that it should not have."""
    errors = []
    for event in events:
        params = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            errors.append(details.get("exception", {}).get("description", details["text"]))
        elif event.get("method") == "Runtime.consoleAPICalled" and \
                params["type"] in ("error", "warning", "assert"):
            errors.append(" ".join(str(a.get("value", a.get("description")))
                                   for a in params["args"]))
        elif event.get("method") == "Log.entryAdded" and \
                params["entry"]["level"] in ("error", "warning"):
            errors.append(params["entry"]["text"])
    return errors


def look(browser, page, folder):
    target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
    session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Log"):
        browser.ask(f"{domain}.enable", session)
    browser.events.clear()
    browser.ask("Page.navigate", session, url=pathlib.Path(page).resolve().as_uri())
    browser.wait_for("Page.loadEventFired")
    value = browser.ask("Runtime.evaluate", session, expression=LOOK, returnByValue=True)
    seen = value["result"].get("value") or {"failed": value["exceptionDetails"]["text"]}
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": min(seen.get("height", HEIGHT), 4000),
            "scale": 1}
    shot = browser.ask("Page.captureScreenshot", session, clip=clip, captureBeyondViewport=True)
    name = os.path.basename(page)
    with open(f"{folder}/{name}.png", "wb") as file:
        file.write(base64.b64decode(shot["data"]))
    browser.ask("Target.closeTarget", targetId=target)
    return {"page": name, "errors": said(browser.events), **seen}


def main(program, folder, *pages):
    browser = Browser(program, folder)
    try:
        for page in pages:
            print(json.dumps(look(browser, page, folder)), flush=True)
    except (RuntimeError, OSError) as error:
        print(f"look.py: {error}: see {folder}/browser.log", file=sys.stderr)
        return 2
    finally:
        browser.end()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
