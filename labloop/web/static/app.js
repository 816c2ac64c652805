"use strict";
(() => {
  // Work under way: its stages, and on when it ends. Without this script the page loads itself anew.
  const stages = document.querySelector("[data-work]");
  async function watch() {
    const answer = await fetch(stages.dataset.work).catch(() => null);
    if (answer && !answer.ok) return location.reload();
    if (answer) {
      const work = await answer.json();
      if (work.state !== "running") return location.reload();
      const open = work.stages.some(({ done, total }) => done < total);
      stages.replaceChildren(...work.stages.map(bar), ...(open ? [] : [bar({ name: "…" })]));
      document.querySelector("[data-seconds]").textContent = `${work.seconds} s`;
    }
    setTimeout(watch, 400);
  }
  function bar({ name, done, total }) {
    const line = document.createElement("p");
    const label = document.createElement("label");
    const progress = document.createElement("progress");
    if (total) {
      progress.max = total;
      progress.value = done;
    }
    label.append(name, progress);
    line.append(label);
    return line;
  }
  if (stages) watch();

  // Fields that files are dropped onto.
  for (const drop of document.querySelectorAll(".drop")) {
    for (const [event, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
      drop.addEventListener(event, () => drop.classList.toggle("over", over));
    }
  }

  // A file that misses its field is not to take the place of the page.
  for (const event of ["dragover", "drop"]) {
    document.addEventListener(event, (drag) => {
      const onField = drag.target.closest?.("input[type=file]");
      if (!onField && drag.dataTransfer?.types.includes("Files")) drag.preventDefault();
    });
  }

  // What cannot be undone is asked for once more.
  for (const form of document.querySelectorAll("[data-ask]")) {
    form.addEventListener("submit", (event) => {
      if (!confirm(form.dataset.ask)) event.preventDefault();
    });
  }

  // The definition: its lines numbered, problems lead to their line, nothing lost by leaving.
  const editor = document.querySelector(".editor");
  if (editor) {
    const text = editor.querySelector("textarea");
    const gutter = editor.querySelector(".gutter");
    const saved = text.form.querySelector("[name=was]").value;
    const fit = () => {
      const lines = text.value.split("\n").length;
      while (gutter.children.length < lines) {
        const item = document.createElement("li");
        item.id = `line-${gutter.children.length + 1}`;
        gutter.append(item);
      }
      while (gutter.children.length > lines) gutter.lastChild.remove();
      text.rows = Math.max(lines + 1, 12);
    };
    text.addEventListener("input", fit);
    fit();
    for (const link of document.querySelectorAll("[data-line]")) {
      link.addEventListener("click", () => {
        const lines = text.value.split("\n");
        const line = Number(link.dataset.line) - 1;
        const start = lines.slice(0, line).reduce((sum, each) => sum + each.length + 1, 0);
        text.focus({ preventScroll: true });
        text.setSelectionRange(start, start + (lines[line] ?? "").length);
      });
    }
    let leaving = false;
    text.form.addEventListener("submit", () => { leaving = true; });
    window.addEventListener("beforeunload", (event) => {
      if (!leaving && text.value !== saved) event.preventDefault();
    });
  }

})();
