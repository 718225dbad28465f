/** Requests to the service. Every address is relative to this file, so the page works below any path. */

import { askForKey, currentKey } from "./keys.js";

const ROOT = new URL("../..", import.meta.url);
const UNAUTHORIZED = 401;
// Answers of a proxy whose service is away.
const AWAY = [502, 504];
const PAUSE_SECONDS = 2;

/** An error that the service answered. retryAfter: seconds, or null. */
export class Problem extends Error {
  constructor(status, code, detail, retryAfter) {
    super(detail);
    Object.assign(this, { status, code, retryAfter });
  }

  /** Whether the same request can succeed later. */
  get isTemporary() {
    return this.retryAfter !== null;
  }
}

/** The service, or the way to it, is away. */
export class Away extends Error {
  isTemporary = true;
  retryAfter = PAUSE_SECONDS;
}

/** A file that is to be sent cannot be read. */
export class Unreadable extends Error {}

/** Send a request and return its answer; throw a Problem, or Away. path: below the root of the service. */
export async function request(path, options = {}) {
  for (;;) {
    const key = currentKey();
    const answer = await sent(path, options, key);
    if (answer.ok) return answer;
    if (answer.status !== UNAUTHORIZED || !(await askForKey(key))) throw await problemOf(answer);
  }
}

/** Return the JSON of an answer. */
export const json = async (path, options) => (await request(path, options)).json();

/** Send a request again until the service can take it. waiting: called with the error before each pause. */
export async function persistent(send, waiting, signal) {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      if (!error.isTemporary) throw error;
      waiting(error);
      await pause(error.retryAfter, signal);
    }
  }
}

/** Wait; throw an AbortError if the signal comes. */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}

async function sent(path, { headers = {}, ...options }, key) {
  const all = key === null ? headers : { ...headers, "X-API-Key": key };
  let answer;
  try {
    answer = await fetch(new URL(path, ROOT), { ...options, headers: all });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Away();
  }
  if (AWAY.includes(answer.status) && !isProblem(answer)) throw new Away();
  return answer;
}

async function problemOf(answer) {
  const after = Number(answer.headers.get("Retry-After")) || null;
  if (!isProblem(answer)) return new Problem(answer.status, "", `HTTP ${answer.status}`, after);
  const { code, detail, title } = await answer.json();
  return new Problem(answer.status, code, detail || title, after);
}

const isProblem = (answer) => answer.headers.get("Content-Type")?.startsWith("application/problem+json") ?? false;
