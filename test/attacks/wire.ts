/** Bytes that no browser sends, past every client that would tidy them up. */
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { networkInterfaces } from "node:os";
import { gzipSync } from "node:zlib";

import type { Grounds, Site } from "./grounds.ts";
import { headerFaults } from "./judge.ts";
import type { LetIn, Trials } from "./tally.ts";
import { formToken, signedIn } from "./ways.ts";

/** Long enough for every answer, short of the server's own patience. */
const listenMs = 1500;
/** More than the server has for a request that does not come. */
const patienceMs = 14_000;

/** Sends bytes and gives all that comes back until the other side closes, or falls silent. */
export async function speak(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let heard = "";
  socket.setEncoding("latin1").on("data", (text: string) => (heard += text));
  socket.on("error", () => undefined);
  socket.setTimeout(listenMs, () => socket.destroy());
  socket.write(bytes);
  await once(socket, "close");
  return heard;
}

let requests = 0;

/** Each from an address of its own, as the proxy has it. */
function request(line: string, headers: readonly string[] = [], body = ""): string {
  requests += 1;
  const from = `X-Forwarded-For: 172.16.${String(requests >> 8)}.${String(requests & 255)}`;
  return [line, "Host: localhost", from, "Connection: close", ...headers, "", body].join("\r\n");
}

/** What is wrong with raw answers: a header or a second answer that the request has put there, or a way elsewhere. */
function misled(heard: string): LetIn {
  const [head = ""] = heard.split("\r\n\r\n");
  if (/^x-injected:/im.test(head)) return "gets a header in";
  if (/^set-cookie: *injected/im.test(head)) return "gets a cookie in";
  if (/^location: *(?!\/(?![/\\]))/im.test(head))
    return `leads to ${/^location:.*$/im.exec(head)?.[0] ?? ""}`;
  if (heard.includes("<script")) return "gets a script in";
  if ((heard.match(/^HTTP\/1\.1 /gm)?.length ?? 0) > 1) return "gets two answers";
  if (heard.startsWith("HTTP/1.1 500")) return "meets a bug";
  if (/root:|link_key|oauth_client/.test(heard)) return "reads a file";
  return heard === "" ? undefined : headerFaults({ headers: headersIn(head) })[0];
}

const headersIn = (head: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    head
      .split("\r\n")
      .slice(1)
      .map((line) => /^([^:]*): *(.*)$/.exec(line))
      .map((parts) => [parts?.[1]?.toLowerCase() ?? "", parts?.[2] ?? ""]),
  );

const paths = [
  "//evil.example",
  "//evil.example/%2e%2e",
  "/\\evil.example",
  "///evil.example/..",
  "/%2f%2fevil.example",
  "/%5cevil.example",
  "/./../../../etc/passwd",
  "/%2e%2e/%2e%2e/etc/passwd",
  "/..%2f..%2fetc%2fpasswd",
  "/style.css/../../../config.yaml",
  "/style.css%00.html",
  "/invite/%2e%2e%2f%2e%2e%2fmine",
  "/invite/../mine",
  "/mine/",
  "//mine",
  "/MINE",
  "/mine%20",
  "/mine;x=1",
  "/mine%0d%0aX-Injected:%201",
  "/%0d%0aSet-Cookie:%20injected=1",
  "/%0aLocation:%20//evil.example",
  "/?a=%0d%0aX-Injected:%201",
  "/callback?state=%0d%0aX-Injected:%201&error=x",
  "/%E5%98%8A%E5%98%8DX-Injected:%201",
  "/%",
  "/%zz",
  "/%c0%af",
  "/%ff",
  "/<script>alert(1)</script>",
  "http://evil.example/",
  "http://evil.example/mine",
  "https://localhost@evil.example/",
  "*",
  "",
  "?",
] as const;

const methods = "HEAD OPTIONS PUT PATCH DELETE TRACE CONNECT PROPFIND LINK SEARCH QUERY PURGE".split(" ");
const targets = "/ /mine /confirm /unlink /callback /invite/x /style.css /leave /nowhere".split(" ");

export async function bendTheProtocol(grounds: Grounds, { attempt }: Trials): Promise<void> {
  const { port } = grounds.open;
  const say = (what: string, bytes: string | Buffer) =>
    attempt(what, async () => misled(await speak(port, bytes)));
  const all = (tasks: readonly (readonly [string, string | Buffer])[]) =>
    Promise.all(tasks.map(([what, bytes]) => say(what, bytes)));

  await all(paths.map((path) => [`GET ${path}`, request(`GET ${path} HTTP/1.1`)]));
  await all(
    methods.flatMap((method) =>
      targets.map((path) => [`${method} ${path}`, request(`${method} ${path} HTTP/1.1`)] as const),
    ),
  );
  await all(
    [
      "localhost\r\nX-Injected: 1",
      "evil.example\nX-Injected: 1",
      "a b",
      "<script>",
      "localhost, evil.example",
      "[::1",
      "[]",
      "@evil.example",
      "localhost:99999",
      "%00",
      "",
    ].map((host) => [
      `Host ${JSON.stringify(host)}`,
      `GET /mine HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    ]),
  );
  const type = "Content-Type: application/x-www-form-urlencoded";
  const smuggled = "GET /mine HTTP/1.1\r\nHost: localhost\r\nX-Injected: 1\r\n\r\n";
  await all([
    ["two hosts", "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"],
    ["no host", "GET / HTTP/1.1\r\n\r\n"],
    ["HTTP/1.0", "GET /mine HTTP/1.0\r\n\r\n"],
    ["HTTP/0.9", "GET /mine\r\n"],
    ["HTTP/2 at once", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["an upgrade", request("GET /mine HTTP/1.1", ["Upgrade: websocket", "Connection: Upgrade"])],
    ["no HTTP at all", "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001"],
    ["a header without a name", request("GET / HTTP/1.1", [": x"])],
    ["a header over two lines", request("GET / HTTP/1.1", ["X-A: 1", " X-Injected: 1"])],
    ["a NUL in a header", request("GET / HTTP/1.1", ["Cookie: visit=a\u0000b"])],
    [
      "a length and chunks",
      request(
        "POST /leave HTTP/1.1",
        [type, "Content-Length: 5", "Transfer-Encoding: chunked"],
        `0\r\n\r\n${smuggled}`,
      ),
    ],
    [
      "two lengths",
      request("POST /leave HTTP/1.1", [type, "Content-Length: 0", "Content-Length: 5"], smuggled),
    ],
    ["a length below nothing", request("POST /leave HTTP/1.1", [type, "Content-Length: -1"], smuggled)],
    [
      "odd chunks",
      request("POST /leave HTTP/1.1", [type, "Transfer-Encoding: x, chunked"], `0\r\n\r\n${smuggled}`),
    ],
    [
      "chunks of an odd name",
      request("POST /leave HTTP/1.1", [type, "Transfer-Encoding: chunKed\u000b"], `0\r\n\r\n${smuggled}`),
    ],
    [
      "a form in chunks",
      request("POST /leave HTTP/1.1", [type, "Transfer-Encoding: chunked"], "1\r\na\r\n0\r\n\r\n"),
    ],
    [
      "a chunk that breaks off",
      request("POST /leave HTTP/1.1", [type, "Transfer-Encoding: chunked"], "9\r\na"),
    ],
    [
      "a chunk that is none",
      request("POST /leave HTTP/1.1", [type, "Transfer-Encoding: chunked"], "zz\r\na"),
    ],
    [
      "an expectation",
      request("POST /leave HTTP/1.1", [type, "Expect: 200-maybe", "Content-Length: 1"], "a"),
    ],
  ]);
}

// ---- Too much ---------------------------------------------------------------------------------------------------

const longest = 8 * 1024;

export async function sendTooMuch(grounds: Grounds, { attempt }: Trials): Promise<void> {
  const { open } = grounds;
  const visitor = await signedIn(open, grounds.newFan("heavy"));
  const token = await formToken(visitor);
  const statusOf = (heard: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(heard)?.[1] ?? 0);
  const refused = async (bytes: string): Promise<LetIn> => {
    const heard = await speak(open.port, bytes);
    const status = statusOf(heard);
    return status >= 400 || heard === "" ? misled(heard) : `is answered ${String(status)}`;
  };

  await attempt("an address of 100 kB", () => refused(request(`GET /${"a".repeat(100_000)} HTTP/1.1`)));
  await attempt("an address of 7 kB", () => refused(request(`GET /?${"a".repeat(7000)} HTTP/1.1`)));
  await attempt("a cookie of 100 kB", () =>
    refused(request("GET / HTTP/1.1", [`Cookie: visit=${"a".repeat(100_000)}`])),
  );
  await attempt("ten thousand cookies", () =>
    refused(request("GET / HTTP/1.1", [`Cookie: ${"a=b; ".repeat(10_000)}`])),
  );
  await attempt("ten thousand headers", () =>
    refused(
      request(
        "GET / HTTP/1.1",
        Array.from({ length: 10_000 }, (_, at) => `X-${String(at)}: 1`),
      ),
    ),
  );

  const form = { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" } };
  const big = `form_token=${token}&x=${"a".repeat(longest)}`;
  const bodies: Readonly<Record<string, { body: string | Buffer; headers?: Record<string, string> }>> = {
    "a form just too large": { body: big },
    "a form of 5 MB": { body: `form_token=${token}&x=${"a".repeat(5_000_000)}` },
    "a form of 5 MB in chunks": {
      body: `form_token=${token}&x=${"a".repeat(5_000_000)}`,
      headers: { "transfer-encoding": "chunked" },
    },
    "a deflate bomb": {
      body: gzipSync(`form_token=${token}&x=${"a".repeat(20_000_000)}`),
      headers: { "content-encoding": "gzip" },
    },
    "a form that is packed": {
      body: gzipSync(`form_token=${token}`),
      headers: { "content-encoding": "gzip" },
    },
    "a thousand fields": { body: `form_token=${token}${"&a=b".repeat(1000)}` },
  };
  for (const [what, { body, headers = {} }] of Object.entries(bodies))
    await attempt(what, async () => {
      const sent = { ...form, headers: { ...form.headers, ...headers }, body };
      // The connection may be cut while it is still being sent.
      const answer = await visitor.send("/leave", sent).catch(() => undefined);
      return answer === undefined || answer.status >= 400
        ? undefined
        : `is answered ${String(answer.status)}`;
    });
  await attempt("a length that is promised only", () =>
    refused(
      request(
        "POST /leave HTTP/1.1",
        ["Content-Type: application/x-www-form-urlencoded", "Content-Length: 99999999"],
        "a",
      ),
    ),
  );
}

export interface SlowOnes {
  readonly othersCome: (attempt: Trials["attempt"]) => Promise<void>;
  /** To be asked when the server's patience is over. */
  readonly areCutOff: (attempt: Trials["attempt"]) => Promise<void>;
}

const slowOnes = 300;

/** Many who begin a request and never finish it. */
export function openSlowly({ open }: Grounds): SlowOnes {
  const sockets = Array.from({ length: slowOnes }, () => connect(open.port, "127.0.0.1"));
  const closed = sockets.map(async (socket) => {
    socket.on("error", () => undefined);
    socket.resume();
    socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
    await once(socket, "close");
  });
  return {
    othersCome: (attempt) =>
      attempt(`${String(slowOnes)} who never finish their request, while somebody comes`, async () => {
        const startedAtMs = performance.now();
        const { status } = await open.visitor().get("/");
        return status !== 200 || performance.now() - startedAtMs > patienceMs / 2
          ? "keep others out"
          : undefined;
      }),
    areCutOff: (attempt) =>
      attempt(`${String(slowOnes)} who never finish their request, for ever`, async () => {
        const patience = new AbortController();
        const areOut = await Promise.race([
          Promise.all(closed).then(() => true),
          sleep(patienceMs, false, { signal: patience.signal }),
        ]);
        patience.abort();
        for (const socket of sockets) socket.destroy();
        return areOut ? undefined : "keep their connections";
      }),
  };
}

/** It listens on this machine alone: whatever other address the machine has, nobody answers there. */
export async function comeFromOutside({ open, secure }: Grounds, { attempt }: Trials): Promise<void> {
  const others = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address, scopeid }) => (scopeid === undefined || scopeid === 0 ? address : undefined))
    .filter((address) => address !== undefined);
  for (const address of [...others, "::1"])
    for (const { port } of [open, secure])
      await attempt(`the site at ${address}`, async () =>
        (await answersAt(address, port)) ? "answers" : undefined,
      );
}

function answersAt(host: string, port: Site["port"]): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 500 });
    const end = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", () => {
      end(true);
    });
    socket.once("error", () => {
      end(false);
    });
    socket.once("timeout", () => {
      end(false);
    });
  });
}
