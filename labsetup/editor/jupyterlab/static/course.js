// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The course's first page: lessons with their minutes, the reader's progress, what is next; and the
 * layout that opens: this page, or a lesson, with a terminal below. What stands on the page comes
 * from the lab's server, labsetup/editor/course.py.
 */
import { goTo } from "./places.js";

const OPEN = "xdp-lab:course";
const SIGNS = { done: "●", tried: "◐", "": "○" };
const WORDS = { done: "done", tried: "tried", "": "not yet" };

const STYLE = `
  .xdp-lab-course { overflow-y: auto; background: var(--jp-layout-color1); color: var(--jp-content-font-color1);
    font: var(--jp-content-font-size1)/1.5 var(--jp-content-font-family); outline: none; }
  .xdp-lab-course > div { max-width: 940px; margin: 0 auto; padding: 20px 28px 32px; }
  .xdp-lab-course h1 { font-size: 1.7em; margin: 0; }
  .xdp-lab-course p { margin: 4px 0 0; }
  .xdp-lab-course ol { list-style: none; margin: 14px 0; padding: 0; }
  .xdp-lab-course li.lesson { padding: 9px 0; border-top: 1px solid var(--jp-border-color2); }
  .xdp-lab-course .head { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 20px; }
  .xdp-lab-course h2 { font-size: 1.08em; margin: 0; font-weight: 600; }
  .xdp-lab-course a { color: var(--jp-content-link-color); text-decoration: none; }
  .xdp-lab-course a:hover { text-decoration: underline; }
  .xdp-lab-course a:focus-visible { outline: 2px solid var(--jp-brand-color1); outline-offset: 2px; }
  .xdp-lab-course .faint, .xdp-lab-course .minutes { color: var(--jp-content-font-color2); }
  .xdp-lab-course .minutes { font-variant-numeric: tabular-nums; }
  .xdp-lab-course ul { display: flex; flex-wrap: wrap; gap: 2px 18px; list-style: none;
    margin: 3px 0 0; padding: 0; }
  .xdp-lab-course a.next { display: inline-block; margin-top: 14px; padding: 6px 16px; border-radius: 4px;
    background: var(--xdp-lab-next); color: #fff; font-weight: 600; }
  .xdp-lab-course { --xdp-lab-next: #1565c0; }
`;

/* An element with its attributes and what is in it. */
function element(name, attributes, ...inside) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...inside);
  return made;
}

/* The page as elements; `link` makes one that opens a file at a heading. */
function drawn(course, link) {
  const all = course.lessons.flatMap((lesson) => lesson.tasks);
  const count = (state) => all.filter((task) => task.state === state).length;
  const minutes = course.lessons.reduce((sum, lesson) => sum + lesson.everything, 0);
  const page = element("div", {});
  page.append(
    element("h1", {}, "XDP Lab"),
    element("p", {}, `From return XDP_PASS to a load balancer: ${course.lessons.length} lessons, about ` +
      `${Math.round(minutes / 60)} hours with all exercises.`),
    element("p", {}, `Of ${all.length} exercises: ${SIGNS.done} ${count("done")} done, ` +
      `${SIGNS.tried} ${count("tried")} tried, ${SIGNS[""]} ${count("")} not yet.`),
  );
  if (course.notice) page.append(element("p", {}, course.notice));
  const { words, file, anchor } = course.next;
  page.append(words ? link(words, file, anchor, { className: "next" })
    : element("p", {}, "All is done. Any lesson can be done anew: labsetup/lab restore 03 brings a fresh one."));
  const lessons = course.lessons.map((lesson) => {
    const tasks = lesson.tasks.map((task) => element("li", {}, element("span", { ariaHidden: "true" }, `${SIGNS[task.state]} `),
      link(`${task.number} ${task.title}`, lesson.file, task.anchor, {
        ariaLabel: `${task.number} ${task.title}: ${WORDS[task.state]}`, title: WORDS[task.state] })));
    const more = lesson.everything > lesson.reading ? `${lesson.reading} min, ${lesson.everything} with exercises` : `${lesson.reading} min`;
    const item = element("li", { className: "lesson" },
      element("div", { className: "head" },
        element("h2", {}, link(`${lesson.number} ${lesson.title}`, lesson.file, "")),
        element("div", { className: "minutes" }, more)),
      element("div", { className: "faint" }, lesson.question));
    if (tasks.length) item.append(element("ul", {}, ...tasks));
    return item;
  });
  page.append(element("ol", {}, ...lessons), element("p", { className: "faint" }, "The words of the field are in the ",
    link("glossary", "glossary.md", ""), "."));
  return page;
}

/* What its server says of the course now. */
async function fetched(services) {
  const settings = services.ServerConnection.makeSettings();
  const answer = await services.ServerConnection.makeRequest(`${settings.baseUrl}xdp-lab/course`, {}, settings);
  if (!answer.ok) throw new Error(`the lab's server answers ${answer.status}`);
  return answer.json();
}

/* Open a file of the course; in a notebook, go to a heading if one is named. */
async function open(commands, path, anchor) {
  const panel = await commands.execute("docmanager:open", { path });
  if (!anchor) return;
  await panel.revealed;
  await panel.context.ready;
  const notebook = panel.content;
  const heading = (cell) => cell.model.sharedModel.getSource().split("\n")[0].replace(/^#+ |`/g, "").replaceAll(" ", "-");
  const place = notebook.widgets.findIndex((cell) => heading(cell) === anchor);
  if (place < 0) return; // the reader has deleted it
  await goTo(panel, place, place);
  await panel.sessionContext.ready; // what is drawn until then moves it
  if (notebook.activeCellIndex === place) await goTo(panel, place, place);
}

function pageOf({ Widget }, services, commands) {
  return class extends Widget {
    constructor() {
      super();
      this.id = "xdp-lab-course";
      this.addClass("xdp-lab-course");
      this.node.tabIndex = 0;
      Object.assign(this.node, { role: "region", ariaLabel: "The course" });
      Object.assign(this.title, { label: "The course", caption: "Lessons, exercises, and what is next", closable: true });
      this.news = () => document.visibilityState === "visible" && this.isVisible && this.look();
      document.addEventListener("visibilitychange", this.news);
    }

    /* Show what is now; where nothing has changed the page stays as it is. */
    async look() {
      try {
        this.course = await fetched(services);
      } catch (error) {
        this.course = undefined;
        this.drawnAs = undefined;
        this.node.replaceChildren(element("div", {}, element("p", {},
          `The map of the course cannot be shown: ${error.message}. If lab start has ended, type it again.`)));
        return;
      }
      const now = JSON.stringify(this.course);
      if (now === this.drawnAs) return;
      this.drawnAs = now;
      const at = [...this.node.querySelectorAll("a")].indexOf(document.activeElement);
      this.node.replaceChildren(drawn(this.course, (...all) => this.link(...all)));
      if (at >= 0) this.node.querySelectorAll("a")[at]?.focus();
    }

    link(words, file, anchor, more) {
      const path = `${this.course.folder}/${file}`;
      const base = services.ServerConnection.makeSettings().baseUrl;
      const href = `${base}lab/tree/${path}${anchor ? `#${encodeURIComponent(anchor)}` : ""}`;
      const made = element("a", { href, ...more }, words);
      made.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab of the browser's own
        event.preventDefault();
        open(commands, path, anchor);
      });
      return made;
    }

    onAfterShow() {
      this.look();
    }

    onActivateRequest() {
      (this.node.querySelector("a.next") ?? this.node).focus();
    }

    dispose() {
      document.removeEventListener("visibilitychange", this.news);
      super.dispose();
    }
  };
}

/* Whether this browser meets this server for the first time. */
function isNew(server) {
  const before = localStorage.getItem("xdp-lab:server");
  localStorage.setItem("xdp-lab:server", String(server));
  return before !== String(server);
}

export async function plugin(shared) {
  const names = ["application", "apputils", "launcher", "notebook", "services"];
  const [application, apputils, launching, notebooks, services] = await Promise.all(
    names.map((name) => shared(`@jupyterlab/${name}`)),
  );
  const widgets = await shared("@lumino/widgets");
  return {
    id: "xdp-lab:first-page",
    autoStart: true,
    requires: [application.ILabShell, application.ILayoutRestorer, notebooks.INotebookTracker],
    optional: [apputils.ICommandPalette, launching.ILauncher],
    activate: (app, shell, restorer, tracked, palette, launcher) => {
      document.head.append(element("style", { textContent: STYLE }));
      const Page = pageOf(widgets, services, app.commands);
      const tracker = new apputils.WidgetTracker({ namespace: "xdp-lab-course" });
      let page;
      const show = async (activate) => {
        if (!page || page.isDisposed) {
          page = new Page();
          await page.look();
        }
        if (!page.isAttached) shell.add(page, "main", { activate: false });
        if (!tracker.has(page)) await tracker.add(page);
        if (activate) shell.activateById(page.id);
      };
      app.commands.addCommand(OPEN, { label: "The course", caption: "The map of the course, and how far you are",
        execute: ({ stay }) => show(!stay) });
      restorer.restore(tracker, { command: OPEN, args: () => ({ stay: true }), name: () => "course" });
      palette?.addItem({ command: OPEN, category: "XDP Lab" });
      launcher?.add({ command: OPEN, category: "Other", rank: 0 });
      const button = () => new apputils.ToolbarButton({ label: "Course", tooltip: "The map of the course",
        onClick: () => app.commands.execute(OPEN) });
      tracked.widgetAdded.connect((_, panel) => panel.toolbar.insertItem(0, "xdp-lab-course", button()));
      notebooks.NotebookActions.executed.connect(() => page?.isVisible && page.look());
      const first = fetched(services).catch(() => ({})); // the page itself says what is wrong
      shell.restored.then(async ({ fresh }) => {
        const named = location.pathname.includes("/tree/"); // a lesson, which comes to the front
        const begun = isNew((await first).server);
        if (fresh || begun) await show(!named);
        if (!fresh) return;
        await app.commands.execute("xdp-lab:terminal", { quiet: true });
        if (!named && page?.course) app.commands.execute("filebrowser:go-to-path", { path: page.course.folder, dontShowBrowser: true });
      });
    },
  };
}
