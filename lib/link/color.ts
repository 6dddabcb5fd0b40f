/** The creator's color, moved as little as it takes to be read by everybody. Pure. */

type Rgb = readonly [red: number, green: number, blue: number];

const black: Rgb = [0, 0, 0];
const white: Rgb = [255, 255, 255];

/** WCAG AA for text of any size: https://www.w3.org/TR/WCAG22/#contrast-minimum */
export const leastContrast = 4.5;

/** A color for links, buttons and the focus ring, and one for what is written on it; both as #rrggbb. */
export interface Accent {
  readonly accent: string;
  readonly onAccent: string;
}

/**
 * The color as it is, or so much darker (on a light background) or lighter (on a dark one) that it stands out from the
 * background, and from what is written on it, by WCAG AA. Both arguments as #rrggbb.
 */
export function accentOn(background: string, color: string): Accent {
  const ground = rgbOf(background);
  const towards = luminance(ground) > 0.18 ? black : white;
  const wanted = rgbOf(color);
  const steps = Array.from({ length: 101 }, (_, percent) => mixed(wanted, towards, percent / 100));
  const accent = steps.find((step) => contrast(step, ground) >= leastContrast) ?? towards;
  // Of black and white one always stands out by 4.5 at least: their contrasts with any color multiply to 21.
  const onAccent = contrast(accent, white) >= contrast(accent, black) ? white : black;
  return { accent: hexOf(accent), onAccent: hexOf(onAccent) };
}

/** https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio, from 1 to 21; both as #rrggbb. */
export const contrastOf = (a: string, b: string): number => contrast(rgbOf(a), rgbOf(b));

function contrast(a: Rgb, b: Rgb): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

/** https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function luminance([red, green, blue]: Rgb): number {
  const linear = (value: number) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

const mixed = ([red, green, blue]: Rgb, [r, g, b]: Rgb, share: number): Rgb => {
  const between = (from: number, to: number) => Math.round(from + (to - from) * share);
  return [between(red, r), between(green, g), between(blue, b)];
};

function rgbOf(hex: string): Rgb {
  const at = (index: number) => Number.parseInt(hex.slice(1 + 2 * index, 3 + 2 * index), 16);
  return [at(0), at(1), at(2)];
}

const hexOf = (rgb: Rgb): string => `#${rgb.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
