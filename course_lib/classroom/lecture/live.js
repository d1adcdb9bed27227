// A lecture with Python behind it. The slides stand at once, with the pictures of the notebook; then its cells run in order,
// and wherever one shows an explorer, a draw pad or a prediction, the live one takes the place of the picture.
(() => {
  const settings = JSON.parse(document.getElementById("course-live").textContent);
  const LARGEST = { "course-explorer": 1.26, "course-drawpad": 1.7, "course-predict": 1.9 }, SMALLEST = 0.5, HEIGHT = 720;
  const state = Object.assign(document.createElement("div"), { className: "course-state" });
  state.setAttribute("role", "status");
  const again = Object.assign(document.createElement("button"), { type: "button", textContent: "Start Python again", hidden: true });
  const words = document.createElement("span");
  state.append(words, again);
  document.body.append(state);
  let kernel;

  function say(text, kind) {
    words.textContent = text;
    state.dataset.kind = document.documentElement.dataset.live = kind;
    again.hidden = kind !== "gone";
  }

  const cellOf = (id) => document.getElementById(`cell-id=${id}`);

  async function run() {
    say("Python is starting.", "starting");
    const mine = kernel = new CourseKernel(settings);
    mine.addEventListener("gone", ({ detail }) => {
      if (mine === kernel) say(`Python does not answer (${detail}). The pictures stay as they are.`, "gone");
    });
    mine.addEventListener("updated", ({ detail }) => look(detail));
    try {
      await mine.start();
      for (const [place, cell] of settings.cells.entries()) {
        say(`Python runs cell ${place + 1} of ${settings.cells.length}.`, "running");
        const reply = await mine.execute(cell.source, (message) => hear(mine, cell, message));
        if (mine !== kernel) return;
        if (reply.content.status === "error") {
          return say(`A cell failed (${reply.content.ename}: ${reply.content.evalue}). What runs after it keeps its pictures.`, "failed");
        }
      }
      say("", "ready");
    } catch (problem) {
      if (mine === kernel && !mine.gone) mine.end(problem.message);
    }
  }

  function hear(mine, cell, { content, header: { msg_type: type } }) {
    if (type !== "execute_result" && type !== "display_data") return;
    const model = mine.models.get(content.data["application/vnd.jupyter.widget-view+json"]?.model_id);
    if (model) return void mount(model, cell);
    look(content);
  }
  function look({ data }) {
    const page = data["text/html"] ?? "";
    if (page.includes("course-reveal")) answer(page);
  }

  // A live widget in the place of its picture.
  async function mount(model, cell) {
    const still = [...(cellOf(cell.id)?.querySelectorAll(".jp-OutputArea-output") ?? [])].find((one) => !one.dataset.live);
    if (!still) return;
    const older = still.previousElementSibling?.matches(".course-live") ? still.previousElementSibling : null;
    const el = Object.assign(document.createElement("div"), { className: "course-live" });
    const leave = await model.show(el);
    older?.leave?.();
    older?.remove();
    el.leave = leave;
    still.before(el);
    still.hidden = true;
    new ResizeObserver(() => fit(el.closest("section"))).observe(el);
    fit(el.closest("section"), true);
    if (model.get("identity") && model.get("question")) asked(model, el);
  }

  // As large as the slide allows.
  function fit(slide, anew = false) {
    if (slide !== Reveal.getCurrentSlide()) return;
    const faces = [...slide.querySelectorAll(".course-live")];
    const largest = (face) => LARGEST[face.firstElementChild?.classList[0]] ?? 1;
    if (anew) faces.forEach((face) => { face.style.zoom = face.dataset.zoom = largest(face); });
    const bottom = () => Math.max(...[...slide.children].map((one) => one.offsetTop + one.offsetHeight));
    while (faces.length && bottom() > HEIGHT - 24 && faces.some((face) => face.dataset.zoom > SMALLEST)) {
      faces.forEach((face) => { face.style.zoom = face.dataset.zoom = Math.max(SMALLEST, face.dataset.zoom - 0.04); });
    }
  }
  function refit(slide) { // only a slide in view can be measured
    if (!slide.dataset.changed) return;
    delete slide.dataset.changed;
    window.courseFit(slide);
  }
  Reveal.on("slidechanged", ({ currentSlide }) => { refit(currentSlide); fit(currentSlide, true); });
  Reveal.on("fragmentshown", () => fit(Reveal.getCurrentSlide(), true));

  // The answer is locked: what happens speaks to it.
  function answer(page) {
    const fresh = Object.assign(document.createElement("div"), { innerHTML: page }).querySelector(".course-reveal");
    const old = document.querySelector(`.course-reveal[data-id="${fresh.dataset.id}"]`);
    if (!old || fresh.querySelector("details > summary")) return; // nobody has answered: what stands there is that already
    const slide = old.closest("section");
    old.replaceWith(fresh);
    slide.dataset.changed = "yes";
    refit(Reveal.getCurrentSlide());
  }

  function asked(model, el) {
    document.dispatchEvent(new CustomEvent("course-asked", { detail: { identity: model.get("identity"), question: model.get("question"), options: model.get("options"), number: model.get("number"), el } }));
  }

  again.onclick = () => { kernel.stop(); run(); };
  window.addEventListener("pagehide", () => kernel.stop());
  window.courseKernel = () => kernel;
  run();
})();
