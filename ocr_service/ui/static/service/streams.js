/** Answers that come piece by piece: server-sent events and NDJSON. If the connection breaks, they throw Away. */

import { Away } from "./api.js";

/** Yield the server-sent events of an answer. EventSource cannot send a key. */
export async function* serverEvents(answer) {
  let event = {};
  for await (const line of lines(answer)) {
    if (line === "") {
      if ("data" in event) yield { ...event, data: JSON.parse(event.data) };
      event = {};
    } else if (!line.startsWith(":")) {
      const colon = line.indexOf(":");
      event[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
    }
  }
}

/** Yield the values of an NDJSON answer; blank lines keep the connection open. */
export async function* jsonLines(answer) {
  for await (const line of lines(answer)) if (line) yield JSON.parse(line);
}

async function* lines(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(() => Promise.reject(new Away()));
      if (done) break;
      const parts = (rest + value).split("\n");
      rest = parts.pop();
      yield* parts;
    }
    if (rest) yield rest;
  } finally {
    reader.cancel().catch(() => {});
  }
}
