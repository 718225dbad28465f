/** A document that is read by one streamed request: for a service without jobs, and for a PDF with a password. */

import { Away, persistent } from "../service/api.js";
import { sectionOf } from "../viewer/page_html.js";
import { Reading, posted, withConnection } from "./reading.js";
import { jsonLines } from "../service/streams.js";

const SHOWN = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/avif"];

export class StreamReading extends Reading {
  #source;
  #fields;
  #results = new Map();
  #whole = null;
  #stop = new AbortController();

  /** Send a document; the reading ends with the request. */
  static sent(source, fields) {
    const reading = new StreamReading(source, fields);
    reading.#run();
    return reading;
  }

  constructor(source, fields) {
    super(source.name ?? source);
    this.#source = source;
    this.#fields = fields;
  }

  async load() {}

  async page(number) {
    return this.#results.get(number);
  }

  /** Return the HTML of a page; it exists when all pages are read. */
  async html(number) {
    if (this.isOpen) return null;
    this.#whole ??= this.file("html").then((file) => file.text());
    return sectionOf(await this.#whole, number);
  }

  /** Return the picture that was sent; the service keeps none. */
  async picture(number) {
    return number === 1 && SHOWN.includes(this.#source.type) ? this.#source : null;
  }

  async texts() {
    return new Map(Array.from(this.#results, ([number, page]) => [number, page.text]));
  }

  /** Ask again for the document in another form; the cache of the service has it. */
  async file(format) {
    return (await posted("ocr", this.#source, { ...this.#fields, format })).blob();
  }

  async cancel() {
    this.#stop.abort();
    this.update({ state: "cancelled" });
  }

  async remove() {}

  async #run() {
    const { signal } = this.#stop;
    try {
      await withConnection(async () => {
        const answer = await persistent(() => this.#open(signal), (waiting) => this.update({ waiting }), signal);
        for await (const event of jsonLines(answer)) this.#take(event);
      });
      if (this.isOpen) throw new Away();
    } catch (error) {
      if (!signal.aborted) this.update({ state: "failed", error });
    }
  }

  #open(signal) {
    const headers = { Accept: "application/x-ndjson" };
    return posted("ocr", this.#source, this.#fields, { headers, signal });
  }

  #take({ event, page, page_count: total, problem }) {
    if (event === "start") this.update({ state: "running", total, waiting: null });
    if (event === "end") this.update({ state: "done" });
    if (event === "error") this.update({ state: "failed", error: { code: problem.code, detail: problem.detail } });
    if (event === "page") {
      this.#results.set(page.index, page);
      this.addPage(page.index, page.error !== null);
    }
  }
}
