// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Predictions and exercises by mouse and by keyboard: who has predicted goes on to the next cell;
 * below each exercise are a hint, its starter again, and the next exercise. The same is in the
 * palette, for the cell that is active.
 */
import { goTo, placeOf, show } from "./places.js";

const ANSWER = ".xdp-lab-answer";
const NUMBER = ".xdp-lab-number";
const BUTTONS = ".xdp-lab-buttons";

const BRIEFLY = { autoClose: 6000 }; // ms

const STYLE = `
  ${ANSWER}:disabled { opacity: 1; }
  ${BUTTONS} { display: flex; gap: 8px; padding: 4px 0 4px calc(var(--jp-cell-prompt-width) + 12px); }
  /* By keyboard nobody means the buttons that copy and move a cell. */
  .jp-Cell:not(:hover) .jp-cell-toolbar { visibility: hidden; }
  :is(${ANSWER}, ${NUMBER} input, ${BUTTONS} button):focus-visible { outline: 2px solid currentColor; outline-offset: -4px; }
`;

/* The browser's own bubble at an empty box, until something is typed. */
function askFor(box) {
  box.setCustomValidity("Type a number first, or leave the box with Escape.");
  box.addEventListener("input", () => box.setCustomValidity(""), { once: true });
  box.reportValidity();
}

/* Who has chosen an answer, or entered a number, goes on to the next cell. */
function goOn(tracker) {
  let leaving = false; // a box that is left by Escape changes, and nobody goes on
  const next = (element) => {
    const place = placeOf(tracker, element);
    if (place) goTo(place.panel, place.index + 1);
  };
  document.addEventListener("click", ({ target }) => {
    const answer = target.closest?.(ANSWER);
    if (answer) setTimeout(() => next(answer)); // the widget takes it first
  });
  document.addEventListener("change", ({ target }) => {
    if (!leaving && /\d/.test(target.value) && target.closest?.(`.jp-mod-active ${NUMBER}`))
      setTimeout(() => next(target));
  });
  const keys = (event) => {
    const at = event.target.closest?.(`${ANSWER}, ${NUMBER}, ${BUTTONS} button`);
    if (!at) return;
    const aside = event.key.startsWith("Arrow") && !at.matches(NUMBER);
    if (!aside && !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault(); // JupyterLab would run the cell anew, and the question with it
    event.stopPropagation();
    const passedBy = event.key === "Enter" && event.shiftKey && at.dataset.reached && !event.target.value;
    delete at.dataset.reached;
    if (aside) {
      const way = ["ArrowRight", "ArrowDown"].includes(event.key) ? "next" : "previous";
      at[`${way}ElementSibling`]?.focus();
    } else if (event.key === "Escape") {
      const { panel, index } = placeOf(tracker, at) ?? {};
      if (!panel) return;
      leaving = true;
      goTo(panel, index).finally(() => { leaving = false; });
    } else if (passedBy) {
      next(at);
    } else if (at.matches(NUMBER)) {
      if (!event.target.value) return askFor(event.target);
      event.target.dispatchEvent(new Event("change", { bubbles: true }));
    } else {
      at.click();
    }
  };
  window.addEventListener("keydown", keys, true); // JupyterLab listens at the document
}

/*
 * Who runs one cell sees what is next; a question that is open has the focus. Shift+Enter, pressed
 * once more, passes by it; any other key answers.
 */
function afterRunning(tracker, { NotebookActions }) {
  NotebookActions.executed.connect((_, { notebook, cell }) => {
    const panel = tracker.find((one) => one.content === notebook);
    const index = notebook.widgets.indexOf(cell);
    if (!panel || notebook.activeCellIndex !== index + 1 || notebook.mode === "edit") return;
    if (!notebook.node.contains(document.activeElement)) return;
    let looks = 30; // frames until an answer is drawn
    const look = async () => {
      if (notebook.activeCellIndex !== index + 1) return;
      const answers = [...cell.node.querySelectorAll(`${ANSWER}:not(:disabled)`)];
      const open = answers.some((one) => one.matches(".mod-info")) ? undefined : answers[0];
      const asked = open ?? [...cell.node.querySelectorAll(`${NUMBER} input:not(:disabled)`)].find((one) => !one.value);
      if (asked) {
        (asked.closest(NUMBER) ?? asked).dataset.reached = "by running";
        asked.focus();
      } else if (looks-- > 0 && /\bpredict\(/.test(cell.model.sharedModel.getSource())) {
        return requestAnimationFrame(look);
      }
      await show(panel, asked ? cell : notebook.activeCell);
    };
    look();
  });
}

/* The number of the exercise that a cell answers. */
function exerciseOf(cell) {
  const source = cell.model.type === "code" ? cell.model.sharedModel.getSource() : "";
  const found = /^%%xdp\s+\w+\s+--check\s+([\d.]+)|^check\("([\d.]+)"/m.exec(source);
  return found?.[1] ?? found?.[2];
}

/* Run Python beside the cells, and hand over what comes of it. */
function ask(panel, code, take) {
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel) return;
  const future = kernel.requestExecute({ code, store_history: false });
  future.onIOPub = ({ header, content }) => take(header.msg_type, content);
}

/* Hints are added once, below the exercise, and the buttons stay in sight with them. */
function hint({ panel, cell }, number) {
  const { model } = cell.outputArea;
  if (!model.length) cell.model.trusted = true; // what comes is the lab's own
  ask(panel, `__import__("labsetup").hint("${number}")`, (kind, content) => {
    const type = kind === "execute_result" ? "display_data" : kind; // without a number
    if (!["display_data", "error", "stream"].includes(type)) return;
    const { execution_count: ofAResult, ...shown } = content; // no display has one: nbformat
    const said = JSON.stringify(shown.data ?? shown.text);
    const there = Array.from({ length: model.length }, (_, at) => model.get(at).toJSON())
      .some((one) => JSON.stringify(one.data ?? one.text) === said);
    if (!there) model.add({ ...shown, output_type: type });
    for (const wait of [50, 400])
      setTimeout(() => cell.node.querySelector(BUTTONS)?.scrollIntoView({ block: "nearest" }), wait);
  });
}

const actions = ({ Dialog, Notification, showDialog }, commands) => ({
  Hint: hint,
  "Start over": ({ panel, cell, index }, number) => {
    const code = `print(__import__("labsetup").practice.exercise.find("${number}").cell)`;
    ask(panel, code, async (kind, { text }) => {
      if (kind !== "stream") return;
      const starter = text.trimEnd();
      if (cell.model.sharedModel.getSource().trimEnd() !== starter) {
        const { button } = await showDialog({
          title: `Start ${number} over?`,
          body: "The starter takes the place of what stands in the cell. Ctrl+Z in the cell brings that back.",
          defaultButton: 0,
          buttons: [Dialog.cancelButton(), Dialog.okButton({ label: "Start over" })],
        });
        if (!button.accept) return;
        cell.model.sharedModel.setSource(starter);
      }
      cell.model.clearExecution();
      cell.outputArea.model.clear();
      goTo(panel, index);
    });
  },
  "Next exercise": ({ panel, index }) => {
    const next = panel.content.widgets.findIndex((one, place) => place > index && exerciseOf(one));
    if (next < 0) { // the first page knows the next lesson
      Notification.info("No exercise comes after this one here; the map has the other lessons'.", BRIEFLY);
      return commands.execute("xdp-lab:course");
    }
    return goTo(panel, next, next - 1); // with its text
  },
});

/* Below each exercise, its buttons. */
function addButtons(panel, acts) {
  for (const cell of panel.content.widgets) {
    const number = exerciseOf(cell);
    const found = cell.node.querySelector(`:scope > ${BUTTONS}`);
    if (found?.dataset.exercise === number) continue;
    found?.remove();
    if (!number) continue;
    const row = document.createElement("div");
    row.className = BUTTONS.slice(1);
    row.dataset.exercise = number;
    for (const [name, act] of Object.entries(acts)) {
      const button = document.createElement("button");
      button.className = "jp-mod-styled";
      button.textContent = name;
      button.addEventListener("click", () =>
        act({ panel, cell, index: panel.content.widgets.indexOf(cell) }, number));
      row.append(button);
    }
    cell.node.append(row);
  }
}

function watchNotebooks(tracker, acts) {
  const watch = (panel) => {
    panel.context.ready.then(() => addButtons(panel, acts));
    panel.content.modelContentChanged.connect(() => addButtons(panel, acts));
  };
  tracker.forEach(watch);
  tracker.widgetAdded.connect((_, panel) => watch(panel));
}

/*
 * The exercise that the reader is at: in the active cell; above it, if it was just run and is not
 * right; or the next below, whose text it may be.
 */
function exerciseAt({ content }, lastRun) {
  const at = content.activeCellIndex;
  const { widgets } = content;
  const above = widgets[at - 1];
  const failed = above && above === lastRun && !/: right/.test(above.outputArea?.node.textContent);
  const next = widgets.findIndex((cell, place) => place > at && exerciseOf(cell));
  const index = [at, failed ? at - 1 : -1, next].find((place) => widgets[place] && exerciseOf(widgets[place]));
  return index === undefined ? undefined : { index, cell: widgets[index], number: exerciseOf(widgets[index]) };
}

/* In the palette, for the exercise that the reader is at. */
function addCommands(app, palette, tracker, acts, { Notification }, { NotebookActions }) {
  let lastRun, edited; // a cell; whether the focus last was in an editor
  NotebookActions.executed.connect((_, { cell }) => { lastRun = cell; });
  document.addEventListener("focusin", ({ target }) => {
    if (target.closest(".jp-Notebook")) edited = Boolean(target.closest(".cm-editor"));
  });
  for (const [name, act] of Object.entries(acts)) {
    const command = `xdp-lab:${name.toLowerCase().replaceAll(" ", "-")}`;
    app.commands.addCommand(command, {
      label: name === "Next exercise" ? name : `${name} (exercise)`,
      execute: async () => {
        const panel = tracker.currentWidget === app.shell.currentWidget ? tracker.currentWidget : null;
        if (name === "Next exercise") {
          const index = panel?.content.activeCellIndex;
          return panel ? act({ panel, index }) : app.commands.execute("xdp-lab:course");
        }
        const found = panel && exerciseAt(panel, lastRun);
        if (!found) return Notification.info("There is no exercise here: go to one in a lesson, and ask there.", BRIEFLY);
        const stays = panel.content.activeCellIndex === found.index && edited;
        if (panel.content.activeCellIndex !== found.index) await goTo(panel, found.index);
        act({ panel, ...found }, found.number);
        if (stays && name === "Hint") setTimeout(() => { panel.content.mode = "edit"; }, 150); // as before the palette
      },
    });
    palette?.addItem({ command, category: "XDP Lab" });
  }
}

export async function plugin(shared) {
  const [apputils, notebooks] = await Promise.all(["apputils", "notebook"].map((name) => shared(`@jupyterlab/${name}`)));
  return {
    id: "xdp-lab:answering",
    autoStart: true,
    requires: [notebooks.INotebookTracker],
    optional: [apputils.ICommandPalette],
    activate: (app, tracker, palette) => {
      const style = document.createElement("style");
      style.textContent = STYLE;
      document.head.append(style);
      const acts = actions(apputils, app.commands);
      goOn(tracker);
      watchNotebooks(tracker, acts);
      afterRunning(tracker, notebooks);
      addCommands(app, palette, tracker, acts, apputils, notebooks);
    },
  };
}
