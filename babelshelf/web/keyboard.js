// Shortcuts of a page: a key, or a click on an element with data-shortcut, becomes the event "shortcut" with the key and
// data-shown of the element that has it: the server can tell what the user saw when they pressed it.
(() => {
  const typing = "input, textarea, select, [contenteditable], .q-menu, .q-dialog";
  const send = (key) => emitEvent("shortcut", { key, shown: document.querySelector("[data-shown]")?.dataset.shown ?? "" });
  const exists = (key) => document.querySelector(`[data-shortcut="${CSS.escape(key)}"]`) !== null;
  const aliases = { backspace: "z" };
  // On a keyboard of another script (Arabic, Greek) the letter is that of the key's place.
  const letter = (event) =>
    /^[\x20-\x7e]+$/.test(event.key) ? event.key.toLowerCase() : event.code.replace(/^Key/, "").toLowerCase();
  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.target.closest(typing)) return;
    const key = aliases[letter(event)] ?? letter(event);
    if (!exists(key)) return;
    event.preventDefault();
    send(key);
  });
  document.addEventListener("click", (event) => {
    const element = event.target.closest("[data-shortcut]");
    if (element) send(element.dataset.shortcut);
  });
})();
