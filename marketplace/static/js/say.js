/* Reads aloud exactly what stands in the elements that carry data-say-aloud, in their order. */
(() => {
  const button = document.querySelector("[data-read-aloud]");
  if (!button || !window.speechSynthesis) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    speechSynthesis.cancel();
    const parts = [...document.querySelectorAll("[data-say-aloud]")].map((one) => one.innerText.trim());
    const speech = new SpeechSynthesisUtterance(parts.filter(Boolean).join("。"));
    speech.lang = document.documentElement.lang;
    speechSynthesis.speak(speech);
  });
})();
