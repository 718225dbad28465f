/** A document that is read as a job: it survives a reload of the page and a restart of the service. */

import { Away, json, persistent, request } from "../service/api.js";
import { Reading, posted, withConnection } from "./reading.js";
import { serverEvents } from "../service/streams.js";

// Pages that are kept, because each has its pictures.
const KEPT = 20;

export class JobReading extends Reading {
  #seen = 0;
  #isFollowed = false;
  #sending = new AbortController();
  #pages = new Map();
  #html = new Map();
  #texts = new Map();

  /** Send a document; the reading ends with the job. */
  static sent(source, fields) {
    const reading = new JobReading(source.name ?? source);
    reading.#run(source, fields);
    return reading;
  }

  /** Return the reading of a job that was sent before. */
  static of(job) {
    const reading = new JobReading(job.file_name);
    reading.#take(job);
    if (reading.isOpen) reading.load();
    return reading;
  }

  /** Follow the job to its end, or fetch the numbers of its pages if it has ended. */
  async load() {
    if (this.id && !this.#isFollowed) await this.#follow();
  }

  /** Return the path of the job, or of something below it. */
  path(rest = "") {
    return `jobs/${this.id}${rest}`;
  }

  page(number) {
    return kept(this.#pages, number, () => json(this.path(`/pages/${number}`)));
  }

  html(number) {
    return kept(this.#html, number, () => this.#file(`/pages/${number}?format=html`).then((file) => file.text()));
  }

  picture(number) {
    return this.#file(`/pages/${number}/picture`);
  }

  /** Return the text of each page that is read, by its number. */
  texts() {
    return kept(this.#texts, this.pages.size, () => this.#allTexts(), 1);
  }

  file(format) {
    return this.#file(`/result?format=${format}`);
  }

  async cancel() {
    this.#sending.abort();
    await this.remove();
    this.update({ state: "cancelled" });
  }

  /** Delete the job; one that is gone already is no error. */
  async remove() {
    if (!this.id) return;
    const removal = () => json(this.path(), { method: "DELETE" });
    await persistent(removal, (waiting) => this.update({ waiting })).catch((error) => {
      if (error.code !== "job_not_found") throw error;
    });
  }

  async #run(source, fields) {
    const headers = { "Idempotency-Key": randomId() };
    const { signal } = this.#sending;
    const submit = () => posted("jobs", source, fields, { headers, signal }).then((answer) => answer.json());
    try {
      this.#take(await withConnection(() => persistent(submit, (waiting) => this.update({ waiting }), signal)));
    } catch (error) {
      if (error.name !== "AbortError") this.update({ state: "failed", error });
      return;
    }
    await this.#follow();
  }

  async #follow() {
    this.#isFollowed = true;
    try {
      await withConnection(() => persistent(() => this.#events(), (waiting) => this.update({ waiting })));
    } catch (error) {
      this.update({ state: "failed", error });
    }
  }

  /** Take the events to the end of the job. The pages of a job that has ended come at once. */
  async #events() {
    const answer = await request(this.path("/events"), { headers: { "Last-Event-ID": this.#seen } });
    for await (const { event, id, data } of serverEvents(answer)) {
      if (event === "page") this.#takePage(Number(id), data);
      else this.#take(data);
      if (event === "end") return;
    }
    throw new Away();
  }

  #takePage(place, { page, failed, pages_total: total }) {
    this.#seen = place;
    this.total = total;
    this.addPage(page, failed);
  }

  #take({ id, state, pages_total: total, pages_done: done, error }) {
    this.update({ id, state, total, done, error, waiting: null });
  }

  async #allTexts() {
    const { pages } = await json(this.path("/result?format=json&images=false&partial=true"));
    return new Map(pages.map((page) => [page.index, page.text]));
  }

  async #file(path) {
    return (await request(this.path(path))).blob();
  }
}

/** Return a value that is fetched once, as long as it is one of the last; an error is not kept. */
function kept(values, key, fetched, count = KEPT) {
  if (!values.has(key)) {
    const value = fetched();
    value.catch(() => values.delete(key));
    values.set(key, value);
    if (values.size > count) values.delete(values.keys().next().value);
  }
  return values.get(key);
}

/** Return a random text. crypto.randomUUID needs TLS. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16)).join("-");
}
