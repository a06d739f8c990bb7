/* A form is sent once: its button rests after the first press and wakes when the page is shown again. */
(() => {
  const asleep = new Set();
  const wake = () => {
    for (const form of asleep) {
      delete form.dataset.sent;
      form.querySelectorAll("[data-rests]").forEach((button) => {
        button.disabled = false;
        button.removeAttribute("data-rests");
      });
    }
    asleep.clear();
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    asleep.add(form);
    // After the submit, so that the pressed button's own name and value are still sent.
    setTimeout(() => {
      const own = [...form.elements].filter((one) => one.type === "submit" && !one.disabled);
      own.forEach((button) => {
        button.disabled = true;
        button.dataset.rests = "yes";
      });
    });
  });
  addEventListener("pageshow", wake);
})();
