// One explorer: native controls, and a picture that Python draws.
// At most one request is on its way. While it is, moving a control only marks the state as newer; when the answer
// comes, the newest state is sent. So pictures never queue up, and the last one shown is always the right one.

const NARROWEST = 420, BUCKET = 60; // CSS pixels: the widths for which Python draws its own picture
const WAIT_MS = 1500, PLAY_MS = 400, REACH = 48;
const WAITING = "Waiting for Python. The picture follows when Python is free; after a restart of the kernel, run this cell again.";
const HINT = "Drag a point in the picture. With the keyboard: arrow keys move the point with the dark ring";

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

// Between a value on an axis and its fraction of the axis, linear or logarithmic.
const scaled = (value, log) => (log ? Math.log10(value) : value);
const toFraction = (value, [low, high, log]) => (scaled(value, log) - scaled(low, log)) / (scaled(high, log) - scaled(low, log));
function fromFraction(fraction, [low, high, log]) {
  const value = scaled(low, log) + fraction * (scaled(high, log) - scaled(low, log));
  return log ? 10 ** value : value;
}

export default () => {
  // Shared by all views of one explorer.
  const me = Math.random().toString(36).slice(2);
  const views = new Set();
  const shared = { values: {}, touched: {}, turn: 0, fit: {}, waiting: null, stale: false };
  let serial = 0, count = 0, timer;

  function send(model) {
    shared.stale = shared.waiting !== null;
    if (!shared.stale) {
      shared.waiting = `${me}:${++serial}`;
      model.set("request", { serial: shared.waiting, values: shared.values, touched: { ...shared.touched }, ...shared.fit });
      model.save_changes();
      clearTimeout(timer);
      timer = setTimeout(() => views.forEach((view) => view.wait(shared.waiting !== null)), WAIT_MS);
    }
    views.forEach((view) => view.show());
  }

  function initialize({ model }) {
    const start = Object.fromEntries(model.get("spec").controls.map(({ name, value }) => [name, value]));
    shared.values = { ...start, ...model.get("answer").values };
    model.on("change:answer", () => {
      const answer = model.get("answer");
      if (answer.serial === shared.waiting) shared.waiting = null;
      if (shared.waiting === null && !shared.stale) shared.values = { ...answer.values };
      views.forEach((view) => view.wait(false));
      if (shared.waiting === null && shared.stale) send(model);
      else views.forEach((view) => view.show());
    });
  }

  function render({ model, el }) {
    const { question, controls, width: natural } = model.get("spec");
    const id = `course-${me}-${++count}`;
    const painters = [], handles = [];
    const next = () => (handles.length > 1 ? ", N takes the next one." : ".");
    const change = (name, value) => {
      shared.values = { ...shared.values, [name]: value };
      shared.touched[name] = ++shared.turn; // Python sees which control was moved after which
      send(model);
    };

    const root = make("div", "course-explorer", el, { role: "group", "aria-labelledby": id });
    root.style.maxWidth = `${natural + 8}px`;
    make("div", "course-question", root, { id, textContent: question, role: "heading", "aria-level": "4" });
    const panel = make("div", "course-controls", root);
    controls.forEach((control, index) => ({ slider, choice, toggle, text, points })[control.kind](control, `${id}-${index}`));
    panel.hidden = !panel.childElementCount;

    const stage = make("div", "course-stage", root);
    const picture = make("img", "course-picture", stage, { draggable: false, alt: "" });
    picture.dataset.frame = "0";
    const foot = make("div", "course-foot", root);
    const number = make("div", "course-number", foot, { role: "status", "aria-live": "polite" });
    const reset = make("button", "course-reset", foot, { type: "button", textContent: "Reset", "aria-label": `Reset: ${question}` });
    const hint = make("div", "course-hint", root, { textContent: HINT + next(), hidden: !handles.length, "aria-live": "polite" });
    const wait = make("div", "course-wait", root, { textContent: WAITING, role: "status", hidden: true });
    const error = make("div", "course-error", root, { role: "alert", hidden: true });
    reset.onclick = () => {
      pause();
      shared.values = Object.fromEntries(controls.map(({ name, value }) => [name, value]));
      send(model);
    };

    // Controls. Each adds its elements, and a painter that makes them show the shared values.
    function labelled(control, key, className) {
      const box = make("div", `course-control ${className}`, panel);
      const line = make("div", "course-line", box);
      make("label", "", line, { htmlFor: key, textContent: control.label });
      return [box, line];
    }
    function slider(control, key) {
      const [box, line] = labelled(control, key, "course-slider");
      const output = make("output", "", line, { htmlFor: key });
      const row = make("div", "course-row", box);
      const input = make("input", "", row, { type: "range", id: key, min: 0, max: control.texts.length - 1, step: 1 });
      input.dataset.name = control.name;
      input.oninput = () => { pause(); change(control.name, Number(input.value)); };
      painters.push(() => {
        input.value = shared.values[control.name];
        output.textContent = control.texts[input.value];
        input.setAttribute("aria-valuetext", output.textContent);
      });
      if (control.play) play(control, row);
    }
    function choice(control, key) {
      const row = make("div", "course-row", labelled(control, key, "course-choice")[0]);
      const input = make("select", "", row, { id: key });
      input.dataset.name = control.name;
      control.texts.forEach((text, index) => make("option", "", input, { value: index, textContent: text }));
      input.onchange = () => change(control.name, Number(input.value));
      painters.push(() => { input.value = shared.values[control.name]; });
    }
    function toggle(control, key) {
      const row = make("div", "course-control course-toggle course-row", panel);
      const input = make("input", "", row, { type: "checkbox", id: key });
      make("label", "", row, { htmlFor: key, textContent: control.label });
      input.dataset.name = control.name;
      input.onchange = () => change(control.name, input.checked);
      painters.push(() => { input.checked = shared.values[control.name]; });
    }

    function text(control, key) {
      const [box, line] = labelled(control, key, "course-text");
      const [tag, kind] = control.rows > 1 ? ["textarea", { rows: control.rows }] : ["input", { type: "text" }];
      const input = make(tag, "", box, { ...kind, id: key, maxLength: control.most, spellcheck: false, autocomplete: "off", autocapitalize: "off" });
      input.dataset.name = control.name;
      input.oninput = () => change(control.name, input.value);
      // JupyterLab takes line breaks away from whatever lies in a cell, by listening at the field itself; here they are for the reader.
      box.addEventListener("beforeinput", (event) => event.stopPropagation(), true);
      // Only what differs is written: the caret of whoever types stays where it is.
      painters.push(() => { if (input.value !== shared.values[control.name]) input.value = shared.values[control.name]; });
      if (control.samples.length) samples(control, key, line);
    }
    function samples({ name, label, samples: list }, key, line) {
      const row = make("div", "course-row", line);
      make("label", "course-unseen", row, { htmlFor: `${key}-samples`, textContent: `Examples for: ${label}` });
      const select = make("select", "course-samples", row, { id: `${key}-samples` });
      make("option", "", select, { value: "", textContent: "choose an example" });
      list.forEach(([title], index) => make("option", "", select, { value: index, textContent: title }));
      select.onchange = () => { if (select.value) change(name, list[select.value][1]); else show(); };
      painters.push(() => {
        const place = list.findIndex(([, sample]) => sample === shared.values[name]);
        select.value = place < 0 ? "" : place;
      });
    }

    // Play: the next step is taken when the last one is on the screen, and never sooner than PLAY_MS.
    let playing = null;
    function pause() {
      if (!playing) return;
      clearInterval(playing.clock);
      playing.button.textContent = "Play";
      playing = null;
    }
    function play({ name, label, texts }, row) {
      const last = texts.length - 1, stride = Math.ceil(last / 50); // long sliders are played through in 50 pictures
      const button = make("button", "course-play", row, { type: "button", textContent: "Play" });
      button.dataset.name = name;
      button.setAttribute("aria-label", `Play or pause: ${label}`);
      button.onclick = () => {
        const again = playing?.button !== button;
        pause();
        if (!again) return;
        if (shared.values[name] >= last) change(name, 0);
        button.textContent = "Pause";
        playing = { button, clock: setInterval(step, PLAY_MS) };
      };
      function step() {
        if (shared.waiting !== null) return;
        change(name, Math.min(shared.values[name] + stride, last));
        if (shared.values[name] === last) pause();
      }
    }

    // Points: rings over the picture that follow the pointer at once; the picture follows them.
    function points(control) {
      control.value.forEach((_, index) => handles.push({ control, index }));
    }
    let selected = 0, grabbed = null;
    const overlay = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    overlay.setAttribute("class", "course-handles");
    const place = ({ control }) => model.get("answer").places?.[control.name];
    const where = ({ control, index }) => shared.values[control.name][index];
    function position(handle) { // fractions of the picture
      const { box: [left, top, right, bottom], x, y } = place(handle), [px, py] = where(handle);
      return [left + toFraction(px, x) * (right - left), bottom - toFraction(py, y) * (bottom - top)];
    }
    function moveTo(handle, x, y) {
      const { bounds: [[left, right], [low, high]], move } = handle.control, [oldX, oldY] = where(handle);
      const list = [...shared.values[handle.control.name]];
      list[handle.index] = [
        move.includes("x") ? Math.min(Math.max(x, left), right) : oldX,
        move.includes("y") ? Math.min(Math.max(y, low), high) : oldY,
      ];
      change(handle.control.name, list);
    }
    function nearest(event) {
      const area = stage.getBoundingClientRect();
      const [px, py] = [event.clientX - area.left, event.clientY - area.top];
      const found = handles.map((handle, index) => {
        const [fx, fy] = position(handle);
        return { index, dx: px - fx * area.width, dy: py - fy * area.height };
      });
      return found.reduce((best, one) => (Math.hypot(one.dx, one.dy) < Math.hypot(best.dx, best.dy) ? one : best));
    }
    function say() {
      const handle = handles[selected], [x, y] = where(handle);
      const text = (value) => Number(value.toPrecision(3)).toString().replace("-", "−");
      hint.textContent = `${handle.control.label}, ${handle.index + 1} of ${handle.control.value.length}: (${text(x)}, ${text(y)}). Arrow keys move it${next()}`;
    }
    if (handles.length) {
      stage.append(overlay);
      handles.forEach(() => overlay.append(document.createElementNS("http://www.w3.org/2000/svg", "circle")));
      stage.classList.add("has-points");
      Object.assign(stage, { tabIndex: 0, role: "application", ariaLabel: `Picture with movable points. ${HINT}${next()}` });
      stage.onpointerdown = (event) => {
        if (!place(handles[0])) return;
        const near = nearest(event);
        if (Math.hypot(near.dx, near.dy) > REACH) return;
        event.preventDefault();
        selected = near.index;
        grabbed = near;
        stage.setPointerCapture(event.pointerId);
        stage.classList.add("dragging");
        stage.focus({ preventScroll: true, focusVisible: false });
        show();
      };
      stage.onpointermove = (event) => {
        if (!place(handles[0])) return;
        if (!grabbed) {
          const near = nearest(event);
          stage.classList.toggle("near", Math.hypot(near.dx, near.dy) <= REACH);
          return;
        }
        const area = stage.getBoundingClientRect(), handle = handles[selected];
        const { box: [left, top, right, bottom], x, y } = place(handle);
        const fx = (event.clientX - grabbed.dx - area.left) / area.width, fy = (event.clientY - grabbed.dy - area.top) / area.height;
        moveTo(handle, fromFraction((fx - left) / (right - left), x), fromFraction((bottom - fy) / (bottom - top), y));
        say();
      };
      stage.onpointerup = stage.onpointercancel = () => { grabbed = null; stage.classList.remove("dragging"); };
      stage.onkeydown = (event) => {
        const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key];
        const handle = handles[selected], { bounds } = handle.control, [x, y] = where(handle);
        if (step) moveTo(handle, x + (step[0] * (bounds[0][1] - bounds[0][0])) / 40, y + (step[1] * (bounds[1][1] - bounds[1][0])) / 40);
        else if (event.key.toLowerCase() === "n") selected = (selected + 1) % handles.length;
        else return;
        event.preventDefault();
        say();
        show();
      };
    }

    // Show the shared values and the newest answer.
    let shown = 0, loading = 0, address = null;
    function show() {
      const answer = model.get("answer"), png = model.get("png");
      painters.forEach((paint) => paint());
      number.textContent = answer.number ?? "";
      error.textContent = answer.error ? `${answer.error} The picture still shows the last setting that worked; move a control or press Reset.` : "";
      error.hidden = !answer.error;
      if (answer.frame && answer.frame !== loading && png.byteLength) {
        const old = address;
        loading = answer.frame;
        address = URL.createObjectURL(new Blob([png], { type: "image/png" }));
        picture.onload = () => {
          URL.revokeObjectURL(old);
          picture.dataset.frame = shown = answer.frame;
          root.ariaBusy = String(busy());
        };
        picture.alt = answer.alt;
        stage.style.maxWidth = `${answer.width}px`;
        picture.src = address;
      }
      handles.forEach((handle, index) => {
        if (!place(handle)) return;
        const [fx, fy] = position(handle), ring = overlay.children[index];
        for (const [key, value] of Object.entries({ cx: `${100 * fx}%`, cy: `${100 * fy}%`, r: 9, class: index === selected ? "selected" : "" })) ring.setAttribute(key, value);
      });
      root.ariaBusy = String(busy());
    }
    const busy = () => shared.waiting !== null || shared.stale || shown !== loading;

    // The picture is drawn for the room it has and for the sharpness of the screen.
    function fit() {
      const room = root.clientWidth - 8, answer = model.get("answer");
      if (room <= 0) return;
      const width = Math.min(natural, Math.max(NARROWEST, Math.floor(room / BUCKET) * BUCKET));
      const enlarged = root.getBoundingClientRect().width / root.offsetWidth; // on a slide that fills a larger screen
      const density = Math.round(4 * Math.min(Math.max(window.devicePixelRatio * enlarged, 1), 2)) / 4;
      shared.fit = { width, density };
      if (answer.width !== width || answer.density !== density) send(model);
    }
    // JupyterLab's shortcuts (arrows, N, Enter...) stay away from whatever has this attribute.
    root.querySelectorAll("input, textarea, select, button, .course-stage").forEach((node) => node.setAttribute("data-lm-suppress-shortcuts", "true"));
    const observer = new ResizeObserver(fit);
    const later = () => setTimeout(fit, 200); // a slide is scaled with its window and keeps its own size
    window.addEventListener("resize", later);
    const view = { show, wait: (yes) => { wait.hidden = !yes; } };
    views.add(view);
    observer.observe(root);
    show();
    return () => {
      pause();
      views.delete(view);
      observer.disconnect();
      window.removeEventListener("resize", later);
      URL.revokeObjectURL(address);
    };
  }

  return { initialize, render };
};
