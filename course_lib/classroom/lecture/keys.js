// Who gets a key: the control that has the focus, or the lecture. Page up and down, which presenters' remotes send, always
// belong to the lecture; Escape leaves a control. A control that was used with the mouse gives the keys back at once.
(() => {
  const FIELDS = "input, select, textarea, button, summary, [role=application]";
  const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
  let byMouse = false;
  const kept = new WeakSet(); // events that reveal.js must not see

  function own(field, key) { // the keys that a control needs for itself
    if (key === "Tab" || key === "Shift") return true;
    if (field.matches("textarea, select, input:not([type=range], [type=checkbox], [type=radio])")) return true;
    if (field.matches("[type=range]")) return [...ARROWS, "Home", "End"].includes(key);
    if (field.matches("[role=application]")) return [...ARROWS, "n", "N", "Enter", " "].includes(key) && !(key === " " && field.matches(".course-stage"));
    return [" ", "Enter", ...(field.matches("[type=radio]") ? ARROWS : [])].includes(key);
  }

  window.addEventListener("keydown", (event) => {
    byMouse = false;
    const field = event.target.closest?.(FIELDS);
    if (!field || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") kept.add(event);
    else if (!["PageDown", "PageUp"].includes(event.key) && own(field, event.key)) return void kept.add(event);
    field.blur(); // reveal.js does not listen while a field has the focus
  }, true);
  document.querySelector(".reveal").addEventListener("keydown", (event) => { if (kept.has(event)) event.stopPropagation(); });

  window.addEventListener("pointerdown", () => { byMouse = true; }, true);
  for (const kind of ["click", "change"]) {
    window.addEventListener(kind, (event) => {
      const done = kind === "click" ? "button, summary, [type=checkbox], [type=radio]" : "select, [type=range]";
      if (byMouse && event.target.matches?.(done)) event.target.blur();
    });
  }
})();
