// One question with radio buttons (or one range) and a button that locks the answer. Python stores it; see predict.py.
function element(tag, className, html) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (html !== undefined) node.innerHTML = html; // html comes escaped from Python
  return node;
}

let count = 0; // names a group of radio buttons: two views of one question must not share a group

function render({ model, el }) {
  const name = `course-predict-${++count}`;
  const form = element("form", "course-predict");
  form.dataset.id = model.get("identity");
  const field = element("fieldset");
  const legend = element("legend", "", model.get("question"));
  const note = element("p", "course-note");
  note.setAttribute("role", "status");
  const button = element("button", "course-lock", "Lock my answer");
  button.type = "submit";
  button.disabled = true;
  let chosen = null;
  let waiting = null;

  const choose = (answer) => { chosen = answer; button.disabled = false; note.textContent = ""; };
  field.append(legend);
  const number = model.get("number");
  if (number) {
    const [low, high, step, unit] = number;
    const row = element("div", "course-range");
    const range = element("input");
    Object.assign(range, { type: "range", min: low, max: high, step: step });
    range.value = (low + high) / 2;
    const value = element("output", "", "move the slider");
    const digits = Math.max(0, (String(step).split(".")[1] || "").length);
    const words = () => `${Number(range.value).toFixed(digits)} ${unit}`.trim();
    const moved = () => { value.textContent = words(); range.setAttribute("aria-valuetext", words()); choose(Number(range.value)); };
    range.setAttribute("aria-label", `${legend.textContent} (${low} to ${high} ${unit})`);
    range.addEventListener("input", moved);
    range.addEventListener("pointerup", moved); // the middle is an answer too
    range.addEventListener("keydown", (event) => { if (event.key === " ") moved(); });
    row.append(element("span", "course-end", String(low)), range, element("span", "course-end", String(high)), value);
    field.append(row);
  } else {
    for (const [key, text] of model.get("options")) {
      const label = element("label");
      const radio = element("input");
      Object.assign(radio, { type: "radio", name: name, value: key });
      radio.addEventListener("change", () => choose(key));
      label.append(radio, element("span", "", text));
      field.append(label);
    }
  }

  function showLocked() {
    const said = model.get("locked");
    clearTimeout(waiting);
    form.classList.toggle("course-locked", Boolean(said));
    field.disabled = Boolean(said);
    button.hidden = Boolean(said);
    if (!said) return;
    note.innerHTML = said;
    const answer = model.get("answer");
    for (const input of field.querySelectorAll("input")) {
      if (input.type === "radio") input.checked = input.value === answer;
      else { input.value = answer; field.querySelector("output").textContent = model.get("said"); }
    }
  }

  form.addEventListener("keydown", (event) => event.stopPropagation()); // keys belong to the form, not to the notebook
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (chosen === null || model.get("locked")) return;
    button.disabled = true;
    note.textContent = "Locking your answer.";
    model.send({ lock: chosen });
    waiting = setTimeout(() => {
      button.disabled = false;
      note.textContent = "Python has not answered. If no cell is running, run this cell once and lock again.";
    }, 4000);
  });
  model.on("change:locked", showLocked);
  form.append(field, button, note);
  el.append(form);
  showLocked();
  return () => { clearTimeout(waiting); model.off("change:locked", showLocked); };
}

export default { render };
