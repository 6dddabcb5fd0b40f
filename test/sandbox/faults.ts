/** What can go wrong, by name: `faults.push({ path: /subscribers/, fault: cutBody(), skip: 1, times: 1 })`. */
import type { FaultKind } from "./server.ts";

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** That status and body instead of an answer; headers such as `retry-after` on top. */
export const answers = (
  status: number,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): FaultKind => ({ kind: "answer", reply: { status, body, headers } });

/** Half of the body, then the connection breaks. The request itself was carried out. */
export const cutBody = (): FaultKind => ({ kind: "cut" });

/** No answer, ever. */
export const hangs = (): FaultKind => ({ kind: "hang" });

/** The connection breaks before anything is done. */
export const drops = (): FaultKind => ({ kind: "drop" });

/** A whole answer with a body that is no JSON, as a proxy's error page with status 200. */
export const notJson = (): FaultKind => ({
  kind: "edit",
  edit: () => "<html><body>Just a moment…</body></html>",
});

/** Only the first rows of a list, as if there were no more. */
export const onlyFirst = (count: number): FaultKind => ({
  kind: "edit",
  edit(body) {
    const items: readonly unknown[] | undefined = Array.isArray(body) ? body : undefined;
    if (items !== undefined) return items.slice(0, count);
    if (!isObject(body)) return body;
    const data: readonly unknown[] = Array.isArray(body["data"]) ? body["data"] : [];
    return {
      ...body,
      data: data.slice(0, count),
      ...(isObject(body["pagination"]) ? { pagination: { ...body["pagination"], hasMore: false } } : {}),
      ...("nextCursor" in body ? { nextCursor: null } : {}),
    };
  },
});

/** An empty list, as if there were nobody. */
export const emptyPage = (): FaultKind => onlyFirst(0);

/** A walk without an end: the same cursor again and again, or another page behind every page. */
export function repeatedCursor(): FaultKind {
  let cursor: unknown;
  return {
    kind: "edit",
    edit(body) {
      if (!isObject(body)) return body;
      if (isObject(body["pagination"]))
        return { ...body, pagination: { ...body["pagination"], hasMore: true } };
      cursor ??= body["nextCursor"] ?? "c2FtZSBhZ2Fpbg==";
      return { ...body, nextCursor: cursor };
    },
  };
}

/** Changes each field of that name, at any depth. Undefined takes it out. */
export function everyField(name: string, change: (value: unknown) => unknown): FaultKind {
  function walk(value: unknown): unknown {
    const items: readonly unknown[] | undefined = Array.isArray(value) ? value : undefined;
    if (items !== undefined) return items.map(walk);
    if (!isObject(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, key === name ? change(inner) : walk(inner)]),
    );
  }
  return { kind: "edit", edit: walk };
}

/** Answers without that field. */
export const withoutField = (name: string): FaultKind => everyField(name, () => undefined);

/** A status that nobody has heard of, in rows and insights. */
export const unfamiliarStatus = (): FaultKind => everyField("status", () => "on_sabbatical");

/** No fault at all: for its `onStrike`, which lets something happen at a moment of a script's run. */
export const passes = (): FaultKind => ({ kind: "edit", edit: (body) => body });

/** Discord says that a role was given or taken, and nothing changed. */
export const forgets = (): FaultKind => answers(204);
