/** The link pages over real connections: slow and greedy clients, ports that are taken, and the end of the server. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it, type TestContext } from "node:test";
import pino from "pino";
import { BadInputError } from "../lib/errors.ts";
import { type LinkServer, serveLinkApp } from "../lib/link/server.ts";
import { troubles } from "../lib/link/texts.ts";
import { formTokenOf, type LinkSite, linkSite } from "./link-site.ts";

const log = pino({ level: "silent" });
const host = "127.0.0.1";

async function served(t: TestContext, site: LinkSite = linkSite()): Promise<LinkServer> {
  const server = await serveLinkApp(site.app, { host, port: 0, isSecure: false, log });
  t.after(() => server.close());
  return server;
}

/** Writes bytes and gives what comes back until the server hangs up. */
function exchange(port: number, bytes: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ host, port });
  let answer = "";
  socket.setEncoding("utf8");
  socket.on("data", (part: string) => void (answer += part));
  socket.on("error", reject);
  socket.on("close", () => {
    resolve(answer);
  });
  socket.write(bytes);
  return promise;
}

describe("the link server", () => {
  it("serves pages, each with its length and its headers", async (t) => {
    const { port } = await served(t);
    const response = await fetch(`http://${host}:${port}/`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type") ?? "", /^text\/html; charset=utf-8$/i);
    assert.ok((await response.text()).includes("Connect your accounts"));
    const head = await fetch(`http://${host}:${port}/style.css`, { method: "HEAD" });
    assert.match(head.headers.get("cache-control") ?? "", /max-age/);
  });

  it("refuses headers that are too large, and what is no request, with a page and all its headers", async (t) => {
    const { port } = await served(t);
    const large = `GET / HTTP/1.1\r\nHost: a\r\nX-Much: ${"x".repeat(9000)}\r\n\r\n`;
    for (const [bytes, status] of [
      [large, 431],
      ["nonsense\r\n\r\n", 400],
      ["GET / HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n", 400],
      ["GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400],
      ["GET / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n", 417],
    ] as const) {
      const answer = await exchange(port, bytes);
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), bytes.slice(0, 40));
      assert.match(answer, /content-security-policy: default-src 'none'/i);
      for (const words of Object.values(troubles.unreadable)) assert.ok(answer.includes(words), words);
    }
  });

  it("reads no body that is too large, however it is sent", async (t) => {
    const site = linkSite();
    const { port } = await served(t, site);
    const chunk = `2000\r\n${"x".repeat(0x2000)}\r\n`;
    const cookie =
      "Cookie: visit=a\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n";
    const answer = await exchange(
      port,
      `POST /leave HTTP/1.1\r\nHost: a\r\n${cookie}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}0\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 413 /);
  });

  it("reads a form in chunks as any other", async (t) => {
    const { port } = await served(t);
    const page = await fetch(`http://${host}:${port}/`);
    const [cookie = ""] = page.headers.getSetCookie().map((line) => line.split(";")[0]);
    const body = `form_token=${formTokenOf(await page.text(), "/fanvue/sign-in")}`;
    const answer = await exchange(
      port,
      [
        "POST /fanvue/sign-in HTTP/1.1",
        "Host: a",
        `Cookie: ${cookie}`,
        "Content-Type: application/x-www-form-urlencoded",
        "Transfer-Encoding: chunked",
        "Connection: close",
        "",
        ...[body.slice(0, 20), body.slice(20)].flatMap((part) => [part.length.toString(16), part]),
        "0\r\n\r\n",
      ].join("\r\n"),
    );
    assert.match(answer, /^HTTP\/1\.1 303 /);
  });

  it("takes a visitor who hangs up in the middle of a form, or breaks the rules there, for no bug", async (t) => {
    const site = linkSite();
    const { port } = await served(t, site);
    const form = "POST /leave HTTP/1.1\r\nHost: a\r\nCookie: visit=a\r\n";
    const type = "Content-Type: application/x-www-form-urlencoded\r\n";
    const hungUp = connect({ host, port });
    hungUp.on("error", () => undefined);
    hungUp.write(`${form}${type}Content-Length: 100\r\n\r\nabc`);
    // Once this one is answered, the first has come as far as its body.
    const answer = await exchange(port, `${form}${type}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n`);
    assert.match(answer, /^HTTP\/1\.1 400 /);
    hungUp.resetAndDestroy();
    const answered = () => site.world.logged.match(/"route":"\/leave"/g)?.length ?? 0;
    while (answered() < 2) await new Promise(setImmediate);
    assert.doesNotMatch(site.world.logged, /"level":50|bug/);
  });

  it("knows a client by its connection, whatever it says of itself", async (t) => {
    const { port } = await served(t);
    const statuses: number[] = [];
    for (let count = 0; count < 61; count++) {
      const headers = { "x-forwarded-for": `203.0.113.${count}` };
      const response = await fetch(`http://${host}:${port}/`, { headers });
      await response.arrayBuffer();
      statuses.push(response.status);
    }
    assert.deepEqual([statuses.at(0), statuses.at(-1)], [200, 429]);
  });

  it("says what to do where it cannot listen", async (t) => {
    const { port } = await served(t);
    const again = serveLinkApp(linkSite().app, { host, port, isSecure: false, log });
    await assert.rejects(again, (error: unknown) => {
      assert.ok(error instanceof BadInputError);
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1, port ${port}: another program listens there`));
      assert.match(error.remedy, /link\.port/);
      return true;
    });
    const elsewhere = serveLinkApp(linkSite().app, { host: "192.0.2.1", port: 0, isSecure: false, log });
    await assert.rejects(elsewhere, /this machine has no such address/);
  });

  it("ends at once although a connection is kept open", async (t) => {
    const server = await serveLinkApp(linkSite().app, { host, port: 0, isSecure: false, log });
    const socket = connect({ host, port: server.port });
    t.after(() => socket.destroy());
    const answered = Promise.withResolvers<undefined>();
    socket.once("data", () => {
      answered.resolve(undefined);
    });
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await answered.promise;
    const startedAtMs = performance.now();
    await server.close();
    assert.ok(performance.now() - startedAtMs < 1900);
  });
});
