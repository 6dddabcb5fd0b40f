/** What can go wrong with Fanvue: which requests there are, and which faults make sense for each. */
import type { Kind } from "../installation.ts";
import {
  answers,
  cutBody,
  drops,
  emptyPage,
  hangs,
  notJson,
  onlyFirst,
  repeatedCursor,
  unfamiliarStatus,
  withoutField,
} from "../sandbox/faults.ts";
import type { Generation } from "../sandbox/fanvue-pages.ts";
import type { FaultKind } from "../sandbox/server.ts";

export interface FaultName {
  readonly name: string;
  readonly make: () => FaultKind;
  /** Answers that can be read, but tell less than the truth, or something new. */
  readonly isReadable?: boolean;
}

const status = (code: number, words: string): FaultName => ({
  name: `answers ${String(code)}`,
  make: () => answers(code, { error: words }, code === 429 ? { "retry-after": "0" } : {}),
});

export const refused401 = status(401, "Unauthorized");
export const missing404 = status(404, "Not Found");
export const hanging: FaultName = { name: "never answers", make: hangs };

/** Whatever the request: no answer, none that can be read, or a refusal. */
export const unreadable: readonly FaultName[] = [
  status(500, "Internal Server Error"),
  refused401,
  status(403, "Insufficient scope"),
  missing404,
  status(429, "Too Many Requests"),
  { name: "answers with half a body", make: cutBody },
  { name: "drops the connection", make: drops },
  { name: "answers with a web page", make: notJson },
  hanging,
];

const repeating: FaultName = { name: "repeats its cursor", make: repeatedCursor };
const empty: FaultName = { name: "answers an empty page", make: emptyPage, isReadable: true };
/** A list that is not among the lists cannot be read: the places that only it decides on are left alone. */
export const noLists: FaultName = { ...empty, isReadable: false };
const first: FaultName = { name: "answers only the first row", make: () => onlyFirst(1), isReadable: true };
const unfamiliar: FaultName = {
  name: "answers an unfamiliar status",
  make: unfamiliarStatus,
  isReadable: true,
};
const withoutData: FaultName = { name: "answers without its rows", make: () => withoutField("data") };
const nothing: FaultName = {
  name: "answers an empty object",
  make: () => ({ kind: "edit", edit: () => ({}) }),
};
const noResults: FaultName = {
  name: "answers for nobody",
  make: () => ({ kind: "edit", edit: () => ({ results: {}, errors: [] }) }),
  isReadable: true,
};
const nobody: FaultName = { ...nothing, name: "answers for nobody", isReadable: true };

export interface Endpoint {
  readonly name: string;
  readonly path: RegExp;
  readonly only?: Generation;
  /** What a run has to remember of the API to ask for this; default: which generation it is. */
  readonly memory?: Readonly<Record<string, string>>;
  readonly faults: readonly FaultName[];
  /** Where it serves as evidence: the kinds of rule that then cannot be told, and by which faults. */
  readonly evidence?: { readonly kinds: readonly Kind[]; readonly faults: readonly FaultName[] };
}

const paged = [...unreadable, repeating, empty, first, withoutData];
const pagedEvidence = [...unreadable, repeating, empty, withoutData];

/** All that the syncs ask of Fanvue. */
export const endpoints: readonly Endpoint[] = [
  { name: "users/me", path: /\/users\/me$/, memory: {}, faults: [...unreadable, nothing] },
  {
    name: "subscribers",
    path: /\/subscribers$/,
    faults: [...paged, unfamiliar],
  },
  {
    name: "followers",
    path: /\/followers$/,
    faults: paged,
    evidence: { kinds: ["top_spender"], faults: pagedEvidence },
  },
  {
    name: "insights in bulk",
    path: /\/insights\/fans$/,
    // Without the generation, which users/me tells.
    memory: { bulk_insights: "get" },
    faults: [...unreadable, nothing, noResults, unfamiliar],
    evidence: { kinds: ["subscription", "spending", "smart"], faults: [...unreadable, nothing, noResults] },
  },
  {
    name: "insights in batches",
    path: /\/insights\/fans\/batch$/,
    only: "unprefixed",
    faults: [...unreadable.filter((fault) => fault !== missing404), nobody, unfamiliar],
    evidence: {
      kinds: ["subscription", "spending", "smart"],
      faults: [...unreadable.filter((fault) => fault !== missing404), nobody],
    },
  },
  {
    name: "which custom lists there are",
    path: /\/chats\/lists\/custom$/,
    faults: [...unreadable, repeating, noLists, withoutData],
    evidence: { kinds: ["custom"], faults: [...unreadable, repeating, noLists, withoutData] },
  },
  {
    name: "a custom list",
    path: /\/chats\/lists\/custom\/[^/]+$/,
    faults: paged,
    evidence: { kinds: ["custom"], faults: [...pagedEvidence, first] },
  },
  {
    name: "which smart lists there are",
    path: /\/chats\/lists\/smart$/,
    faults: [...unreadable, nothing],
    evidence: { kinds: ["smart"], faults: [...unreadable, nothing] },
  },
  {
    name: "a smart list",
    path: /\/chats\/lists\/smart\/[^/]+$/,
    faults: paged,
    evidence: { kinds: ["smart"], faults: [...pagedEvidence, first] },
  },
  { name: "earnings", path: /\/insights\/earnings$/, faults: paged },
  { name: "reversals", path: /\/insights\/spending$/, only: "unprefixed", faults: paged },
];

/** Asked only of those who are still listed as subscribers but seem not to pay, where the rule wants paying ones. */
export const singleSubscriber = {
  name: "a single subscriber",
  path: /\/subscribers\/[^/]+$/,
  // A 404 says that this is no subscriber, which is an answer.
  faults: [...unreadable.filter((fault) => fault !== missing404), nothing],
} as const satisfies Endpoint;

export const endpointsOf = (generation: Generation): readonly Endpoint[] =>
  endpoints.filter(({ only }) => (only ?? generation) === generation);
