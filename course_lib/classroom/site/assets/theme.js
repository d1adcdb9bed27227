// Runs before the page is drawn, so that a reader who chose dark never sees it light. What was chosen is kept in the browser.
window.courseStore = (() => {
  const memory = {}; // where the browser keeps nothing: a private window, or storage switched off
  return {
    lasts: true,
    get(name) {
      try { return localStorage.getItem(name); } catch { this.lasts = false; return memory[name] ?? null; }
    },
    set(name, value) {
      try { localStorage.setItem(name, value); } catch { this.lasts = false; memory[name] = value; }
    },
  };
})();
{
  const chosen = window.courseStore.get("learning-to-learn.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
