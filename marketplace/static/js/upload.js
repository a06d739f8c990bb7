/* A place to drop a file shows its name; <form data-upload> shows how much has been sent. */
(() => {
  const name = (input) => {
    const chosen = input.closest("[data-drop]")?.querySelector("[data-chosen]");
    // A small file is told in kilobytes: 0.0 MB would read as nothing at all.
    const size = ({ size: bytes }) => bytes < 104858 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
    if (chosen) chosen.textContent = [...input.files].map((f) => `${f.name} (${size(f)})`).join("，");
  };
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-drop] input")) name(event.target);
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.target.closest?.("[data-drop]")?.classList.toggle("over", kind === "dragover");
    });
  }
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const bar = form.querySelector("[data-sending]");
    const files = [...form.querySelectorAll("input[type=file]")].some((one) => one.files.length);
    if (!form.hasAttribute("data-upload") || !bar || !files || event.defaultPrevented) return;
    event.preventDefault();
    const request = new XMLHttpRequest();
    const progress = bar.querySelector("progress");
    const words = bar.querySelector("[data-sending-text]");
    bar.hidden = false;
    request.upload.addEventListener("progress", (sent) => {
      if (!sent.lengthComputable) return;
      progress.value = Math.round((sent.loaded / sent.total) * 100);
      words.textContent = `${words.dataset.words} ${progress.value}%`;
    });
    // The answer is a page, after a redirect as often as not: show it as the browser would have.
    request.addEventListener("load", () => {
      const answer = new DOMParser().parseFromString(request.responseText, "text/html");
      if (request.status < 400 && request.responseURL !== form.action) {
        location.assign(request.responseURL);
        return;
      }
      document.title = answer.title;
      document.getElementById("main").replaceWith(answer.getElementById("main"));
      document.querySelector("#main [data-focus]")?.focus();
    });
    // Without a connection the browser says so itself, in its own words.
    request.addEventListener("error", () => form.submit());
    request.open("POST", form.action);
    request.send(new FormData(form, event.submitter));
  });
})();
