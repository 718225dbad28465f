/** A document that is read: what the list and the viewer show of it, however it is read. */

import { Away, Unreadable, request } from "../service/api.js";

const OPEN = ["sending", "pending", "running"];

/**
 * A reading tells of each change by the event `change`. Its kinds have the methods
 * `load()`, `page(number)`, `html(number)`, `picture(number)`, `texts()`, `file(format)`, `cancel()` and `remove()`.
 *
 * state: `sending` or a state of a job. pages: the pages that are read, number → whether text is missing.
 * total: number of pages, null if unknown. done: number of pages that are read, as far as it was told. error: why it failed. waiting: why it waits, as an error, or null.
 */
export class Reading extends EventTarget {
  state = "sending";
  pages = new Map();
  total = null;
  done = 0;
  error = null;
  waiting = null;

  constructor(name) {
    super();
    this.name = name;
  }

  get isOpen() {
    return OPEN.includes(this.state);
  }

  /** Set values and tell of the change. */
  update(values) {
    Object.assign(this, values);
    this.dispatchEvent(new Event("change"));
  }

  /** Add a page and tell of the change. */
  addPage(number, failed) {
    this.pages.set(number, failed);
    this.update({ waiting: null });
  }
}

/** Send a document and its fields; return the answer. If the file is Unreadable, the service is not away. */
export async function posted(path, source, fields, options = {}) {
  try {
    return await request(path, { ...options, method: "POST", body: formOf(source, fields) });
  } catch (error) {
    if (error instanceof Away && !(await isReadable(source))) throw new Unreadable();
    throw error;
  }
}

/** Return whether the browser can still read a file: not a folder, nor one that was changed or deleted since it was chosen. */
async function isReadable(source) {
  if (!(source instanceof Blob)) return true;
  const reader = source.stream().getReader();
  return reader.read().then(() => (reader.cancel(), true), () => false);
}

/** Return the form of a document: a file or an address, and the fields that have a value. */
function formOf(source, fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  // The document comes last, so the fields are checked before it arrives.
  if (source instanceof Blob) form.append("file", source, source.name);
  else form.append("image_url", source);
  return form;
}

// A browser opens six connections to a host; the others stay free for pages and pictures.
const CONNECTIONS = 3;
let free = CONNECTIONS;
const queue = [];

/** Run a task that holds a connection for long. */
export async function withConnection(task) {
  if (free > 0) free -= 1;
  else await new Promise((resolve) => queue.push(resolve));
  try {
    return await task();
  } finally {
    const next = queue.shift();
    if (next) next();
    else free += 1;
  }
}
