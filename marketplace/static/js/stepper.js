/* Quantity in whole units: − and + keep within the limits; the limit says why. A form with
   data-submit-on-change is sent when the figure has rested for a moment. */
(() => {
  const show = (box, say) => {
    const input = box.querySelector("input");
    const value = Number(input.value) || 0;
    const least = Number(input.min || 0);
    const most = input.max === "" ? Infinity : Number(input.max);
    box.querySelector('[data-step="-1"]').disabled = value <= least;
    box.querySelector('[data-step="1"]').disabled = value >= most;
    const said = box.querySelector("[data-said]");
    if (said && say) said.textContent = value >= most ? box.dataset.why || "" : "";
  };
  let timer = 0;
  const changed = (input) => {
    show(input.closest("[data-stepper]"), true);
    const form = input.form;
    if (!form?.hasAttribute("data-submit-on-change")) return;
    clearTimeout(timer);
    timer = setTimeout(() => form.reportValidity() && form.requestSubmit(), 600);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-stepper] [data-step]");
    if (!button) return;
    const input = button.closest("[data-stepper]").querySelector("input");
    const most = input.max === "" ? Infinity : Number(input.max);
    const next = (Number(input.value) || 0) + Number(button.dataset.step);
    input.value = Math.min(most, Math.max(Number(input.min || 0), next));
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-stepper] input")) changed(event.target);
  });
  // A price that follows the quantity: <b data-total-of="input id" data-fen="5900">.
  document.addEventListener("input", () => {
    document.querySelectorAll("[data-total-of]").forEach((sum) => {
      const input = document.getElementById(sum.dataset.totalOf);
      const fen = Number(sum.dataset.fen) * (Number(input?.value) || 0);
      const whole = Math.floor(fen / 100).toLocaleString("en-US");
      sum.textContent = `¥${whole}.${String(fen % 100).padStart(2, "0")}`;
    });
  });
})();
