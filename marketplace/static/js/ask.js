/* Ask before what cannot be taken back: <form data-ask="title" data-ask-text="…" data-ask-yes="verb">. */
(() => {
  const dialog = document.getElementById("ask");
  if (!dialog || !dialog.showModal) return;
  const yes = dialog.querySelector("[value=yes]");
  let asked = null;
  // In the capture phase: nothing else may take the submit before it is confirmed.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const about = event.submitter?.dataset.ask ? event.submitter : form;
    if (!about.dataset.ask || form.dataset.confirmed) {
      delete form.dataset.confirmed;
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    asked = { form, submitter: event.submitter };
    document.getElementById("ask-title").textContent = about.dataset.ask;
    document.getElementById("ask-text").textContent = about.dataset.askText || "";
    yes.textContent = about.dataset.askYes || yes.dataset.word;
    dialog.returnValue = "";
    dialog.showModal();
  }, true);
  dialog.addEventListener("close", () => {
    if (dialog.returnValue !== "yes" || !asked) return;
    const { form, submitter } = asked;
    asked = null;
    form.dataset.confirmed = "yes";
    form.requestSubmit(submitter);
  });
})();
