/* The household's own keys. <div data-pad data-input="id" data-output="id" data-say="id" data-task="120"
   data-far-off="5" data-fen-per-unit="360" data-words='{…}'>. The figure is in the task's unit. The page says what
   looks mistyped while it is typed; the server, whose rule it is, asks about it when it is sent. */
(() => {
  document.querySelectorAll("[data-pad]").forEach((pad) => {
    const input = document.getElementById(pad.dataset.input);
    const output = document.getElementById(pad.dataset.output);
    const say = document.getElementById(pad.dataset.say);
    const words = JSON.parse(pad.dataset.words || "{}");
    const task = Number(pad.dataset.task), farOff = Number(pad.dataset.farOff);
    const yuanPerUnit = Number(pad.dataset.fenPerUnit) / 100;
    const plain = (n) => Number(n.toFixed(2)).toString();
    let text = input.value;
    // The keys take the place of the plain field, which serves where scripts do not run.
    input.closest("[data-plain]").hidden = true;
    for (const part of [output.parentElement, pad, say]) part.hidden = false;
    const show = () => {
      output.textContent = text || "0";
      input.value = text;
      if (!say || !task || !text) return;
      const figure = Number(text), wrong = figure >= task * farOff || figure * farOff <= task;
      const kind = wrong ? "wrong" : figure < task * 0.9 ? "wait" : "done";
      const gap = plain(Math.abs(task - figure));
      const first = wrong ? words.wrong : figure < task ? words.less : figure > task ? words.more : words.same;
      say.className = `says check says-${kind}`;
      say.firstElementChild.className = `i i-${wrong ? "alert-triangle" : "circle-check"}`;
      const money = wrong || !yuanPerUnit ? "" : "\n" + (words.money || "").replace("{money}", (figure * yuanPerUnit).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 }));
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
