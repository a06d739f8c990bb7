/* Small things of every page: toasts go after six seconds, print and share buttons, menus that close. */
(() => {
  document.querySelectorAll("[data-toast]").forEach((one) => setTimeout(() => one.remove(), 6000));
  (document.querySelector("[data-focus]") ?? document.querySelector('main [aria-invalid="true"]'))?.focus();
  // The chip of this page may lie beyond the edge of a phone.
  document.querySelectorAll(".chips [aria-current]").forEach((one) => {
    one.parentElement.scrollLeft = one.offsetLeft - (one.parentElement.clientWidth - one.offsetWidth) / 2;
  });
  document.addEventListener("click", async (event) => {
    if (event.target.closest("[data-print]")) print();
    const share = event.target.closest("[data-share]");
    if (share) {
      const url = new URL(share.dataset.share, location.href).href;
      if (navigator.share) {
        await navigator.share({ title: document.title, url }).catch(() => {});
      } else {
        await navigator.clipboard?.writeText(url);
        if (share.dataset.copied) toast(share.dataset.copied);
      }
    }
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
      menu.open = false;
    });
  });
  const toast = (text) => {
    const box = document.createElement("div");
    box.className = "toast-x";
    box.textContent = text;
    document.querySelector("[data-toasts]").append(box);
    setTimeout(() => box.remove(), 6000);
  };
})();
