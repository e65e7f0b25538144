"use strict";
const { cases } = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const state = { case: 0, first: "", second: "truth", mode: "flip", zoom: "fit", at: 50 };

// What is shown is in the address, so that it can be kept and handed on.
function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  state.case = Math.min(Math.max(Number(given.get("case") || 1) - 1, 0), cases.length - 1) || 0;
  const names = cases[state.case].versions.map((version) => version.name);
  const known = (name, otherwise) => (names.includes(given.get(name)) ? given.get(name) : otherwise);
  state.first = known("show", cases[state.case].model);
  state.second = known("beside", "truth");
  state.mode = ["flip", "wipe", "difference"].includes(given.get("how")) ? given.get("how") : "flip";
  state.zoom = ["fit", "1", "2", "4"].includes(given.get("size")) ? given.get("size") : "fit";
  state.at = Math.min(Math.max(Number(given.get("at") ?? 50), 0), 100);
}

function writeAddress() {
  const { first, second, mode, zoom, at } = state;
  const kept = new URLSearchParams({ case: state.case + 1, show: first, beside: second, how: mode, size: zoom, at });
  history.replaceState(null, "", `#${kept}`);
}

function fillStage() {
  const shown = cases[state.case];
  byId("stage").replaceChildren(...shown.versions.map((version) => {
    const image = new Image();
    image.src = version.source;
    image.alt = `${shown.title}: ${version.name}`;
    image.dataset.name = version.name;
    image.draggable = false;
    image.addEventListener("load", update, { once: true });
    return image;
  }));
  byId("stage").style.setProperty("--amplified", shown.amplified);
  for (const [id, chosen] of [["first", "first"], ["second", "second"]]) {
    const fieldset = byId(id);
    fieldset.replaceChildren(fieldset.querySelector("legend"), ...shown.versions.map((version, index) => {
      const label = document.createElement("label"), input = document.createElement("input");
      const words = document.createElement("span"), number = document.createElement("b");
      Object.assign(input, { type: "radio", name: id, value: version.name, checked: version.name === state[chosen] });
      number.textContent = index < 9 ? index + 1 : "";
      words.append(number, version.name);
      label.append(input, words);
      return label;
    }));
  }
  [...byId("cases").children].forEach((button, index) => button.setAttribute("aria-current", index === state.case));
}

function update() {
  const stage = byId("stage"), { versions, title } = cases[state.case];
  const beside = state.mode !== "flip";
  for (const image of stage.children) {
    const isFirst = image.dataset.name === state.first, isSecond = beside && image.dataset.name === state.second;
    image.classList.toggle("first", isFirst);
    image.classList.toggle("second", isSecond && !isFirst);
    image.setAttribute("aria-hidden", String(!isFirst && !isSecond));
  }
  stage.className = `stage ${state.mode}`;
  stage.classList.toggle("real", state.zoom !== "fit");
  stage.classList.toggle("coarse", Number(state.zoom) > 1);
  const width = stage.firstElementChild?.naturalWidth || 0;
  const fitting = Math.max(width / devicePixelRatio, Math.min(960, innerWidth));
  stage.style.width = width ? `${state.zoom === "fit" ? fitting : (width * Number(state.zoom)) / devicePixelRatio}px` : "";
  stage.style.setProperty("--at", `${state.at}%`);
  const words = (name) => [name, versions.find((version) => version.name === name).score].filter(Boolean).join(" ");
  byId("caption").textContent = [title, words(state.first), beside ? words(state.second) : ""].filter(Boolean).join(" — ");
  document.querySelector(".slider").hidden = state.mode !== "wipe";
  byId("wipe").value = state.at;
  for (const name of ["first", "second", "mode", "zoom"]) {
    for (const input of document.querySelectorAll(`input[name="${name}"]`)) input.checked = input.value === state[name];
  }
  writeAddress();
}

function show(changes) {
  const before = state.case;
  Object.assign(state, changes);
  if (state.case !== before) fillStage();
  update();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { versions } = cases[state.case];
  const digit = /^Digit([1-9])$/.exec(event.code) ?? /^Numpad([1-9])$/.exec(event.code);
  const number = digit ? Number(digit[1]) : Number(event.key);
  const wraps = (step) => ({ case: (state.case + step + cases.length) % cases.length });
  const inRange = event.target.matches?.('input[type="range"]');
  const inRadio = event.target.matches?.('input[type="radio"]');
  if (number >= 1 && number <= 9) {
    const version = versions[number - 1];
    if (version) show(event.shiftKey ? { second: version.name } : { first: version.name });
  } else if (event.key === " " && !event.target.matches?.("button")) {
    show({ first: state.second, second: state.first });
  } else if (event.key === "ArrowLeft" && !inRange && !inRadio) {
    show(wraps(-1));
  } else if (event.key === "ArrowRight" && !inRange && !inRadio) {
    show(wraps(1));
  } else if (event.key === "w" || event.key === "d") {
    const mode = event.key === "w" ? "wipe" : "difference";
    show({ mode: state.mode === mode ? "flip" : mode });
  } else if (event.key === "z") {
    const sizes = ["fit", "1", "2", "4"];
    show({ zoom: sizes[(sizes.indexOf(state.zoom) + 1) % sizes.length] });
  } else {
    return;
  }
  event.preventDefault();
}

function wipeTo(event) {
  if (state.mode !== "wipe" || (event.type === "pointermove" && !event.buttons)) return;
  const box = byId("stage").getBoundingClientRect();
  show({ at: Math.round(Math.min(Math.max((100 * (event.clientX - box.left)) / box.width, 0), 100) * 10) / 10 });
}

byId("cases").replaceChildren(...cases.map(({ title, thumbnail }, index) => {
  const button = document.createElement("button"), image = new Image();
  button.type = "button";
  button.title = title;
  image.src = thumbnail;
  image.alt = `Picture ${index + 1}: ${title}`;
  button.append(image);
  button.addEventListener("click", () => show({ case: index }));
  return button;
}));
document.addEventListener("keydown", onKey);
document.addEventListener("change", ({ target }) => {
  if (target.name in state) show({ [target.name]: target.value });
});
byId("wipe").addEventListener("input", ({ target }) => show({ at: Number(target.value) }));
byId("stage").addEventListener("pointerdown", wipeTo);
byId("stage").addEventListener("pointermove", wipeTo);
addEventListener("resize", update);
addEventListener("hashchange", () => { readAddress(); fillStage(); update(); });
readAddress();
fillStage();
update();
