// Copy buttons, and a form that is sent once. Every page works without this file.
"use strict";

const words = document.body.dataset;
const status = document.getElementById("status");

function copyBySelecting(source) {
  // Where there is no TLS, browsers offer no clipboard.
  if (source.select) {
    source.select();
  } else {
    getSelection().selectAllChildren(source);
  }
  return document.execCommand("copy");
}

async function copy(button) {
  const source = document.getElementById(button.dataset.for);
  const text = source.value ?? source.textContent;
  let copied;
  try {
    await navigator.clipboard.writeText(text);
    copied = true;
  } catch {
    copied = copyBySelecting(source);
  }
  const label = button.textContent;
  button.textContent = copied ? words.copied : words.selected;
  status.textContent = copied ? words.copiedSaid : words.selectedSaid;
  setTimeout(() => {
    button.textContent = label;
    status.textContent = "";
  }, 2500);
}

for (const button of document.querySelectorAll("button[data-for]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}

for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault(); // a second click would lose the answer to the first
      return;
    }
    form.dataset.sent = "yes";
    form.setAttribute("aria-busy", "true");
    status.textContent = form.dataset.busy ?? "";
  });
}

// Back to a page that the browser kept: its forms may be sent again.
addEventListener("pageshow", () => {
  for (const form of document.forms) {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  }
});
