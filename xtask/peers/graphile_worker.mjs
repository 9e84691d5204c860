// Graphile Worker with its client in one process of Node.js. Reads `array N` and
// `single` from standard input, and answers when the database has committed the end
// of every job.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [place, sockets] = process.argv.slice(2);
const require = createRequire(`${place}/`);
const { run, makeWorkerUtils, Logger } = require("graphile-worker");
const { Pool } = require("pg");

const pgPool = new Pool({ host: sockets, user: "peers", database: "postgres", max: 10 });
const logger = new Logger(() => () => {});

// A job that has succeeded is deleted. Deletions tell their number when they are committed.
const GONE = `
  create or replace function gone() returns trigger language plpgsql as $$
  begin perform pg_notify('gone', (select count(*)::text from old)); return null; end $$;
  create or replace trigger gone after delete on graphile_worker._private_jobs
  referencing old table as old for each statement execute function gone()`;

let left = 0;
let done = () => {};
const utils = await makeWorkerUtils({ pgPool, logger });
await utils.migrate();
await pgPool.query(GONE);
const ear = await pgPool.connect();
ear.on("notification", (notice) => {
  left -= Number(notice.payload);
  if (left === 0) done();
});
await ear.query("listen gone");

const taskList = { noop: () => {} };
// One process with batches for arrays, one by one for single jobs: each at its best.
const batches = { localQueue: { size: 500 }, completeJobBatchDelay: 0 };
const worker = (more) =>
  run({ pgPool, logger, taskList, noHandleSignals: true, preset: { worker: { concurrentJobs: 24, ...more } } });

let mode = "";
let runner = null;
async function become(wanted) {
  if (mode === wanted) return;
  await runner?.stop();
  runner = await worker(wanted === "array" ? batches : { concurrentJobs: 2 });
  mode = wanted;
}

async function submit(number) {
  left = number;
  const gone = new Promise((resolve) => (done = resolve));
  if (number === 1) await utils.addJob("noop", {});
  else await utils.addJobs(Array.from({ length: number }, () => ({ identifier: "noop", payload: {} })));
  await gone;
}

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [what, number = "1"] = line.split(" ");
  await become(what);
  await submit(Number(number));
  console.log("done");
}
process.exit(0);
