/** The wiring: files and addresses become readings, which the list and the viewer show. */

import { Problem, json, persistent } from "./service/api.js";
import { addToList } from "./documents.js";
import { byId } from "./dom.js";
import { t, translate } from "./texts/i18n.js";
import { JobReading } from "./readings/job_reading.js";
import { changeKey, currentKey } from "./service/keys.js";
import { chosenOptions, prepareOptions } from "./options.js";
import { sentence } from "./service/problems.js";
import { StreamReading } from "./readings/stream_reading.js";
import { view } from "./viewer/viewer.js";

const OWN = "ocr-jobs";
const RECENT = 20;

translate(document);
const health = persistent(() => json("health"), showAway);
// Whether the service has jobs; known with its first answer.
const hasJobs = listRecent();
health.then(showEngine);
prepareOptions(health.then(({ engine }) => engine));
listen();

/** Read documents: files or addresses. */
async function send(sources) {
  const { password, ...fields } = chosenOptions();
  const isJob = (await hasJobs) && !password;
  for (const source of sources) {
    const again = () => send([source]);
    const reading = isJob ? JobReading.sent(source, fields) : StreamReading.sent(source, { ...fields, ...(password && { password }) });
    reading.addEventListener("change", () => remember(reading.id));
    addToList(reading, { show: () => view(reading), again });
    if (sources.length === 1) view(reading);
  }
}

/** List the recent jobs when they can be had. Return whether the service has jobs. */
function listRecent() {
  return new Promise((resolve) => {
    const waiting = (error) => (showAway(error), error instanceof Problem && resolve(true));
    persistent(recentJobs, waiting)
      .then((jobs) => (jobs.forEach(addRecent), resolve(true)))
      .catch((error) => resolve(error.code !== "jobs_not_configured"))
      .finally(() => (byId("away").hidden = true));
  });
}

function addRecent(job) {
  const reading = JobReading.of(job);
  addToList(reading, { show: () => view(reading), first: false });
}

/** Return the jobs of the key. Without keys, all callers have the same jobs: then return those of this browser. */
async function recentJobs() {
  const { jobs } = await json(`jobs?limit=${RECENT}`);
  if (currentKey() !== null) return jobs;
  const known = new Map(jobs.map((job) => [job.id, job]));
  return (await Promise.all(ownJobs().map((id) => known.get(id) ?? jobOf(id)))).filter(Boolean);
}

/** Return a job of this browser; forget one that is gone, and return null. */
async function jobOf(id) {
  try {
    return await json(`jobs/${id}`);
  } catch (error) {
    if (error.code !== "job_not_found") throw error;
    keepOwn(ownJobs().filter((each) => each !== id));
    return null;
  }
}

const ownJobs = () => JSON.parse(localStorage.getItem(OWN) ?? "[]");
const keepOwn = (ids) => localStorage.setItem(OWN, JSON.stringify(ids.slice(0, RECENT)));

function remember(id) {
  const own = ownJobs();
  if (id && !own.includes(id)) keepOwn([id, ...own]);
}

function showEngine({ engine, engine_version: version }) {
  byId("away").hidden = true;
  byId("engine").textContent = t("engine", { name: engine, version: version ?? "" });
}

function showAway(error) {
  byId("away").textContent = sentence(error);
  byId("away").hidden = false;
}

function listen() {
  const files = byId("files");
  const drop = byId("drop");
  files.addEventListener("change", () => (send([...files.files]), (files.value = "")));
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const address = byId("address").value.trim();
    if (address) send([address]);
  });
  document.addEventListener("dragover", (event) => (event.preventDefault(), drop.classList.add("over")));
  document.addEventListener("dragleave", () => drop.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    send([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", ({ clipboardData }) => send([...clipboardData.files]));
  byId("key").hidden = currentKey() === null;
  byId("key").addEventListener("click", () => changeKey().then((isGiven) => isGiven && location.reload()));
}
