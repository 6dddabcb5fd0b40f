import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { checkBooks, loadAddressBooks, loadLinksFile } from "../lib/config/address-book.ts";
import { temporaryFolder } from "./harness.ts";

const ann = "aaaaaaaa-0000-4000-8000-000000000001";
const bob = "bbbbbbbb-0000-4000-8000-000000000002";

/** The path of a config with these books beside it. */
function beside(
  test: TestContext,
  books: Readonly<Record<string, string>>,
): { folder: string; config: string } {
  const folder = temporaryFolder(test);
  for (const [book, text] of Object.entries(books)) writeFileSync(join(folder, book), text);
  return { folder, config: join(folder, "config.yaml") };
}

/** The pairs of one book as "fan platform account", and the warnings without their folder. */
function read(test: TestContext, text: string): { links: string[]; warnings: string[] } {
  const { folder, config } = beside(test, { "discord_addressbook.yaml": text });
  const { books, warnings } = loadAddressBooks(config);
  return {
    links: books.flatMap(({ links }) =>
      links.map(({ fan, platform, account }) => `${fan.slice(0, 4)} ${platform} ${account}`),
    ),
    warnings: warnings.map((warning) => warning.replace(`${folder}/`, "")),
  };
}

describe("an address book", () => {
  it("holds accounts of both platforms, as lists or alone", (test) => {
    assert.deepEqual(
      read(test, `${ann}:\n  - "@Ann:hs.org"\n  - "123456789012345678"\n${bob}: "@bob:hs.org"\n`),
      {
        links: ["aaaa matrix @Ann:hs.org", "aaaa discord 123456789012345678", "bbbb matrix @bob:hs.org"],
        warnings: [],
      },
    );
  });

  it("keeps all digits of ids without quotes", (test) => {
    assert.deepEqual(read(test, `${ann}: [9007199254740993001]\n${bob}: 9007199254740993003\n`).links, [
      "aaaa discord 9007199254740993001",
      "bbbb discord 9007199254740993003",
    ]);
  });

  it("may name a fan twice, in letters of any size, and a pair twice", (test) => {
    assert.deepEqual(
      read(
        test,
        `${ann}: ["@a:hs.org", "@a:hs.org"]\n${ann.toUpperCase()}: "@b:hs.org"\n${ann}: "@a:hs.org"\n`,
      ),
      { links: ["aaaa matrix @a:hs.org", "aaaa matrix @b:hs.org"], warnings: [] },
    );
  });

  it("may give one account to two fans", (test) => {
    assert.deepEqual(read(test, `${ann}: "@a:hs.org"\n${bob}: "@a:hs.org"\n`).links, [
      "aaaa matrix @a:hs.org",
      "bbbb matrix @a:hs.org",
    ]);
  });

  it("may hold fans without an account yet", (test) => {
    assert.deepEqual(read(test, `${ann}: []\n${bob}:\n`), { links: [], warnings: [] });
  });

  it("leaves out single entries that cannot be used, with their lines", (test) => {
    const text = `fanvue-uuid-1:\n  - "@user:hs.org"\n${ann}:\n  - "@ann"\n  - 42\n  - [1]\n  - "@ann:hs.org"\n`;
    assert.deepEqual(read(test, text), {
      links: ["aaaa matrix @ann:hs.org"],
      warnings: [
        'discord_addressbook.yaml:1: "fanvue-uuid-1" is no Fanvue uuid, so it is left out. Correct or remove it.',
        `discord_addressbook.yaml:4: "@ann" is neither a Discord user's id nor a Matrix user's, so it is left out. Correct or remove it.`,
        `discord_addressbook.yaml:5: "42" is neither a Discord user's id nor a Matrix user's, so it is left out. Correct or remove it.`,
        "discord_addressbook.yaml:6: this is neither a Discord user's id nor a Matrix user's, so it is left out. Correct or remove it.",
      ],
    });
  });

  for (const [name, text, fault] of [
    ["is no YAML", `${ann}: "@a:hs.org\n`, /addressbook\.yaml:2: a quote, bracket or colon is missing/],
    [
      "has a Matrix id without quotes",
      `${ann}:\n  - @a:hs.org\n`,
      /addressbook\.yaml:2: .*Put the value in quotes\./,
    ],
    ["is a list", `- ${ann}\n`, /addressbook\.yaml:1: this is no map of fans and their accounts\./],
    ["is a single word", "nothing\n", /addressbook\.yaml:1: this is no map of fans and their accounts\./],
  ] as const)
    it(`that ${name} is refused`, (test) => {
      const { config } = beside(test, { "addressbook.yaml": text });
      assert.throws(() => loadAddressBooks(config), { name: "BadInputError", exitCode: 2, message: fault });
    });

  it("that is a folder is refused", (test) => {
    const { folder, config } = beside(test, {});
    mkdirSync(join(folder, "addressbook.yaml"));
    assert.throws(() => loadAddressBooks(config), {
      name: "BadInputError",
      message: /this is a folder, not a file/,
    });
  });

  it("is never written", (test) => {
    const text = `# mine\n${ann}: [ "@a:hs.org" ]\n`;
    const { folder, config } = beside(test, { "addressbook.yaml": text });
    loadAddressBooks(config);
    assert.deepEqual(readdirSync(folder), ["addressbook.yaml"]);
    assert.equal(readFileSync(join(folder, "addressbook.yaml"), "utf8"), text);
  });
});

describe("an address book that is read again", () => {
  const linksOf = (config: string) => loadAddressBooks(config).books[0]?.links ?? assert.fail();

  it("is parsed again only when its text changed", (test) => {
    const { folder, config } = beside(test, { "addressbook.yaml": `${ann}: "@a:hs.org"\n` });
    const first = linksOf(config);
    writeFileSync(join(folder, "addressbook.yaml"), `${ann}: "@a:hs.org"\n`);
    assert.equal(linksOf(config), first);
    writeFileSync(join(folder, "addressbook.yaml"), `${ann}: "@a:hs.org"\n# seen\n`);
    assert.notEqual(linksOf(config), first);
    assert.deepEqual(linksOf(config), first);
  });

  it("tells a change that leaves size and time as they were", (test) => {
    const { folder, config } = beside(test, { "addressbook.yaml": `${ann}: "@a:hs.org"\n` });
    const path = join(folder, "addressbook.yaml");
    const { atime, mtime } = statSync(path);
    assert.equal(linksOf(config)[0]?.account, "@a:hs.org");
    writeFileSync(path, `${ann}: "@b:hs.org"\n`);
    utimesSync(path, atime, mtime);
    assert.equal(linksOf(config)[0]?.account, "@b:hs.org");
  });

  it("is missing once it is gone, refused once it is broken, and tells its warnings each time", (test) => {
    const text = `${ann}: ["@a:hs.org", 42]\n`;
    const { folder, config } = beside(test, { "addressbook.yaml": text });
    const path = join(folder, "addressbook.yaml");
    const { warnings } = loadAddressBooks(config);
    assert.equal(warnings.length, 1);
    assert.deepEqual(loadAddressBooks(config).warnings, warnings);

    rmSync(path);
    assert.equal(loadAddressBooks(config).books[0]?.problem, "missing");
    for (let time = 0; time < 2; time += 1) {
      writeFileSync(path, `${ann}: "@a:hs.org\n`);
      assert.throws(() => loadAddressBooks(config), { name: "BadInputError" });
    }
    writeFileSync(path, text);
    assert.deepEqual(loadAddressBooks(config).warnings, warnings);
  });
});

describe("a file of links that is taken as a whole", () => {
  it("gives its links", (test) => {
    const { folder } = beside(test, { "export.yaml": `${ann}: "@a:hs.org"\n` });
    assert.deepEqual(loadLinksFile(join(folder, "export.yaml")), [
      { fan: ann, platform: "matrix", account: "@a:hs.org" },
    ]);
  });

  it("is refused for every entry that cannot be used", (test) => {
    const { folder } = beside(test, { "export.yaml": `nobody: "@a:hs.org"\n${ann}: ["@a:hs.org", 42]\n` });
    assert.throws(() => loadLinksFile(join(folder, "export.yaml")), {
      name: "BadInputError",
      message: /export\.yaml:1: "nobody" is no Fanvue uuid\.\n.*export\.yaml:2: "42" is neither/,
    });
  });

  it("must be there", (test) => {
    const { folder } = beside(test, {});
    assert.throws(() => loadLinksFile(join(folder, "export.yaml")), { message: /There is no file/ });
  });
});

describe("a book that was there at the last run", () => {
  const seenBeside = (config: string) => [
    { path: join(dirname(config), "addressbook.yaml"), entries: 1 },
    { path: join(dirname(config), "discord_addressbook.yaml"), entries: 12 },
  ];
  const full = `${ann}: "@a:hs.org"\n`;

  it("and still has entries, however few, lets the run go on", (test) => {
    const { config } = beside(test, { "addressbook.yaml": full, "discord_addressbook.yaml": full });
    assert.doesNotThrow(() => {
      checkBooks(loadAddressBooks(config).books, seenBeside(config));
    });
  });

  for (const [name, text] of [
    ["without a line", ""],
    ["with comments only", "# later\n"],
    ["with an empty map", "{}\n"],
    ["with nothing that can be used", "fanvue-uuid-1: nobody\n"],
  ] as const)
    it(`and is ${name} now stops the run`, (test) => {
      const { config } = beside(test, { "addressbook.yaml": text, "discord_addressbook.yaml": full });
      assert.throws(
        () => {
          checkBooks(loadAddressBooks(config).books, seenBeside(config));
        },
        {
          name: "BadInputError",
          exitCode: 2,
          message: "addressbook.yaml had one entry at the last run and is empty now.",
        },
      );
    });

  it("beside another config is not asked for", (test) => {
    const [here, there] = [beside(test, { "addressbook.yaml": full }), beside(test, {})];
    assert.doesNotThrow(() => {
      checkBooks(loadAddressBooks(here.config).books, seenBeside(there.config).slice(1));
    });
  });

  it("is known again by whatever path the config is named", (test) => {
    const { config } = beside(test, {});
    assert.throws(() => {
      checkBooks(loadAddressBooks(relative(process.cwd(), config)).books, seenBeside(config));
    }, /addressbook\.yaml had one entry at the last run and is missing now/);
  });

  it("and is missing now stops the run, and both are told", (test) => {
    const { config } = beside(test, {});
    assert.throws(
      () => {
        checkBooks(loadAddressBooks(config).books, seenBeside(config));
      },
      {
        name: "BadInputError",
        message: [
          "addressbook.yaml had one entry at the last run and is missing now.",
          "discord_addressbook.yaml had 12 entries at the last run and is missing now.",
        ].join("\n"),
      },
    );
  });
});

it("books that were never there, or never had an entry, are not asked for", (test) => {
  const { config } = beside(test, { "addressbook.yaml": "" });
  const { books } = loadAddressBooks(config);
  assert.deepEqual(
    books.map(({ book, problem }) => [book, problem]),
    [
      ["addressbook.yaml", "empty"],
      ["discord_addressbook.yaml", "missing"],
    ],
  );
  assert.doesNotThrow(() => {
    checkBooks(books, [{ path: join(dirname(config), "addressbook.yaml"), entries: 0 }]);
  });
});
