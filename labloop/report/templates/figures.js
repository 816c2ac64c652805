"use strict";
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const printed = 700; // pixels across a sheet of A4 within its margins
  const figures = [...document.querySelectorAll("[data-figure]")].map((place) => ({
    place,
    themes: JSON.parse(document.getElementById(place.dataset.figure).textContent),
  }));
  const config = {
    displaylogo: false,
    responsive: true,
    modeBarButtons: [["toImage"]],
    toImageButtonOptions: { format: "svg" },
  };

  function draw(theme, width) {
    for (const { place, themes } of figures) {
      // Plotly writes into what it is given, and the figures are drawn more than once.
      const { data, layout } = structuredClone(themes[theme]);
      Plotly.react(place, data, width ? { ...layout, width } : layout, config);
    }
  }

  const redraw = () => draw(dark.matches ? "dark" : "light");
  redraw();
  dark.addEventListener("change", redraw);
  window.addEventListener("beforeprint", () => draw("light", printed));
  window.addEventListener("afterprint", redraw);
})();
