/** The look of the link pages: whatever color a creator likes, everybody can read it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { accentOn, contrastOf, leastContrast } from "../lib/link/color.ts";
import { shownName } from "../lib/link/shown-name.ts";
import { plainText } from "../lib/plain-text.ts";
import { palettes, styleAddress, styleSheet } from "../lib/link/style.ts";

const anyColor = fc
  .integer({ min: 0, max: 0xffffff })
  .map((value) => `#${value.toString(16).padStart(6, "0")}`);
const grounds = Object.values(palettes).flatMap(({ ground, card }) => [ground, card]);

describe("a creator's color", () => {
  it("is measured as WCAG does", () => {
    assert.equal(contrastOf("#000000", "#ffffff"), 21);
    assert.equal(contrastOf("#777777", "#777777"), 1);
    assert.equal(contrastOf("#767676", "#ffffff").toFixed(2), "4.54");
  });

  it("stands out from every ground, and what is written on it from it", () => {
    fc.assert(
      fc.property(anyColor, (color) => {
        for (const { ground, card } of Object.values(palettes)) {
          const { accent, onAccent } = accentOn(card, color);
          assert.ok(contrastOf(accent, card) >= leastContrast);
          assert.ok(contrastOf(accent, ground) >= leastContrast);
          assert.ok(contrastOf(accent, onAccent) >= leastContrast);
        }
      }),
    );
  });

  it("stays as it is where it can be read", () => {
    assert.equal(accentOn(palettes.light.card, "#4A3AFF").accent, "#4a3aff");
    assert.equal(accentOn(palettes.dark.card, "#ffcc00").accent, "#ffcc00");
    assert.notEqual(accentOn(palettes.light.card, "#ffcc00").accent, "#ffcc00");
  });
});

describe("the style sheet", () => {
  it("has texts that stand out from their grounds, in light and dark", () => {
    for (const { text, quiet, alarm, ground, card } of Object.values(palettes))
      for (const color of [text, quiet, alarm])
        for (const behind of [ground, card]) assert.ok(contrastOf(color, behind) >= leastContrast, color);
    assert.equal(grounds.length, 4);
  });

  it("has lines around fields that can be seen", () => {
    for (const { line, ground } of Object.values(palettes)) assert.ok(contrastOf(line, ground) >= 3);
  });

  it("follows the visitor's system and holds the color in both", () => {
    const css = styleSheet("#ff0066");
    assert.match(css, /prefers-color-scheme: dark/);
    assert.equal(css.match(/--accent: #[0-9a-f]{6};/g)?.length, 2);
    assert.notEqual(styleAddress("#ff0066"), styleAddress("#ff0067"));
    assert.notEqual(styleAddress("#ff0066"), styleAddress());
  });
});

describe("a name from elsewhere", () => {
  it("is one short line without anything that cannot be seen", () => {
    assert.equal(shownName("  Ana \n B\u0000 "), "Ana B");
    assert.equal(shownName("\u202Eevil\u2066\u200B"), "evil");
    assert.equal(shownName(" \u200B "), "(no name)");
    assert.equal(shownName("z\u0300\u0301\u0302\u0303\u0304\u0305").length <= 4, true);
    assert.equal(shownName("x".repeat(64)), "x".repeat(64));
    assert.equal(shownName("x".repeat(65)), `${"x".repeat(63)}…`);
  });

  it("never grows, and is clean already when it is cleaned again", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (name) => {
        const shown = shownName(name);
        assert.ok(Array.from(new Intl.Segmenter("en").segment(shown)).length <= 64);
        assert.equal(plainText(plainText(name)), plainText(name));
        assert.doesNotMatch(plainText(name), /[\p{C}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});
