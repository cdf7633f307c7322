// Runs beside a shown mail, in a world of its own: the mail's scripts are off. It answers the object that
// page.py calls, and reports by lines on the console that begin with a secret.
(function (config) {
  "use strict";

  const report = (kind, more) => console.log(config.secret + JSON.stringify({ kind, ...more }));
  let root, scroller;

  // ---- Links -------------------------------------------------------------------------------------------------
  const rows = new WeakMap();
  const elements = new Map();
  const normal = (href) => href.replace(/[\t\n\r]/g, "").trim();

  function bind(links) {
    const waiting = new Map();
    for (const [row, href] of links) {
      const key = normal(href);
      if (!waiting.has(key)) waiting.set(key, []);
      waiting.get(key).push(row);
    }
    elements.clear();
    for (const anchor of document.querySelectorAll("a[href], area[href]")) {
      const row = (waiting.get(normal(anchor.getAttribute("href"))) || []).shift();
      rows.delete(anchor);
      if (row !== undefined) {
        rows.set(anchor, row);
        elements.set(row, anchor);
      }
    }
    for (const image of config.pixel ? document.images : []) {
      if (image.getAttribute("src") === config.pixel) elements.set(config.pixelRow, image);
    }
  }

  const findLink = (event) => event.composedPath().find((node) => node.matches && node.matches("a[href], area[href]"));

  function follow(event) {
    const link = findLink(event);
    if (!link) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    report("click", { row: rows.has(link) ? rows.get(link) : null, url: String(link.href.baseVal ?? link.href) });
  }
  addEventListener("click", follow, true);
  addEventListener("auxclick", (event) => event.button === 1 && follow(event), true);
  addEventListener("dragstart", (event) => event.preventDefault(), true);

  // ---- Scrolling ---------------------------------------------------------------------------------------------
  let applied = -1;
  const room = () => Math.max(0, scroller.scrollHeight - innerHeight);
  const getFraction = () => (room() ? Math.min(1, scrollY / room()) : 0);

  function scrollToFraction(fraction) {
    applied = Math.round(fraction * room());
    scrollTo({ left: scrollX, top: applied, behavior: "instant" });
  }
  addEventListener("scroll", (event) => {
    if (event.target !== document || Math.abs(scrollY - applied) < 2) return;
    applied = -1;
    report("scroll", { fraction: getFraction() });
  }, { passive: true, capture: true });
  addEventListener("wheel", () => { applied = -1; }, { passive: true });

  // ---- Outlines ----------------------------------------------------------------------------------------------
  const host = document.createElement("mailnod-marks");
  host.style.cssText = "all:initial!important;position:absolute!important;left:0!important;top:0!important;"
    + "width:0!important;height:0!important;z-index:2147483647!important;pointer-events:none!important";
  const layer = host.attachShadow({ mode: "closed" });
  let marked = false;

  function place(box, text, css) {
    const frame = document.createElement("div");
    frame.style.cssText = `position:absolute;box-sizing:border-box;pointer-events:none;left:${box.left + scrollX - 2}px;`
      + `top:${box.top + scrollY - 2}px;width:${box.width + 4}px;height:${box.height + 4}px;${css}`;
    if (text) {
      const label = document.createElement("span");
      label.textContent = text;
      label.style.cssText = "position:absolute;left:-1px;top:-14px;font:600 10px/14px system-ui,sans-serif;padding:0 4px;"
        + "border-radius:3px 3px 3px 0;white-space:nowrap;color:#fff;background:inherit;background-color:var(--m)";
      frame.append(label);
    }
    layer.append(frame);
    return frame;
  }

  function getBoxes(element) {
    const own = [...element.getClientRects()].filter((box) => box.width > 1 && box.height > 1);
    const inner = [...element.querySelectorAll("img, table, div, td")].flatMap((each) => [...each.getClientRects()]);
    const tall = inner.filter((box) => own.every((mine) => box.height > mine.height * 1.5));
    return tall.length ? [tall.reduce((a, b) => (a.width * a.height >= b.width * b.height ? a : b))] : own;
  }

  function drawMarks() {
    layer.replaceChildren();
    if (!marked) return;
    const tracked = new Set(config.tracked);
    for (const [row, element] of elements) {
      if (row === config.pixelRow) continue;
      const colour = tracked.has(row) ? "#1f5fc4" : "#9a5b00";
      const line = tracked.has(row) ? "solid" : "dashed";
      getBoxes(element).forEach((box, index) => place(
        box, index ? "" : config.names[row] || "", `--m:${colour};border:1.5px ${line} ${colour};border-radius:3px`));
    }
    if (elements.has(config.pixelRow)) placePixel();
  }

  function placePixel() {
    const pixel = elements.get(config.pixelRow);
    const box = pixel.getBoundingClientRect();
    const hidden = !box.width && !box.height;
    const bottom = scroller.scrollHeight - scrollY - 10;
    const at = { left: hidden ? 6 : Math.max(4, box.left), width: 5, height: 5,
      top: hidden ? bottom : Math.min(bottom, Math.max(18 - scrollY, box.top)) };
    return place(at, hidden ? config.words.hiddenPixel : config.words.pixel,
      "--m:#b42332;border:2px solid #b42332;border-radius:50%");
  }

  function setMarks(on) {
    marked = on;
    if (on && !host.isConnected) root.append(host);
    if (!on) host.remove();
    drawMarks();
  }
  const watcher = new ResizeObserver(() => marked && drawMarks());
  addEventListener("load", () => marked && drawMarks(), true);

  function reveal(row) {
    const element = elements.get(row);
    const boxes = element ? getBoxes(element) : [];
    const pixel = element && row === config.pixelRow;
    if (!boxes.length && !pixel) return false;
    element.scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
    if (!host.isConnected) root.append(host);
    const frames = pixel ? [placePixel()] : getBoxes(element).map((box) =>
      place(box, "", "border:3px solid #e0a100;border-radius:4px;background:rgba(255,196,0,.28)"));
    for (const frame of frames) {
      frame.animate([{ opacity: 1 }, { opacity: 1, offset: 0.7 }, { opacity: 0 }], { duration: 1800, fill: "forwards" })
        .finished.then(() => { frame.remove(); if (!marked) host.remove(); });
    }
    return true;
  }

  // ---- Which colours a client prefers ------------------------------------------------------------------------
  const before = new Map();
  let darkRules = 0;

  function adaptMedia(owner, dark) {
    const media = owner.media;
    if (!media || !/prefers-color-scheme/i.test(before.get(owner) || media.mediaText)) return;
    if (!before.has(owner)) before.set(owner, media.mediaText);
    media.mediaText = before.get(owner).replace(/\(\s*prefers-color-scheme\s*(?::\s*(\w+)\s*)?\)/gi, (_, scheme) => {
      if (/dark/i.test(scheme || "")) darkRules += 1;
      return !scheme || (scheme.toLowerCase() === "dark") === dark ? "(min-width: 0px)" : "(max-width: 0px)";
    });
  }

  function adaptRules(rules, dark) {
    for (const rule of rules) {
      adaptMedia(rule, dark);
      if (rule instanceof CSSFontFaceRule) adaptFont(rule);
      if (rule.styleSheet) adaptSheet(rule.styleSheet, dark);
      if (rule.cssRules && rule.cssRules.length) adaptRules(rule.cssRules, dark);
    }
  }

  function adaptFont(rule) {
    const source = rule.style.getPropertyValue("src");
    if (config.fetches && /url\(["']?https?:/i.test(source)) {
      rule.style.setProperty("src", source.replace(/(url\(["']?)(https?:)/gi, "$1mailnod-$2"));
    }
  }

  function adaptSheet(sheet, dark) {
    adaptMedia(sheet, dark);
    try {
      adaptRules(sheet.cssRules, dark);
    } catch (error) {
      if (error.name !== "SecurityError") throw error;
    }
  }

  function setDark(dark) {
    config.dark = dark;
    darkRules = 0;
    for (const sheet of document.styleSheets) adaptSheet(sheet, dark);
    for (const source of document.querySelectorAll("source[media]")) {
      if (!before.has(source)) before.set(source, source.media);
      const text = before.get(source);
      if (!/prefers-color-scheme/i.test(text)) continue;
      source.media = text.replace(/\(\s*prefers-color-scheme\s*:\s*(\w+)\s*\)/gi, (_, scheme) =>
        (scheme.toLowerCase() === "dark") === dark ? "(min-width: 0px)" : "(max-width: 0px)");
    }
    const declared = [...document.querySelectorAll("meta[name='color-scheme' i], meta[name='supported-color-schemes' i]")]
      .map((meta) => meta.content).concat(before.get(root) ?? getComputedStyle(root).colorScheme).join(" ");
    if (/\bdark\b/i.test(declared)) {
      if (!before.has(root)) before.set(root, getComputedStyle(root).colorScheme);
      root.style.setProperty("color-scheme", dark ? "dark" : "light", "important");
      darkRules += 1;
    }
    if (marked) drawMarks();
    return darkRules;
  }
  addEventListener("load", (event) => event.target.tagName === "LINK" && setDark(config.dark), true);

  // ---- Beginning ---------------------------------------------------------------------------------------------
  function begin(fraction) {
    root = document.documentElement;
    scroller = document.scrollingElement || root;
    before.clear();
    watcher.disconnect();
    watcher.observe(document.body || root);
    bind(config.links);
    setDark(config.dark);
    setMarks(config.marks);
    if (fraction > 0) scrollToFraction(fraction);
    report("ready", { links: elements.size, darkRules });
    requestAnimationFrame(() => requestAnimationFrame(() => {
      if (fraction > 0 && applied >= 0) scrollToFraction(fraction);
      report("painted", {});
    }));
  }

  // All of it happens between two frames. What was parsed by itself never runs its scripts (HTML Standard, "already
  // started"), and reads <noscript> as a page does whose scripts are off.
  function swap(html, changed) {
    const fraction = getFraction();
    let next;
    try {
      next = Document.parseHTMLUnsafe ? Document.parseHTMLUnsafe(html)
        : new DOMParser().parseFromString(html, "text/html");
    } catch {
      // A mail may forbid that texts are read as HTML (Trusted Types), and our script is bound by that too.
      return false;
    }
    Object.assign(config, changed);
    host.remove();
    document.replaceChild(document.adoptNode(next.documentElement), document.documentElement);
    begin(fraction);
    return true;
  }

  begin(config.fraction);

  return {
    setDark, setMarks, scrollToFraction, reveal, swap,
    // Timers of a page without scripts never fire, so that somebody else has to say when there is time for it.
    tidy() { if (globalThis.gc) gc({ type: "major", execution: "async" }); },
    rebind(links, tracked, names) { Object.assign(config, { links, tracked, names }); bind(links); if (marked) drawMarks(); },
    // A speck at the bottom of the page, by which a picture is known to be of the page as it is now.
    setSpeck(colour) {
      layer.replaceChildren();
      host.remove();
      if (!colour) return;
      root.append(host);
      const speck = place({ left: 2, top: innerHeight - 2 - scrollY, width: 0, height: 0 }, "", `background:${colour}`);
      speck.style.left = "0";
    },
    measure: () => Math.ceil(Math.max(scroller.scrollHeight, root.getBoundingClientRect().height)),
  };
})
