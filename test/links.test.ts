/** The script `links`, as an operator uses it. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openDatabase } from "../lib/db.ts";
import { BadInputError } from "../lib/errors.ts";
import { administer } from "../lib/link-admin/administer.ts";
import { parseRequest } from "../lib/link-admin/request.ts";
import { type Account, parseDiscordUserId, parseFanId, parseMxid } from "../lib/ids.ts";
import { placeIdIn } from "../lib/store/columns.ts";
import { saveInvite } from "../lib/store/link-invites.ts";
import { addLink, loadBlocks, loadStoredLinks, removeLink, saveBooks } from "../lib/store/links.ts";
import { saveObservations } from "../lib/store/places.ts";
import { runScript, type ScriptResult, temporaryFolder } from "./harness.ts";

const fan1 = "11111111-1111-4111-8111-111111111111";
const fan2 = "22222222-2222-4222-8222-222222222222";
const discord = "100000000000000001";
const mxid = "@ana:hs.org";

const config = `
fanvue:
  client_id: id
  client_secret: secret
  redirect_uri: http://localhost:8080/callback
matrix:
  homeserver: http://localhost:8008
  user_id: "@bot:hs.org"
  access_token: token
rooms:
  "!vip:hs.org":
    type: subscription
`;

interface Operator {
  readonly folder: string;
  readonly database: ReturnType<typeof openDatabase>;
  links(...words: readonly string[]): Promise<ScriptResult>;
  write(name: string, text: string): void;
}

/** A folder with a config, in which `links` can be run. */
function operator(t: Parameters<typeof temporaryFolder>[0]): Operator {
  const folder = temporaryFolder(t);
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
  };
  write("config.yaml", config);
  return {
    folder,
    database: openDatabase(join(folder, "data")),
    links: (...words) => runScript("links", words, { cwd: folder }),
    write,
  };
}

/** The script went well: its lines. */
function lines({ code, stdout, stderr }: ScriptResult): readonly string[] {
  assert.equal(code, 0, stderr);
  return stdout.trimEnd().split("\n");
}

const stored = ({ database }: Operator) =>
  database.read((sql) => loadStoredLinks(sql).map(({ account, fan, source }) => [account, fan, source]));
const blocked = ({ database }: Operator) =>
  database.read((sql) => loadBlocks(sql).map(({ account, fan }) => [account, fan]));

test("list of nothing says so and creates no database", async (t) => {
  const me = operator(t);
  assert.deepEqual(lines(await me.links("list")), ["no links, no blocks"]);
  assert.equal(existsSync(join(me.folder, "data")), false);
});

test("add links, list shows, remove blocks, add lifts", async (t) => {
  const me = operator(t);
  assert.match(
    lines(await me.links("add", fan1.toUpperCase(), discord))[0] ?? "",
    /is linked now to fan 11111111-/,
  );
  assert.match(lines(await me.links("add", fan1, discord))[0] ?? "", /was linked already/);
  assert.deepEqual(await stored(me), [[discord, fan1, "operator"]]);
  assert.deepEqual(lines(await me.links()), [
    `Discord  ${discord}  ${fan1}  entered with links add or import`,
    "1 link, no blocks",
  ]);

  assert.match(lines(await me.links("remove", discord)).join("\n"), /takes back the access that we gave it/);
  assert.deepEqual(await stored(me), []);
  assert.match(lines(await me.links("list"))[0] ?? "", /all fans +blocked on .* \(links remove\)$/);

  assert.match(lines(await me.links("add", fan1, discord))[1] ?? "", /It was blocked on .* lifted/);
  assert.deepEqual(await blocked(me), []);
});

test("list shows every source, what is missing in its book, and rows that a proof outranks", async (t) => {
  const me = operator(t);
  const [one, two] = [parseFanId(fan1), parseFanId(fan2)];
  const [ana, other, gone] = [parseMxid(mxid), parseDiscordUserId(discord), parseMxid("@gone:hs.org")];
  assert.ok(one && two && ana && other && gone);
  await me.database.write((sql) => {
    addLink(sql, { fan: one, platform: "matrix", account: ana, source: "proved" }, 0);
    const links = [{ fan: one, platform: "matrix" as const, account: gone }];
    saveBooks(sql, [{ path: "/config/addressbook.yaml", links }], 0);
  });
  me.write("addressbook.yaml", `${fan2}:\n  - "${mxid}"\n  - ${discord}\n  - nonsense\n`);
  const result = await me.links("list");
  assert.deepEqual(lines(result), [
    `Discord  ${discord}  ${fan2}  from addressbook.yaml`,
    `Matrix   ${mxid}         ${fan1}  proved by the fan`,
    `Matrix   @gone:hs.org        ${fan1}  stood in addressbook.yaml and no longer does: gives nothing, takes nothing`,
    "3 links, 1 of them missing in their book, no blocks",
  ]);
  assert.match(result.stderr, /addressbook\.yaml:4: .*nonsense/);
  assert.match(result.stderr, /proved to own it: the row is ignored/);

  const json: unknown = JSON.parse((await me.links("list", "--json")).stdout);
  const book = "addressbook.yaml";
  assert.partialDeepStrictEqual(json, {
    links: [
      { platform: "discord", account: discord, fan: fan2, source: "book", book, missing: false },
      { platform: "matrix", account: mxid, fan: fan1, source: "proved", book: null, missing: false },
      { platform: "matrix", account: "@gone:hs.org", fan: fan1, source: "book", book, missing: true },
    ],
    blocks: [],
  });
});

test("remove ends the link of a book, too, and with --fan only that fan's", async (t) => {
  const me = operator(t);
  me.write("addressbook.yaml", `${fan1}:\n  - "${mxid}"\n${fan2}:\n  - "${mxid}"\n`);
  assert.equal((await me.links("remove", mxid, "--fan", fan1)).code, 0);
  assert.deepEqual(await blocked(me), [[mxid, fan1]]);
  const shown = lines(await me.links("list"));
  assert.deepEqual(shown.slice(0, 1), [`Matrix  ${mxid}  ${fan2}  from addressbook.yaml`]);
  assert.equal(shown.at(-1), "1 link, 1 block");
});

for (const [words, fan, sentence, remedy] of [
  [["add", "ana", discord], undefined, /"ana" is not the Fanvue uuid of a fan/, /123e4567-/],
  [["add", fan1, "ana#1"], undefined, /"ana#1" is neither a Discord user's id nor a Matrix user's/, /@name:/],
  [["add", discord, fan1], undefined, /wrong order/, new RegExp(`add ${fan1} ${discord}`)],
  [["add", fan1], undefined, /needs two words/, /add FAN ACCOUNT/],
  [["add", fan1, discord, "more"], undefined, /cannot use "more"/, /add FAN ACCOUNT/],
  [["add", fan1, discord], fan1, /takes no --fan/, /add FAN ACCOUNT/],
  [["remove", discord], "x", /"x" is not the Fanvue uuid/, /123e4567-/],
  [["remove"], undefined, /needs a word/, /remove ACCOUNT/],
  [["list", "all"], undefined, /cannot use "all"/, /links -- list/],
  [["transfer", fan1, discord], undefined, /wrong order/, new RegExp(`transfer ${discord} ${fan1}`)],
  [["block", fan1], fan2, /links block with a fan takes no --fan/, /block ACCOUNT\|FAN/],
  [["unblock", "ana"], undefined, /"ana" is neither/, /@name:/],
  [["history", "ana"], undefined, /"ana" is neither/, /@name:/],
  [["lsit"], undefined, /knows no "lsit"/, /Did you mean: npm run links -- list/],
  [["toString"], undefined, /knows no "toString"/, /Write one of: list, add/],
] as const) {
  test(`links ${words.join(" ")}${fan === undefined ? "" : ` --fan ${fan}`} is refused, with how to write it`, () => {
    assert.throws(
      () => parseRequest(words, fan),
      (error) => {
        assert.ok(error instanceof BadInputError);
        assert.match(error.message, sentence);
        assert.match(error.remedy, remedy);
        return true;
      },
    );
  });
}

for (const [words, sentence, remedy] of [
  [["add", "ana", discord], /"ana" is not the Fanvue uuid of a fan/, /123e4567-/],
  [["remove", discord], /Discord account 1\d+ has no link\./, /links -- list/],
  [["transfer", discord, fan1], /Discord account 1\d+ has no link that could be transferred/, /links -- add/],
  [["unblock", fan1], /^links: Fan 1{8}-.* is not blocked\./, /links -- list/],
  [["import", "none.yaml"], /There is no file none\.yaml/, /name/],
] as const) {
  test(`links ${words.join(" ")} ends with a sentence and exit code 2, and changes nothing`, async (t) => {
    const me = operator(t);
    const { code, stdout, stderr } = await me.links(...words);
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
    const [first = "", second = ""] = stderr.split("\n");
    assert.match(first, sentence);
    assert.match(second, remedy);
    assert.deepEqual(await stored(me), []);
    assert.deepEqual(await blocked(me), []);
  });
}

test("import takes all rows of a file or none, and leaves out what is blocked", async (t) => {
  const me = operator(t);
  me.write("book.yaml", `${fan1}:\n  - ${discord}\n${fan2}:\n  - "@bo:hs.org"\nnobody:\n  - "@cy:hs.org"\n`);
  const refused = await me.links("import", "book.yaml");
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /book\.yaml:5: "nobody" is no Fanvue uuid\./);
  assert.deepEqual(await stored(me), []);

  await me.links("add", fan2, "@bo:hs.org");
  await me.links("remove", "@bo:hs.org");
  me.write("book.yaml", `${fan1}:\n  - ${discord}\n  - "${mxid}"\n${fan2}:\n  - "@bo:hs.org"\n`);
  const imported = lines(await me.links("import", "book.yaml"));
  assert.equal(imported[0], "2 links imported from book.yaml.");
  assert.match(
    imported[1] ?? "",
    /blocked on .*: Matrix account @bo:hs\.org\. To lift that: npm run links -- add/,
  );
  assert.deepEqual(await stored(me), [
    [discord, fan1, "operator"],
    [mxid, fan1, "operator"],
  ]);
  assert.match(
    lines(await me.links("import", "book.yaml"))[0] ?? "",
    /^no links imported .* 2 stood there already/,
  );
});

test("what is exported can be imported elsewhere, and no file is written over", async (t) => {
  const me = operator(t);
  await me.links("add", fan1, discord);
  await me.links("add", fan1, mxid);
  await me.links("add", fan2, mxid);
  const printed = (await me.links("export")).stdout;
  assert.equal(printed, `${fan1}:\n  - "${discord}"\n  - "${mxid}"\n${fan2}:\n  - "${mxid}"\n`);

  assert.deepEqual(lines(await me.links("export", "out.yaml")), ["3 links written to out.yaml."]);
  assert.equal(readFileSync(join(me.folder, "out.yaml"), "utf8"), printed);
  assert.equal(statSync(join(me.folder, "out.yaml")).mode & 0o777, 0o600);
  const again = await me.links("export", "out.yaml");
  assert.equal(again.code, 2);
  assert.match(again.stderr, /out\.yaml cannot be written/);

  const elsewhere = operator(t);
  elsewhere.write("book.yaml", printed);
  await elsewhere.links("import", "book.yaml");
  assert.deepEqual(await stored(elsewhere), await stored(me));
});

test("reinvite forgets that somebody left", async (t) => {
  const me = operator(t);
  const ana: Account | undefined = parseMxid(mxid);
  assert.ok(ana);
  await me.database.write((sql) => {
    const placeId = placeIdIn({ place_id: "!vip:hs.org" });
    const nothing = {
      adopt: [],
      found: [],
      gone: [],
      basis: [],
      returned: [],
      arrivals: [],
      presences: [],
      kicksOver: [],
      departureEnded: [],
      lapsed: [],
      entitledAgain: [],
      behind: [],
      behindNoMore: [],
    };
    saveObservations(sql, "matrix", { ...nothing, placeId, departed: [{ account: ana, how: "left" }] }, 0);
  });
  assert.match(
    lines(await me.links("reinvite", mxid))[0] ?? "",
    /left, refused or lost 1 place is forgotten/,
  );
  assert.match(lines(await me.links("reinvite", mxid))[0] ?? "", /has left no place/);
});

/** The same as the script, without the second that a process takes. */
async function asked(
  { folder, database }: Operator,
  words: readonly string[],
  fan?: string,
): Promise<string> {
  const office = {
    database,
    configPath: join(folder, "config.yaml"),
    nowMs: Date.UTC(2026, 10, 23),
    json: false,
  };
  return (await administer(parseRequest(words, fan), office)).text;
}

test("transfer gives an account to another fan and cuts what its book says of the first", async (t) => {
  const me = operator(t);
  me.write("addressbook.yaml", `${fan1}:\n  - "${mxid}"\n`);
  const said = lines(await me.links("transfer", mxid, fan2));
  assert.match(said[0] ?? "", /@ana:hs\.org is linked now to fan 2{8}-.*, and no longer to fan 1{8}-/);
  assert.deepEqual(await stored(me), [[mxid, fan2, "operator"]]);
  const shown = await asked(me, ["list"]);
  assert.match(shown, /given to another fan on /);
  assert.match(shown, /1 link, no blocks, 1 ended otherwise$/);
  await assert.rejects(
    asked(me, ["transfer", mxid, fan2]),
    /linked to fan 2{8}-.* already, and to nobody else/,
  );
  assert.match(await asked(me, ["transfer", mxid, fan1]), /no longer to fan 2{8}/);
  assert.deepEqual(await stored(me), [[mxid, fan1, "operator"]]);
});

test("block and unblock an account, for all fans or one", async (t) => {
  const me = operator(t);
  await asked(me, ["add", fan1, mxid]);
  assert.match(
    await asked(me, ["block", mxid]),
    /blocked for all fans.*\n.*takes back.*\n.*unblock @ana:hs\.org$/,
  );
  assert.match(await asked(me, ["list"]), /no links, 2 blocks$/);
  assert.match(await asked(me, ["unblock", mxid]), /is no longer blocked/);
  assert.equal(await asked(me, ["list"]), "no links, no blocks");

  assert.match(
    await asked(me, ["block", mxid], fan1),
    /blocked for fan 1{8}-.*\n.*\n.*unblock @ana:hs\.org --fan 1{8}/,
  );
  await assert.rejects(asked(me, ["unblock", mxid], fan2), /for fan 2{8}-.*, is not blocked/);
  await asked(me, ["block", mxid]);
  assert.match(await asked(me, ["unblock", mxid], fan1), /as a whole still is/);
});

test("a blocked fan is linked to nothing, not by add, import or transfer either", async (t) => {
  const me = operator(t);
  await asked(me, ["add", fan1, mxid]);
  assert.match(await asked(me, ["block", fan1]), /can link nothing.*\nCut: Matrix account @ana:hs\.org\.\n/);
  assert.match(
    await asked(me, ["list"]),
    /^Fanvue +all accounts +1{8}-\S+ +blocked on 23 Nov 2026 \(links block\)$/m,
  );
  await assert.rejects(asked(me, ["add", fan1, discord]), /Fan 1{8}-.* is blocked/);
  await asked(me, ["add", fan2, discord]);
  await assert.rejects(asked(me, ["transfer", discord, fan1]), /Fan 1{8}-.* is blocked/);
  const file = join(me.folder, "book.yaml");
  me.write("book.yaml", `${fan1}:\n  - "@new:hs.org"\n`);
  assert.match(await asked(me, ["import", file]), /Left out, since it was blocked on .* -- unblock 1{8}-/);
  assert.deepEqual(await stored(me), [[discord, fan2, "operator"]]);
  await asked(me, ["unblock", fan1]);
  await asked(me, ["add", fan1, mxid]);
  assert.equal((await stored(me)).length, 2);
});

test("list says what a fan unlinked, and history tells all, newest first, of one account or fan or all", async (t) => {
  const me = operator(t);
  const [fan, account] = [parseFanId(fan1), parseMxid(mxid)];
  assert.ok(fan && account);
  const pair = { fan, platform: "matrix" as const, account };
  await me.database.write((sql) => {
    addLink(sql, { ...pair, source: "proved" }, Date.UTC(2026, 10, 21));
    removeLink(sql, pair, "unlinked by the fan", Date.UTC(2026, 10, 22, 9, 5));
    saveInvite(sql, { nonceHash: "n", fan, expiresAtMs: 1 }, Date.UTC(2026, 10, 22, 9, 6));
  });
  await asked(me, ["add", fan2, discord]);
  assert.match(await asked(me, ["list"]), /@ana:hs\.org .* unlinked by the fan on 22 Nov 2026$/m);
  assert.equal(
    await asked(me, ["history"]),
    `
2026-11-23 00:00 UTC  Discord  ${discord}  ${fan2}  linked (operator)
2026-11-22 09:06 UTC  Fanvue   –                   ${fan1}  personal link made (printed)
2026-11-22 09:05 UTC  Matrix   ${mxid}         ${fan1}  unlinked by the fan
2026-11-21 00:00 UTC  Matrix   ${mxid}         ${fan1}  linked (proved)
`.trim(),
  );
  assert.equal((await asked(me, ["history", discord])).split("\n").length, 1);
  assert.equal((await asked(me, ["history", fan1])).split("\n").length, 3);
  assert.equal(await asked(me, ["history", "@nobody:hs.org"]), "nothing on record");
  const json: unknown = JSON.parse((await me.links("history", mxid, "--json")).stdout);
  assert.partialDeepStrictEqual(json, {
    events: [
      { event: "unlinked", platform: "matrix", account: mxid, fan: fan1 },
      { event: "added", platform: "matrix", account: mxid, fan: fan1, detail: "proved" },
    ],
  });
});
