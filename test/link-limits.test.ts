/** Whom a request comes from, how much an address may ask for, and which forms are our own. */
import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { clientAddress, limitedNetwork } from "../lib/link/address.ts";
import { isFromHere } from "../lib/link/headers.ts";
import { createLimits } from "../lib/link/limits.ts";
import { siteAddress } from "../lib/link/site.ts";

describe("limits", () => {
  it("give a burst, and then so much a second", () => {
    let nowMs = 0;
    const limits = createLimits({ now: () => nowMs });
    for (let count = 0; count < 60; count++) assert.equal(limits.take("pages", "a"), 0);
    assert.equal(limits.take("pages", "a"), 1);
    assert.equal(limits.take("pages", "b"), 0);
    nowMs = 1000;
    for (let count = 0; count < 6; count++) assert.equal(limits.take("pages", "a"), 0);
    assert.equal(limits.take("pages", "a"), 1);
  });

  it("count codes apart, and are stricter with them", () => {
    let nowMs = 0;
    const limits = createLimits({ now: () => nowMs });
    for (let count = 0; count < 15; count++) assert.equal(limits.take("codes", "a"), 0);
    assert.equal(limits.take("codes", "a"), 10);
    assert.equal(limits.take("pages", "a"), 0);
    nowMs = 9000;
    assert.equal(limits.take("codes", "a"), 1);
    nowMs = 10_000;
    assert.equal(limits.take("codes", "a"), 0);
  });

  it("do not grow with those who ask, and forget who asked longest ago", () => {
    const limits = createLimits({ now: () => 0, capacity: 2 });
    for (let count = 0; count < 61; count++) limits.take("pages", "a");
    limits.take("pages", "b");
    assert.notEqual(limits.take("pages", "a"), 0);
    limits.take("pages", "c");
    assert.notEqual(limits.take("pages", "a"), 0);
  });

  it("give nothing for a clock that was set back", () => {
    let nowMs = 100_000;
    const limits = createLimits({ now: () => nowMs });
    for (let count = 0; count < 60; count++) limits.take("pages", "a");
    nowMs = 0;
    assert.equal(limits.take("pages", "a"), 1);
  });
});

test("the address is the connection's, or what a trusted proxy wrote last", () => {
  const cases: readonly [string | undefined, string | undefined, boolean, string][] = [
    ["198.51.100.1", "203.0.113.9", false, "198.51.100.1"],
    ["127.0.0.1", "6.6.6.6, 203.0.113.9", true, "203.0.113.9"],
    ["127.0.0.1", "203.0.113.9:4711", true, "203.0.113.9"],
    ["127.0.0.1", "[2001:DB8::1]:4711", true, "2001:db8::1"],
    ["127.0.0.1", "203.0.113.9, unknown", true, "127.0.0.1"],
    ["127.0.0.1", undefined, true, "127.0.0.1"],
    ["::ffff:198.51.100.1", undefined, false, "198.51.100.1"],
    [undefined, "203.0.113.9", false, "unknown"],
    // A proxy of one's own is near; whoever comes past it from the internet is not.
    ["172.18.0.1", "203.0.113.9", true, "203.0.113.9"],
    ["::ffff:192.168.1.2", "203.0.113.9", true, "203.0.113.9"],
    ["fd00::2", "203.0.113.9", true, "203.0.113.9"],
    ["fe80::1%eth0", "203.0.113.9", true, "203.0.113.9"],
    ["198.51.100.1", "203.0.113.9", true, "198.51.100.1"],
    ["172.32.0.1", "203.0.113.9", true, "172.32.0.1"],
    ["2001:db8::1", "203.0.113.9", true, "2001:db8::1"],
  ];
  for (const [connection, forwarded, trusted, expected] of cases)
    assert.equal(clientAddress(connection, forwarded, trusted), expected, `${connection} ${forwarded}`);
});

test("an IPv6 network counts as one address", () => {
  assert.equal(limitedNetwork("203.0.113.9"), "203.0.113.9");
  assert.equal(limitedNetwork("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  assert.equal(limitedNetwork("2001:0db8:1:2::9"), "2001:db8:1:2::/64");
  assert.equal(limitedNetwork("::1"), "0:0:0:0::/64");
  assert.equal(limitedNetwork("fe80::1%eth0"), "fe80:0:0:0::/64");
  assert.equal(limitedNetwork("2001:db8::"), "2001:db8:0:0::/64");
});

test("a form is our own unless the browser says that it is not", () => {
  const site = "https://link.example.org";
  const from = (fetchSite: string | undefined, origin: string | undefined) =>
    isFromHere({ fetchSite, origin }, site);
  assert.ok(from("same-origin", "null") && from(undefined, undefined) && from(undefined, site));
  for (const [fetchSite, origin] of [
    ["cross-site", site],
    ["same-site", undefined],
    ["none", undefined],
    ["same-origin", "https://evil.example"],
    [undefined, "http://link.example.org"],
    [undefined, "https://link.example.org.evil.example"],
  ])
    assert.ok(!from(fetchSite, origin), `${fetchSite} ${origin}`);
});

test("the site is where fans reach it", () => {
  const at = (publicUrl: string | undefined, host: string, redirectUri: string, port = 8080) => {
    const link = { isConfigured: true, publicUrl, host, port, name: undefined, color: undefined };
    const fanvue = {
      clientId: "",
      clientSecret: "",
      redirectUri,
      apiUrl: "",
      authUrl: "",
      apiPrefix: "",
    } as const;
    return siteAddress({ link: { ...link, signIn: true, inboxCode: true, personalLinks: true }, fanvue });
  };
  const elsewhere = "https://oauth.example.org/of-another-program";
  assert.equal(at("https://link.example.org", "127.0.0.1", elsewhere), "https://link.example.org");
  assert.equal(at(undefined, "127.0.0.1", elsewhere), "http://127.0.0.1:8080");
  assert.equal(at(undefined, "0.0.0.0", elsewhere), "http://localhost:8080");
  assert.equal(at(undefined, "::1", elsewhere), "http://[::1]:8080");
  assert.equal(at(undefined, "127.0.0.1", "http://localhost:8080/callback"), "http://localhost:8080");
  assert.equal(at(undefined, "127.0.0.1", "http://localhost:9090/callback"), "http://127.0.0.1:8080");
  assert.equal(at(undefined, "127.0.0.1", "http://localhost/callback", 80), "http://localhost");
  const behindHttps = at(undefined, "0.0.0.0", "https://creator.example/callback");
  assert.equal(behindHttps, "https://creator.example");
});
