// A row of papers. The browser keeps the strokes and shows them at once; Python renders what a network sees of them.
// At most one request is on its way; while it is, new strokes only mark the state as newer, and the newest is sent next.

const WAIT_MS = 2500, LINE = 0.034, STEP = 0.004, PIXELS = 28; // line width and shortest step, as shares of the paper
const WAITING = "Waiting for Python. It answers when it is free; after a restart of the kernel, run this cell again.";
const SEES = "what the network sees, 28 × 28 pixels";
const HINT = "Draw with mouse, finger or pen. Grey drawings are ready-made: draw over them. With the keyboard: Tab to a paper, ";

function make(tag, className, parent, properties = {}) {
  const node = document.createElement(tag);
  node.className = className;
  for (const [key, value] of Object.entries(properties)) {
    if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  parent.append(node);
  return node;
}

export default () => {
  // Shared by all views of one pad.
  const me = Math.random().toString(36).slice(2);
  const views = new Set();
  const shared = { papers: [], waiting: null, stale: false };
  let serial = 0, count = 0, timer;

  function send(model) {
    shared.stale = shared.waiting !== null;
    if (!shared.stale) {
      shared.waiting = `${me}:${++serial}`;
      model.set("request", { serial: shared.waiting, papers: structuredClone(shared.papers) });
      model.save_changes();
      clearTimeout(timer);
      timer = setTimeout(() => views.forEach((view) => view.wait(shared.waiting !== null)), WAIT_MS);
    }
    views.forEach((view) => view.show());
  }

  function initialize({ model }) {
    shared.papers = structuredClone(model.get("answer").papers);
    model.on("change:answer", () => {
      const answer = model.get("answer");
      if (answer.serial === shared.waiting) shared.waiting = null;
      if (shared.waiting === null && !shared.stale) shared.papers = structuredClone(answer.papers);
      views.forEach((view) => view.wait(false));
      if (shared.waiting === null && shared.stale) send(model);
      else views.forEach((view) => view.show());
    });
  }

  function render({ model, el }) {
    const { question, names, frames, size, shapes } = model.get("spec"), ready = Object.keys(shapes);
    const id = `course-drawpad-${me}-${++count}`;
    const root = make("div", "course-drawpad", el, { role: "group", "aria-labelledby": id });
    root.style.setProperty("--size", `${size}px`);
    make("div", "course-question", root, { id, textContent: question, role: "heading", "aria-level": "4" });
    const row = make("div", "course-papers", root);
    const papers = names.map((name, index) => paper(name, index));
    const text = make("div", "course-said", root, { role: "status", "aria-live": "polite" });
    make("div", "course-hint", root, { textContent: `${HINT}1 to ${ready.length} for a ready-made drawing, Delete to clear.` });
    const wait = make("div", "course-wait", root, { textContent: WAITING, role: "status", hidden: true });
    const error = make("div", "course-error", root, { role: "alert", hidden: true });

    function replace(index, strokes) {
      shared.papers[index] = { strokes: structuredClone(strokes), ready: false };
      send(model);
    }

    function paper(name, index) {
      const box = make("div", "course-paper", row);
      box.dataset.name = name;
      if (frames[index]) box.style.setProperty("--frame", frames[index]);
      const head = make("div", "course-line", box);
      make("span", "course-name", head, { textContent: name });
      const clear = make("button", "course-clear", head, { type: "button", textContent: "Clear", "aria-label": `Clear ${name}` });
      const sheet = make("canvas", "course-sheet", box, { tabIndex: 0, role: "application" });
      const below = make("div", "course-below", box);
      const seen = make("canvas", "course-seen", below, { width: PIXELS, height: PIXELS, role: "img", title: "What the network sees: 28 x 28 pixels" });
      seen.setAttribute("aria-label", `What the network sees of ${name}`);
      const words = make("div", "course-words", below);
      const track = make("div", "course-track", box), bar = make("div", "course-bar", track);
      clear.onclick = () => replace(index, []);

      let pen = null; // the pointer that draws
      const at = (event) => {
        const area = sheet.getBoundingClientRect();
        return [(event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height]
          .map((share) => Math.round(1e4 * Math.min(Math.max(share, 0), 1)) / 1e4);
      };
      const line = () => shared.papers[index].strokes.at(-1);
      sheet.onpointerdown = (event) => {
        if (pen !== null || event.button !== 0) return;
        event.preventDefault();
        pen = event.pointerId;
        sheet.setPointerCapture(pen);
        sheet.focus({ preventScroll: true, focusVisible: false });
        const before = shared.papers[index];
        shared.papers[index] = { strokes: [...(before.ready ? [] : before.strokes), [at(event)]], ready: false };
        send(model);
      };
      sheet.onpointermove = (event) => {
        if (event.pointerId !== pen || !line()) return;
        const moves = event.getCoalescedEvents?.() ?? []; // empty where the browser merges none
        for (const one of moves.length ? moves : [event]) {
          const [x, y] = at(one), [oldX, oldY] = line().at(-1);
          if (Math.hypot(x - oldX, y - oldY) >= STEP) line().push([x, y]);
        }
        send(model);
      };
      sheet.onpointerup = sheet.onpointercancel = (event) => {
        if (event.pointerId !== pen) return;
        pen = null;
        send(model);
      };
      sheet.onkeydown = (event) => {
        const shape = shapes[ready[Number(event.key) - 1]];
        if (shape) replace(index, shape);
        else if (event.key === "Delete" || event.key === "Backspace") replace(index, []);
        else return;
        event.preventDefault();
        event.stopPropagation();
      };
      return { box, sheet, seen, words, track, bar, name };
    }

    function paint({ sheet }, { strokes, ready: madeBefore }) {
      const wide = sheet.clientWidth, density = window.devicePixelRatio || 1;
      if (!wide) return;
      const pixels = Math.round(wide * density);
      if (sheet.width !== pixels) sheet.width = sheet.height = pixels;
      const draw = sheet.getContext("2d");
      draw.clearRect(0, 0, pixels, pixels);
      Object.assign(draw, { lineWidth: LINE * pixels, lineCap: "round", lineJoin: "round", strokeStyle: madeBefore ? "#8c8c8c" : "#111" });
      for (const stroke of strokes) {
        const points = stroke.map(([x, y]) => [x * pixels, y * pixels]);
        draw.beginPath();
        draw.moveTo(...points[0]);
        for (const point of points.length > 1 ? points.slice(1) : points) draw.lineTo(...point);
        draw.stroke();
      }
    }

    function show() {
      const answer = model.get("answer"), pixels = new Uint8Array(model.get("pixels").buffer ?? model.get("pixels"), model.get("pixels").byteOffset ?? 0);
      papers.forEach((one, index) => {
        const { strokes, ready: madeBefore } = shared.papers[index], [length, words] = answer.bars[one.name] ?? [0, ""];
        paint(one, shared.papers[index]);
        const state = !strokes.length ? "empty" : madeBefore ? "a ready-made drawing" : `${strokes.length} strokes`;
        one.sheet.setAttribute("aria-label", `Paper ${one.name}: ${state}`);
        const image = new ImageData(PIXELS, PIXELS);
        for (let i = 0; i < PIXELS * PIXELS; i++) image.data.set([0, 0, 0, pixels[index * PIXELS * PIXELS + i] ?? 0], 4 * i);
        one.seen.getContext("2d").putImageData(image, 0, 0);
        one.words.textContent = words || (strokes.length && !Object.keys(answer.bars).length ? SEES : "");
        one.track.hidden = !Object.keys(answer.bars).length;
        one.track.style.visibility = one.name in answer.bars ? "" : "hidden";
        one.bar.style.width = `${100 * length}%`;
        one.box.classList.toggle("best", one.name === answer.best);
      });
      text.textContent = answer.text;
      error.textContent = answer.error;
      error.hidden = !answer.error;
      root.ariaBusy = String(shared.waiting !== null || shared.stale);
    }

    // JupyterLab's shortcuts stay away from whatever has this attribute.
    root.querySelectorAll("button, canvas").forEach((node) => node.setAttribute("data-lm-suppress-shortcuts", "true"));
    const observer = new ResizeObserver(show);
    const view = { show, wait: (yes) => { wait.hidden = !yes; } };
    views.add(view);
    observer.observe(root);
    show();
    return () => {
      views.delete(view);
      observer.disconnect();
    };
  }

  return { initialize, render };
};
