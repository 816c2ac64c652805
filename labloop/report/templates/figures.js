"use strict";
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const printed = 700; // pixels across a sheet of A4 within its margins
  const config = {
    displaylogo: false,
    responsive: true,
    modeBarButtons: [["toImage"]],
    toImageButtonOptions: { format: "svg" },
  };
  const drawn = new Set();

  function changed(figure, changes) {
    for (const [path, value] of changes) {
      let inside = figure;
      for (const key of path.slice(0, -1)) inside = inside[key];
      inside[path.at(-1)] = value;
    }
  }

  function draw(place, theme, width) {
    const name = place.dataset.figure;
    // Plotly writes into what it is given, and figures are drawn more than once.
    const held = JSON.parse(document.getElementById(name).textContent);
    const chosen = document.querySelector(`select[data-readings="${CSS.escape(name)}"]`);
    const reading = chosen && held.readings[chosen.value];
    const figure = held.light;
    if (theme === "dark") changed(figure, held.dark);
    if (reading) changed(figure, reading.all);
    if (reading && theme === "dark") changed(figure, reading.dark);
    const { data, layout } = figure;
    Plotly.react(place, data, width ? { ...layout, width } : layout, config);
    drawn.add(place);
  }

  const places = [...document.querySelectorAll("[data-figure]")];
  const shown = (place) => draw(place, dark.matches ? "dark" : "light");
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting && !drawn.has(target)) shown(target);
      }
    },
    { rootMargin: "600px" },
  );
  for (const place of places) seen.observe(place);
  for (const select of document.querySelectorAll("select[data-readings]")) {
    const place = places.find(({ dataset }) => dataset.figure === select.dataset.readings);
    select.addEventListener("change", () => shown(place));
  }
  dark.addEventListener("change", () => drawn.forEach(shown));
  window.addEventListener("beforeprint", () => {
    for (const place of places) draw(place, "light", printed);
  });
  window.addEventListener("afterprint", () => drawn.forEach(shown));
})();
