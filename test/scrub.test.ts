import assert from "node:assert/strict";
import { test } from "node:test";
import { scrub } from "../lib/scrub.ts";

test("every known secret goes, also where one is the beginning of another", () => {
  assert.equal(scrub("abc-1 and abc-1-2, abc-1", ["abc-1", "abc-1-2"]), "[secret] and [secret], [secret]");
});

test("what looks like a token goes, too, and ordinary words stay", () => {
  assert.equal(scrub("Bearer eyJhbGciOi.x_y is bad", []), "Bearer [secret] is bad");
  assert.equal(scrub("the bearer is unknown: no rows", [""]), "the bearer is unknown: no rows");
});
