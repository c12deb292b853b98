// A server for a test: the real program on a free port, with folders of its own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROGRAM = process.env.MAGISTRATE_PROGRAM;

/** Starts a server with a workspace and a review queue. An earlier server's `home` keeps its folders. */
export async function startServer({ policies = "spam,hate", flags = [], home } = {}) {
  home ??= await mkdtemp(join(tmpdir(), "magistrate-page-"));
  const folders = ["--workspace", join(home, "workspace"), "--review", join(home, "review")];
  const child = spawn(PROGRAM, ["serve", "-p", policies, "--listen", "127.0.0.1:0", ...folders, ...flags], {
    env: environment(home),
    stdio: ["ignore", "ignore", "pipe"],
  });
  const closed = once(child, "close");
  const server = { home, log: "", origin: "", child, closed };
  child.stderr.on("data", (bytes) => (server.log += bytes));
  while (!/^ready$/m.test(server.log)) {
    const ended = await Promise.race([closed, once(child.stderr, "data").then(() => undefined)]);
    if (ended) throw new Error(`the server has ended: ${server.log}`);
  }
  server.origin = /listening on (http:\S+)/.exec(server.log)[1];
  return server;
}

/** Ends a server at once. Its folders stay. */
export async function killServer(server) {
  server.child.kill("SIGKILL");
  await server.closed;
}

/** Ends a server, and removes its folders. */
export async function removeServer(server) {
  await killServer(server);
  await rm(server.home, { recursive: true, force: true });
}

/** Sends a request past the browser. */
export async function post(server, path, body) {
  const headers = { "content-type": "application/json" };
  const reply = await fetch(server.origin + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`);
  return reply.json();
}

/** Runs the command. */
export async function command(server, args) {
  const child = spawn(PROGRAM, args, { env: environment(server.home) });
  const out = { stdout: "", stderr: "" };
  child.stdout.on("data", (bytes) => (out.stdout += bytes));
  child.stderr.on("data", (bytes) => (out.stderr += bytes));
  const [code] = await once(child, "close");
  return { code, ...out };
}

function environment(home) {
  const { MAGISTRATE_API_KEY, ...rest } = process.env;
  return { ...rest, MAGISTRATE_CACHE: join(home, "cache"), NO_COLOR: "1" };
}
