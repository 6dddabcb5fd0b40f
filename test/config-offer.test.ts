/** The text of an offer: what reads like a gift, placeholders, and its length. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { giftIn, longestFilledIn, longestLength, unknownPlaceholders } from "../lib/config/offer.ts";

const gifts: readonly (readonly [text: string, words: string])[] = [
  ["Get 100% off!", "100% off"],
  ["100 % discount for you", "100 % discount"],
  ["１００％ OFF", "100% off"],
  ["a discount of 100 percent", "discount of 100 percent"],
  ["now -100%", "-100%"],
  ["https://fanvue.com/me?promo=DISCORD100OFF", "100off"],
  ["with the code FREE100", "free100"],
  ["a free month", "free month"],
  ["Your first month free!", "month free"],
  ["your **first** month is\n**free**", "month is free"],
  ["the first month is on me", "month is on me"],
  ["30 days free", "days free"],
  ["a free 7-day trial", "free 7-day"],
  ["free for a month", "free for a month"],
  ["get free access to my page", "free access"],
  ["subscribe for free", "for free"],
  ["at no cost", "no cost"],
  ["free of charge", "free of charge"],
  ["a hundred percent off", "a hundred percent off"],
  ["one hundred % discount", "one hundred % discount"],
  ["a full discount on my page", "full discount"],
  ["use the code FREEMONTH", "freemonth"],
  ["https://fanvue.com/me?promo=1MONTHFREE", "monthfree"],
  ["a month for nothing", "month for nothing"],
  ["pay nothing for the first month", "pay nothing"],
  ["your subscription costs nothing", "costs nothing"],
  ["at zero cost", "zero cost"],
  ["join without paying", "without paying"],
  ["I'll gift you a month", "gift you a month"],
  ["gift you your first month", "gift you your first month"],
  ["a complimentary month", "complimentary month"],
  ["gratis", "gratis"],
  ["ganz kostenlos", "kostenlos"],
  ["gratuitement", "gratuitement"],
  ["only $0", "$0"],
  ["for 0$.", "0$"],
  ["€0,00", "€0,00"],
  ["0.00 USD", "0.00 usd"],
];

const noGifts = [
  "20% off",
  "20 % off your first month",
  "feel free to ask",
  "free to ask about a subscription",
  "I'm free this month, write to me",
  "hands-free",
  "my months are never free of surprises",
  "100% real, 100% me",
  "a hundred percent real, one hundred percent me",
  "it costs nothing to look at my page",
  "you pay nothing extra",
  "half a discount is no full price",
  "I'll gift you a photo each month",
  "a gift for you, every month",
  "thanks for nothing",
  "a month-free calendar",
  "the full price, and a discount of 20 %",
  "1,100% off the scale",
  "$100 off a year",
  "10$",
  "$10",
  "$0.99",
  "0,99 €",
  "2,000 $",
  "freedom",
];

describe("an offer", () => {
  for (const [text, words] of gifts)
    it(`reads like a gift: ${JSON.stringify(text)}`, () => {
      assert.equal(giftIn(text), words);
    });

  for (const text of noGifts)
    it(`is no gift: ${JSON.stringify(text)}`, () => {
      assert.equal(giftIn(text), undefined);
    });

  it("names each placeholder that nobody fills in once", () => {
    assert.deepEqual(unknownPlaceholders("{nmae} {name} {server} {link} {nmae} { name } {}"), [
      "nmae",
      "link",
    ]);
  });

  it("is as long as with the longest names, each character counted once", () => {
    assert.equal(longestLength("Hi {name}, {other} 🎉"), "Hi , {other} ".length + longestFilledIn + 1);
  });
});
