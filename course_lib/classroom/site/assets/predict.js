// Predictions: an answer is locked in this browser, in the form of the course's progress file, and then what happens opens and speaks to it.
(() => {
  const PLACE = "learning-to-learn.progress";
  const store = window.courseStore;

  function read() {
    try {
      const stored = JSON.parse(store.get(PLACE));
      if (stored && typeof stored.predictions === "object" && stored.predictions) return stored;
    } catch { /* what is no JSON was not written here, and is as good as nothing */ }
    return { version: 1, predictions: {}, exercises: {} };
  }

  function change(act) {
    const stored = read();
    act(stored.predictions);
    store.set(PLACE, JSON.stringify(stored));
  }

  // --- one question ---

  function answerOf(form) { // what is chosen: a key or a number; null where nothing is
    const range = form.querySelector("input[type=range]");
    if (range) return range.dataset.moved ? Number(range.value) : null;
    return form.querySelector("input:checked")?.value ?? null;
  }

  function wordsOf(form, answer) {
    const output = form.querySelector("output");
    if (output) return `${answer} ${output.dataset.unit}`.trim();
    return [...form.querySelectorAll("input")].find((one) => one.value === answer)?.nextElementSibling.textContent;
  }

  function accepts(form, answer) {
    const range = form.querySelector("input[type=range]");
    if (range) return typeof answer === "number" && answer >= Number(range.min) && answer <= Number(range.max);
    return typeof answer === "string" && wordsOf(form, answer) !== undefined;
  }

  function setUp(form) {
    const button = form.querySelector(".lock");
    const range = form.querySelector("input[type=range]");
    if (range) {
      const moved = () => {
        range.dataset.moved = "yes";
        const words = wordsOf(form, Number(range.value));
        form.querySelector("output").textContent = words;
        range.setAttribute("aria-valuetext", words);
        button.disabled = false;
      };
      range.value = (Number(range.min) + Number(range.max)) / 2;
      for (const event of ["input", "pointerup"]) range.addEventListener(event, moved); // the middle is an answer too
      range.addEventListener("keydown", (event) => { if (event.key === " ") { event.preventDefault(); moved(); } });
    } else {
      form.addEventListener("change", () => { button.disabled = false; });
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const answer = answerOf(form);
      const known = read().predictions[form.dataset.id];
      if (answer === null) return;
      if (!known || !accepts(form, known.answer)) { // the first answer stays, in another window too
        change((predictions) => {
          predictions[form.dataset.id] = { answer, said: wordsOf(form, answer), locked_at: now(), right: null };
        });
      }
      show(form, true);
    });
    show(form, false);
  }

  function now() { // as Python's isoformat writes it, with the zone
    const date = new Date(), zone = -date.getTimezoneOffset();
    const two = (number) => String(Math.floor(Math.abs(number))).padStart(2, "0");
    const local = new Date(date.getTime() + zone * 60_000).toISOString().slice(0, 19);
    return `${local}${zone < 0 ? "-" : "+"}${two(zone / 60)}:${two(zone % 60)}`;
  }

  function show(form, fresh) {
    const entry = read().predictions[form.dataset.id];
    if (!entry || !accepts(form, entry.answer)) return;
    const range = form.querySelector("input[type=range]");
    if (range) {
      range.value = entry.answer;
      form.querySelector("output").textContent = wordsOf(form, entry.answer);
    } else {
      form.querySelectorAll("input").forEach((one) => { one.checked = one.value === entry.answer; });
    }
    form.classList.add("locked");
    form.querySelector("fieldset").disabled = true;
    form.querySelector(".lock").hidden = true;
    const note = form.querySelector(".note"), reveal = revealOf(form.dataset.id);
    note.textContent = `Locked on ${String(entry.locked_at).slice(0, 16).replace("T", " at ")}. `;
    if (!store.lasts) note.append("This browser keeps nothing, so it is forgotten with the page. ");
    if (reveal) {
      const link = Object.assign(document.createElement("a"), { href: `#${reveal.id}`, textContent: "What happens" });
      note.append(link, " stands below.");
      speak(reveal, entry, wordsOf(form, entry.answer), range);
      if (fresh) link.focus();
    }
  }

  // --- what happens ---

  function revealOf(id) {
    return [...document.querySelectorAll(".course-reveal")].find((one) => one.dataset.id === id);
  }

  function keyOf(reveal, answer) { // which reply speaks to this answer
    if (!reveal.dataset.right) return answer;
    const off = answer - Number(reveal.dataset.right);
    return Math.abs(off) <= Number(reveal.dataset.tolerance) ? "close" : off < 0 ? "low" : "high";
  }

  function nearOf(reveal, answer, range) { // nearly right and far off are not the same mistake
    if (!range) return "";
    const off = Math.abs(answer - Number(reveal.dataset.right)), near = Number(reveal.dataset.tolerance);
    if (off <= near) return "";
    if (off <= 2 * near) return reveal.dataset.nearly;
    return off > (Number(range.max) - Number(range.min)) / 2 ? reveal.dataset.far : "";
  }

  function speak(reveal, entry, said, range) {
    const key = keyOf(reveal, entry.answer);
    const reply = [...reveal.querySelectorAll(".reply")].find((one) => one.dataset.key === key);
    const right = reply.matches(".good");
    reply.querySelector(".said").textContent = said;
    reply.querySelector(".near").textContent = nearOf(reveal, entry.answer, range);
    reply.hidden = false;
    reveal.classList.add("answered", right ? "good" : "other");
    reveal.querySelector("details").open = true;
    reveal.querySelector(".happened").hidden = right; // the reply says it already
    reveal.querySelector(".others").hidden = true;
    if (entry.right !== right) change((predictions) => { predictions[reveal.dataset.id].right = right; });
  }

  // --- the page of contents ---

  function count() {
    const predictions = read().predictions;
    for (const place of document.querySelectorAll(".done")) {
      const ids = place.dataset.predictions.split(" ").filter(Boolean);
      const made = ids.filter((id) => predictions[id]);
      const right = made.filter((id) => predictions[id].right).length;
      place.textContent = made.length ? ` · ${made.length} of ${ids.length} predictions locked, ${right} right` : ` · ${ids.length} predictions`;
    }
    const own = document.getElementById("own-answers");
    if (!own) return;
    const all = Object.values(predictions), some = all.length > 0;
    own.textContent = some
      ? `${all.length} locked, ${all.filter((one) => one.right).length} of them right. They are kept in this browser and sent nowhere. The file has the form of the course's own progress file.`
      : "None is locked yet. They will be kept in this browser and sent nowhere.";
    document.getElementById("save-answers").disabled = !some;
    document.getElementById("forget-answers").disabled = !some;
  }

  document.querySelectorAll(".course-predict").forEach(setUp);
  count();
  document.getElementById("save-answers")?.addEventListener("click", () => {
    const file = new Blob([JSON.stringify(read(), null, 1)], { type: "application/json" });
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: "progress.json" });
    link.click();
    URL.revokeObjectURL(link.href);
  });
  document.getElementById("forget-answers")?.addEventListener("click", () => {
    if (!confirm("Forget every answer that was locked in this browser?")) return;
    store.set(PLACE, JSON.stringify({ version: 1, predictions: {}, exercises: {} }));
    count();
  });
})();
