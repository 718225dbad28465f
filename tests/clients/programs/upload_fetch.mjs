// Posts a file with the fetch of Node.js. Usage: FILE URL
import { readFile } from "node:fs/promises";
import { basename } from "node:path";

const [file, url] = process.argv.slice(2);
const form = new FormData();
form.append("file", new Blob([await readFile(file)], { type: "image/png" }), basename(file));
const answer = await fetch(url, { method: "POST", body: form });
console.log(answer.status, await answer.text());
