// Posts a file with axios. Usage: FILE URL
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename } from "node:path";

const axios = createRequire(`${process.env.AXIOS}/`)("axios");
const [file, url] = process.argv.slice(2);
const form = new FormData();
form.append("file", new Blob([await readFile(file)], { type: "image/png" }), basename(file));
const answer = await axios.post(url, form, { transformResponse: [] });
console.log(answer.status, answer.data);
