// Several files at once, by dropping, choosing or the camera, each with its progress. Without this file the form sends one.
"use strict";

const form = document.getElementById("upload");
const input = document.getElementById("file");
const camera = document.getElementById("camera");
const drop = document.getElementById("drop");
const list = document.getElementById("uploads");
const said = form.dataset;
const [path, query = ""] = form.getAttribute("action").split("?");
let queue = Promise.resolve();

function send(file, row, bar) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("PUT", `${path}/${encodeURIComponent(file.name || "photo.jpg")}?${query}`);
    request.upload.addEventListener("progress", (event) => {
      bar.value = event.loaded;
    });
    request.addEventListener("loadend", () => {
      const ok = request.status === 201;
      let reason = "";
      try {
        reason = ok ? "" : ` – ${JSON.parse(request.responseText).error.message}`;
      } catch {
        reason = "";
      }
      bar.value = ok ? bar.max : 0;
      row.lastChild.textContent = (ok ? said.uploaded : said.failed) + reason;
      row.classList.toggle("wrong", !ok);
      resolve();
    });
    row.lastChild.textContent = said.uploading;
    request.send(file);
  });
}

function add(files) {
  for (const file of files) {
    const row = document.createElement("li");
    const name = document.createElement("span");
    const bar = document.createElement("progress");
    const state = document.createElement("span");
    name.textContent = file.name || "photo.jpg";
    bar.max = file.size || 1;
    bar.value = 0;
    bar.setAttribute("aria-label", name.textContent);
    state.textContent = said.waiting;
    row.append(name, bar, state);
    list.append(row);
    queue = queue.then(() => send(file, row, bar));
  }
}

input.multiple = true;
input.required = false;
document.getElementById("send").hidden = true;
document.getElementById("camera-row").hidden = !matchMedia("(pointer: coarse)").matches;

for (const field of [input, camera]) {
  field.addEventListener("change", () => {
    add(field.files);
    field.value = "";
  });
}
form.addEventListener("submit", (event) => event.preventDefault());
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") {
      add(event.dataTransfer.files);
    }
  });
}
