import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

/** A file imports only from lower floors; the pure floor touches nothing but the model and itself. */
const floors = [
  ["ids", "facts", "model", "logins", "target", "errors", "nearest", "plain-text", "durations", "loopback"],
  ["config", "cron", "log", "scrub", "http", "oauth", "lock", "listen", "db", "run-script", "parent"],
  ["fanvue", "discord", "matrix", "store"],
  ["rules", "want", "plan", "guard", "report", "ledger"],
  [
    "snapshot",
    "locate-lists",
    "make-lists",
    "apply",
    "reconcile",
    "link",
    "link-admin",
    "daemon",
    "service",
    "describe-config",
    "check-online",
    "commands",
    "upsell",
    "notices",
    "discord-logins",
  ],
  ["cli", "signals", "hang-up", "sync", "sync-options", "sync-parts", "open-source"],
];
const pureFloor = 3;

const filesOf = (names) => names.flatMap((name) => [`lib/${name}.ts`, `lib/${name}/**/*.ts`]);
const importsOf = (names) => names.flatMap((name) => [`**/${name}.ts`, `**/${name}/**`]);
/** On one floor a folder is closed to its neighbours, save where the files are made to work together. */
const open = new Set([0, 1, 3, 4, 5]);

const floorRules = floors.flatMap((names, floor) =>
  names.map((name) => {
    const above = floors.slice(floor + 1).flat();
    const beside = open.has(floor) ? [] : names.filter((other) => other !== name);
    const below = floor === pureFloor ? floors.slice(1, pureFloor).flat() : [];
    const pure =
      floor === pureFloor ? ["node:*", "undici", "discord.js", "matrix-js-sdk", "sql.js", "zod"] : [];
    return {
      files: filesOf([name]),
      rules: {
        "@typescript-eslint/no-restricted-imports": [
          "error",
          {
            patterns: [
              {
                group: [
                  ...importsOf([...above, ...beside, ...below]),
                  ...pure,
                  "**/scripts/**",
                  "**/test/**",
                ],
                message: `lib/${name} stands on floor ${String(floor)} and imports only from lower ones.`,
              },
            ],
          },
        ],
        ...(floor === pureFloor
          ? {
              "no-restricted-globals": ["error", "process", "fetch", "setTimeout", "setInterval"],
              "no-restricted-properties": [
                "error",
                { object: "Date", property: "now", message: "The clock is an argument on the pure floor." },
                { object: "Math", property: "random", message: "The pure floor decides nothing by chance." },
              ],
            }
          : {}),
      },
    };
  }),
);

export default tseslint.config(
  { ignores: ["node_modules", "data", ".venv"] },
  eslint.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "no-console": "error",
      "no-restricted-exports": [
        "error",
        { restrictDefaultExports: { direct: true, named: true, defaultFrom: true } },
      ],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { requireDefaultForNonUnion: true }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-floating-promises": [
        "error",
        {
          allowForKnownSafeCalls: [
            {
              from: "package",
              package: "node:test",
              name: ["test", "describe", "it", "suite", "before", "after", "beforeEach", "afterEach"],
            },
          ],
        },
      ],
    },
  },
  ...floorRules,
);
