/* A signature drawn with finger, pen or mouse becomes an SVG path: absolute moves and lines, whole numbers. */
(() => {
  document.querySelectorAll("form[data-signature]").forEach((form) => {
    const canvas = form.querySelector("canvas");
    const input = form.querySelector("input[name=signature]");
    const pen = canvas.getContext("2d");
    const most = 19000;
    let drawing = false;
    pen.lineWidth = 4;
    pen.lineCap = pen.lineJoin = "round";
    pen.strokeStyle = "#18261e";
    const point = (event) => {
      const box = canvas.getBoundingClientRect();
      const within = (value, limit) => Math.max(0, Math.min(limit, Math.round(value)));
      return [
        within(((event.clientX - box.left) * canvas.width) / box.width, canvas.width),
        within(((event.clientY - box.top) * canvas.height) / box.height, canvas.height),
      ];
    };
    const add = (command, [x, y]) => {
      if (input.value.length > most) return;
      input.value += `${command}${x} ${y}`;
      if (command === "M") {
        pen.beginPath();
        pen.moveTo(x, y);
      } else {
        pen.lineTo(x, y);
        pen.stroke();
      }
    };
    canvas.addEventListener("pointerdown", (event) => {
      drawing = true;
      canvas.setPointerCapture(event.pointerId);
      add("M", point(event));
      event.preventDefault();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (drawing) add("L", point(event));
    });
    ["pointerup", "pointercancel"].forEach((name) => canvas.addEventListener(name, () => { drawing = false; }));
    form.querySelector("[data-clear]").addEventListener("click", () => {
      input.value = "";
      pen.clearRect(0, 0, canvas.width, canvas.height);
    });
  });
})();
