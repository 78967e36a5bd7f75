// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cells that begin with %%xdp are C: its colours, its indentation with tabs, its comments, and the
 * numbers of lines that errors name. Pictures follow the theme, exercises have buttons, and who
 * predicts goes on. A JupyterLab extension without a build: what webpack would have made around it
 * is a container with init() and get().
 */
(window._JUPYTERLAB ??= {})["xdp-lab"] = (() => {
  const beside = document.currentScript.src;
  let modules; // those that JupyterLab shares: name -> version -> {get}

  const shared = async (name) => (await Object.values(modules[name])[0].get())();

  /* The text as C has it: spaces in place of the first line, which is Jupyter's. */
  function withoutFirstLine(input) {
    const line = input.read(0, Math.min(input.length, 1000)).indexOf("\n");
    const end = line < 0 ? input.length : line;
    return {
      length: input.length,
      lineChunks: input.lineChunks,
      chunk: (from) => (from < end ? " ".repeat(end - from) : input.chunk(from)),
      read: (from, to) =>
        " ".repeat(Math.max(0, Math.min(to, end) - from)) +
        (to > end ? input.read(Math.max(from, end), to) : ""),
    };
  }

  /*
   * How far a line is indented: a tab for each open brace, and one more inside a statement. The
   * parser's tree does not know it, since while one types most braces have no end yet.
   */
  const MARKS = /\/\*[^]*?(?:\*\/|$)|\/\/.*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[{}()]/g;

  function indentation(context, pos) {
    const doc = context.state.doc;
    const before = doc.sliceString(doc.line(1).to, pos);
    const open = [];
    const code = before.replace(MARKS, (mark, at) => {
      if ("{(".includes(mark)) open.push({ mark, at: doc.line(1).to + at });
      else if ("})".includes(mark)) open.pop();
      return mark.startsWith("/") ? "" : mark;
    });
    const next = context.textAfterPos(pos).trim();
    const last = open.at(-1);
    if (next.startsWith("#")) return 0;
    if (last?.mark === "(") return context.column(last.at) + 1;
    const goesOn = /[^\s;{}:]\s*$/.test(code) && !/(?:^|\n)[ \t]*#.*\s*$/.test(code);
    const less = /^(?:}|case\b|default\s*:)/.test(next);
    return context.unit * Math.max(0, open.length + (less ? -1 : goesOn && next !== "{" ? 1 : 0));
  }

  /* JupyterLab's C++ without the first line, and with C's habits. */
  function cIn({ language, view, state }, cpp) {
    const parser = Object.assign(Object.create(cpp.language.parser), {
      createParse: (input, fragments, ranges) =>
        cpp.language.parser.createParse(withoutFirstLine(input), fragments, ranges),
    });
    const c = new language.Language(cpp.language.data, parser, [], "c");
    return state.Prec.highest([
      new language.LanguageSupport(c, cpp.support).extension,
      language.indentUnit.of("\t"),
      language.indentService.of(indentation),
      view.lineNumbers(),
    ]);
  }

  /* An editor's extension: while the first line is %%xdp, the cell is C. */
  function follow(codemirror, loadC) {
    const { state, view } = codemirror;
    const place = new state.Compartment();
    const isC = (doc) => /^%%xdp\b/.test(doc.line(1).text);

    class Follower {
      constructor(editor) {
        this.wasC = false;
        this.look(editor);
      }

      update(change) {
        if (change.docChanged) this.look(change.view);
      }

      async look(editor) {
        const now = isC(editor.state.doc);
        if (now === this.wasC) return;
        this.wasC = now;
        const cpp = now ? await loadC() : undefined;
        await Promise.resolve(); // an update may not change what it is about
        if (this.gone || isC(editor.state.doc) !== now) return;
        const extension = cpp ? cIn(codemirror, cpp) : [];
        editor.dispatch({ effects: place.reconfigure(extension) });
      }

      destroy() {
        this.gone = true;
      }
    }
    return [place.of([]), view.ViewPlugin.fromClass(Follower)];
  }

  /* Pictures have the scheme of the theme, which an image takes from the element around it. */
  const STYLE = `
    img[src^="data:image/svg"] { color-scheme: light; }
    body[data-jp-theme-light="false"] img[src^="data:image/svg"] { color-scheme: dark; }
    /* JupyterLab's own are too faint for code that one has to read. */
    body { --jp-mirror-editor-comment-color: #2f7070; }
    body[data-jp-theme-light="false"] { --jp-mirror-editor-comment-color: #6fb0b0; --jp-mirror-editor-meta-color: #c792ff; }
    /* Lines of prose that one can follow; tables, code and pictures may be wider. */
    .jp-RenderedMarkdown > :is(p, ul, ol, blockquote, h1, h2, h3, h4, h5, h6) { max-width: 80ch; }
    /* An arrow stays in one piece; what JupyterLab takes for a path in an error leads nowhere. */
    .jp-RenderedMarkdown :is(p, li) code { display: inline-block; max-width: 100%; }
    .jp-RenderedText a[href=""] { color: inherit; text-decoration: none; pointer-events: none; }
    .xdp-lab-answer:disabled { opacity: 1; }
    .xdp-lab-buttons { display: flex; gap: 8px; padding: 4px 0 0 calc(var(--jp-cell-prompt-width) + 12px); }
  `;

  function addStyle() {
    const style = document.createElement("style");
    style.textContent = STYLE;
    document.head.append(style);
  }

  /* A slider's handle is called what stands beside it. */
  function nameSliders() {
    const handles = document.getElementsByClassName("noUi-handle");
    const name = (handle) => {
      const label = handle.closest(".widget-slider")?.querySelector(".widget-label");
      if (label) handle.setAttribute("aria-label", label.textContent);
    };
    new MutationObserver(() => {
      for (const handle of handles) if (!handle.hasAttribute("aria-label")) name(handle);
    }).observe(document.body, { childList: true, subtree: true });
  }

  /* Who has chosen an answer goes on: the next cell is the one that Shift+Enter runs. */
  function goOn(commands) {
    document.addEventListener("click", (event) => {
      if (event.target.closest?.(".xdp-lab-answer"))
        setTimeout(() => commands.execute("notebook:move-cursor-down"));
    });
    document.addEventListener("change", (event) => { // a number, once it is left or entered
      if (event.target.closest?.(".jp-mod-active .xdp-lab-number"))
        commands.execute("notebook:move-cursor-down");
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

  const ACTIONS = {
    Hint: (panel, cell, number) =>
      ask(panel, `hint("${number}")`, (kind, content) => {
        const type = kind === "execute_result" ? "display_data" : kind; // without a number
        if (["display_data", "error", "stream"].includes(type))
          cell.outputArea.model.add({ ...content, output_type: type });
      }),
    "Start over": (panel, cell, number) =>
      ask(panel, `print(__import__("labsetup").practice.exercise.find("${number}").cell)`, (kind, content) => {
        if (kind === "stream") cell.model.sharedModel.setSource(content.text.trimEnd());
      }),
    "Next exercise": (panel, cell, number, commands) => {
      const notebook = panel.content;
      const next = notebook.widgets.findIndex(
        (one, place) => place > notebook.widgets.indexOf(cell) && exerciseOf(one),
      );
      if (next < 0) return commands.execute("xdp-lab:course"); // which knows the next lesson
      notebook.activeCellIndex = next;
      notebook.scrollToItem(next - 1, "start"); // its text
    },
  };

  /* Below each exercise: a hint, the starter again, the next exercise. */
  function addButtons(panel, commands) {
    for (const cell of panel.content.widgets) {
      const number = exerciseOf(cell);
      const found = cell.node.querySelector(":scope > .xdp-lab-buttons");
      if (found?.dataset.exercise === number) continue;
      found?.remove();
      if (!number) continue;
      const row = document.createElement("div");
      row.className = "xdp-lab-buttons";
      row.dataset.exercise = number;
      for (const [name, act] of Object.entries(ACTIONS)) {
        const button = document.createElement("button");
        button.className = "jp-mod-styled";
        button.textContent = name;
        button.addEventListener("click", () => act(panel, cell, number, commands));
        row.append(button);
      }
      cell.node.append(row);
    }
  }

  function watchNotebooks(tracker, commands) {
    const watch = (panel) => {
      panel.context.ready.then(() => addButtons(panel, commands));
      panel.content.modelContentChanged.connect(() => addButtons(panel, commands));
    };
    tracker.forEach(watch);
    tracker.widgetAdded.connect((_, panel) => watch(panel));
  }

  async function plugin() {
    const names = ["@jupyterlab/codemirror", "@jupyterlab/notebook", "@codemirror/language"];
    const [jupyter, notebooks, language, state, view] = await Promise.all(
      [...names, "@codemirror/state", "@codemirror/view"].map(shared),
    );
    return {
      id: "xdp-lab:course",
      autoStart: true,
      requires: [
        jupyter.IEditorExtensionRegistry,
        jupyter.IEditorLanguageRegistry,
        notebooks.INotebookTracker,
      ],
      activate: (app, extensions, languages, tracker) => {
        addStyle();
        nameSliders();
        goOn(app.commands);
        watchNotebooks(tracker, app.commands);
        const loadC = async () => (await languages.getLanguage("C++"))?.support;
        extensions.addExtension({
          name: "xdp-lab:c",
          factory: () =>
            jupyter.EditorExtensionRegistry.createImmutableExtension(
              follow({ language, state, view }, loadC),
            ),
        });
      },
    };
  }

  return {
    init: (scope) => {
      modules = scope;
    },
    get: async () => {
      const page = import(new URL("course.js", beside)).then((course) => course.plugin(shared));
      const found = await Promise.all([plugin(), page]);
      return () => ({ __esModule: true, default: found });
    },
  };
})();
