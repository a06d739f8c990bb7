/* Counts down by the server's clock: the page said what time it was there when it was made. */
(() => {
  const began = performance.now();
  const say = (box) => {
    // Parts that came later carry their own now; the first sight of each is remembered.
    box.seen ??= document.readyState === "complete" ? performance.now() : began;
    const now = Date.parse(box.dataset.now) + (performance.now() - box.seen);
    const left = Math.max(0, Math.floor((Date.parse(box.dataset.until) - now) / 1000));
    const [day, hour, minute, second] = box.dataset.words.split("|");
    const d = Math.floor(left / 86400), h = Math.floor((left % 86400) / 3600);
    const m = Math.floor((left % 3600) / 60), s = left % 60;
    const small = box.classList.contains("countdown-s");
    let parts = [[m, minute], [s, second]];
    if (left >= 3600) parts = [[d, day], [h, hour], [m, minute]].slice(d ? 0 : 1, small && d ? 2 : 3);
    const text = left ? parts.map(([n, word]) => `${n} ${word}`).join(" ") : box.dataset.over;
    const place = box.querySelector("[data-left]");
    if (place.dataset.text === text) return;
    place.dataset.text = text;
    place.replaceChildren();
    if (!left) {
      box.classList.add("over");
      place.textContent = text;
      box.dispatchEvent(new CustomEvent("countdown:over", { bubbles: true }));
      return;
    }
    parts.forEach(([n, word], i) => {
      const figure = document.createElement("b");
      figure.textContent = n;
      place.append(i ? " " : "", figure, ` ${word}`);
    });
  };
  const all = () => document.querySelectorAll("[data-until]").forEach(say);
  setInterval(all, 1000);
  all();
})();
