/* Words outside a live part that follow it: data-mirror="x" takes the text of data-mirror-from="x",
   and a form with data-ask-mirror="x" asks with it. */
(() => {
  const follow = () => {
    document.querySelectorAll("[data-mirror-from]").forEach((source) => {
      const name = source.dataset.mirrorFrom;
      document.querySelectorAll(`[data-mirror="${name}"]`).forEach((one) => {
        one.textContent = source.textContent;
      });
      document.querySelectorAll(`[data-ask-mirror="${name}"]`).forEach((form) => {
        form.dataset.askText = source.textContent;
      });
    });
  };
  document.addEventListener("live:swapped", follow);
})();
