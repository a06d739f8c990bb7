/* Live parts ask for themselves: <div data-live="address" data-every="1000">. The answer is the part's
   new inside, with an ETag: 304 while nothing changed. It rests while the tab is hidden. Children with
   an id are compared one by one, so that only what changed is swapped (and read aloud, if aria-live).
   A child with data-keep (a chart, which draws itself) stays as it is. */
(() => {
  const swap = (part, html) => {
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    const next = [...fresh.content.children];
    const same = next.length === part.children.length
      && next.every((one, i) => one.id && one.id === part.children[i].id);
    if (!same) {
      part.replaceChildren(fresh.content);
    } else {
      next.forEach((one, i) => {
        const old = part.children[i];
        if (old.hasAttribute("data-keep")) return;
        if (old.contains(document.activeElement) && old.querySelector("input, select, textarea")) return;
        if (old.innerHTML !== one.innerHTML) old.innerHTML = one.innerHTML;
      });
    }
    part.dispatchEvent(new CustomEvent("live:swapped", { bubbles: true }));
  };
  const note = (stale) => {
    document.querySelectorAll(".live-note").forEach((one) => one.classList.toggle("stale", stale));
  };
  const start = (part) => {
    let etag = part.dataset.etag || "", failures = 0;
    const every = Number(part.dataset.every || 1000);
    const ask = async () => {
      if (!part.isConnected || part.hasAttribute("data-live-done")) return;
      if (!document.hidden) {
        try {
          const answer = await fetch(part.dataset.live, {
            headers: { "X-Fragment": "1", ...(etag && { "If-None-Match": etag }) },
            cache: "no-store",
          });
          if (answer.status === 200) {
            etag = answer.headers.get("ETag") || "";
            swap(part, await answer.text());
            if (answer.headers.get("X-Live") === "done") part.setAttribute("data-live-done", "");
          }
          failures = answer.ok || answer.status === 304 ? 0 : failures + 1;
        } catch {
          failures += 1;
        }
        note(failures > 2);
      }
      // Ask more seldom while nobody answers, up to every half minute.
      setTimeout(ask, Math.min(every * 2 ** Math.min(failures, 5), 30000));
    };
    setTimeout(ask, every);
  };
  document.querySelectorAll("[data-live]").forEach(start);
})();
