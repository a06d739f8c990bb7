/* The sum of what a member needs follows its figures: each [data-fen] holds one input. */
(() => {
  const sum = () => {
    let fen = 0;
    document.querySelectorAll("[data-fen]").forEach((one) => {
      const input = one.querySelector("input");
      fen += Number(one.dataset.fen) * (Number(input?.value) || 0);
    });
    const whole = Math.floor(fen / 100).toLocaleString("en-US");
    document.querySelectorAll("[data-needs-sum]").forEach((place) => {
      place.textContent = `¥${whole}.${String(fen % 100).padStart(2, "0")}`;
    });
  };
  document.addEventListener("input", sum);
  sum();
})();
