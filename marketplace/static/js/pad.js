/* The household's own keys. <div data-pad data-input="id" data-output="id" data-say="id" data-task-g="60000"
   data-fen-per-jin="360" data-words='{…}'>. The figure is jin; five times off is asked about before it is sent. */
(() => {
  document.querySelectorAll("[data-pad]").forEach((pad) => {
    const input = document.getElementById(pad.dataset.input);
    const output = document.getElementById(pad.dataset.output);
    const say = document.getElementById(pad.dataset.say);
    const words = JSON.parse(pad.dataset.words || "{}");
    const task = Number(pad.dataset.taskG) / 500, perJin = Number(pad.dataset.fenPerJin || 0) / 100;
    const plain = (n) => Number(n.toFixed(2)).toString();
    let text = input.value;
    // The keys take the place of the plain field, which serves where scripts do not run.
    input.closest("[data-plain]").hidden = true;
    for (const part of [output.parentElement, pad, say]) part.hidden = false;
    const show = () => {
      output.textContent = text || "0";
      input.value = text;
      if (!say || !task || !text) return;
      const jin = Number(text), wrong = jin >= task * 5 || jin * 5 <= task;
      const kind = wrong ? "wrong" : jin < task * 0.9 ? "wait" : "done";
      const gap = plain(Math.abs(task - jin));
      const first = wrong ? words.wrong : jin < task ? words.less : jin > task ? words.more : words.same;
      say.className = `says check says-${kind}`;
      say.firstElementChild.className = `i i-${wrong ? "alert-triangle" : "circle-check"}`;
      const money = wrong || !perJin ? "" : "\n" + (words.money || "").replace("{money}", (jin * perJin).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 }));
      say.lastElementChild.textContent = (first || "").replace("{gap}", gap).replace("{task}", plain(task)) + money;
    };
    pad.addEventListener("click", (event) => {
      const key = event.target.closest("button")?.dataset.key;
      if (!key) return;
      if (key === "del") text = text.slice(0, -1);
      else if (!(key === "." && text.includes(".")) && text.length < 7 && !/\.\d\d$/.test(text)) text += key;
      show();
    });
    show();
  });
})();
