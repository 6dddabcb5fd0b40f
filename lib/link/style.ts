/** The style sheet of the link pages: phones first, light and dark as the visitor's system has it. Pure. */
import { type Accent, accentOn } from "./color.ts";

/** Each text color stands out from its background by 4.5 at least. */
export const palettes = {
  light: {
    ground: "#ffffff",
    card: "#f4f4f7",
    text: "#1b1b1f",
    quiet: "#55555f",
    line: "#85858f",
    alarm: "#b3141d",
  },
  dark: {
    ground: "#131316",
    card: "#202026",
    text: "#f1f1f4",
    quiet: "#b4b4be",
    line: "#7d7d88",
    alarm: "#ff9a94",
  },
} as const;

const defaultColor = "#4a3aff";

/** `color`: the creator's, as #rrggbb. */
export function styleSheet(color: string = defaultColor): string {
  return `${variables(":root", palettes.light, color)}
@media (prefers-color-scheme: dark) {
${variables(":root", palettes.dark, color)}
}
${rules}`;
}

function variables(
  selector: string,
  palette: (typeof palettes)[keyof typeof palettes],
  color: string,
): string {
  // Cards are the less distant ground of the two in both palettes: what stands out from them stands out from the page.
  const accents: Accent = accentOn(palette.card, color);
  const lines = Object.entries({ ...palette, accent: accents.accent, "on-accent": accents.onAccent }).map(
    ([name, value]) => `  --${name}: ${value};`,
  );
  return `${selector} {\n${lines.join("\n")}\n}`;
}

/** Whatever is pressed is 44 pixels high or more, and more than that apart from the next. */
const rules = `
* { box-sizing: border-box; }
html { color-scheme: light dark; font-size: 100%; -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 0 1rem 2rem; max-width: 34rem; min-height: 100vh; background: var(--ground); color: var(--text);
  font: 1.0625rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: anywhere;
}
header, footer { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 0 1rem; }
header { border-bottom: 1px solid var(--line); margin-bottom: 1.5rem; }
footer { border-top: 1px solid var(--line); margin-top: 2.5rem; padding-top: 0.75rem; color: var(--quiet); }
footer p { margin: 0.6rem 0; }
header a, footer a { display: inline-flex; align-items: center; min-height: 2.75rem; }
.site { font-weight: 650; color: inherit; text-decoration: none; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.15rem; line-height: 1.3; margin: 1.75rem 0 0.5rem; }
p, ul, dl { margin: 0 0 1rem; }
ul { padding-left: 1.25rem; }
li { margin-bottom: 0.4rem; }
a { color: var(--accent); text-underline-offset: 0.15em; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; border-radius: 0.25rem; }
.step, .quiet, .hint { color: var(--quiet); }
.step { margin-bottom: 0.25rem; }
.name { font-weight: 650; }
.card { background: var(--card); border-radius: 0.75rem; padding: 1rem 1.1rem; margin: 0 0 1rem; }
.card > :last-child { margin-bottom: 0; }
.card h2 { margin-top: 0; }
dt { color: var(--quiet); }
dd { margin: 0 0 0.75rem; font-weight: 650; }
form { margin: 0 0 1rem; }
label { display: block; font-weight: 650; margin-bottom: 0.25rem; }
.hint { margin: 0 0 0.5rem; }
input {
  display: block; width: 100%; min-height: 3rem; padding: 0.5rem 0.75rem; margin-bottom: 1rem; font: inherit;
  color: var(--text); background: var(--ground); border: 1px solid var(--line); border-radius: 0.5rem;
}
input[aria-invalid="true"] { border: 2px solid var(--alarm); }
input.code { font-family: ui-monospace, monospace; font-size: 1.4rem; letter-spacing: 0.15em; }
.problem { color: var(--alarm); font-weight: 650; margin: 0 0 0.5rem; }
.button {
  display: inline-flex; align-items: center; justify-content: center; width: 100%; min-height: 3rem; padding: 0.6rem 1.25rem;
  font: inherit; font-weight: 650; text-align: center; text-decoration: none; cursor: pointer;
  color: var(--on-accent); background: var(--accent); border: 2px solid var(--accent); border-radius: 0.6rem;
}
.button.second { color: var(--accent); background: transparent; }
.button:hover { text-decoration: underline; }
.more { display: inline-flex; align-items: center; min-height: 2.75rem; }
footer form { margin: 0; }
footer .button { width: auto; min-height: 2.75rem; padding: 0.4rem 1rem; }
.or { text-align: center; color: var(--quiet); margin: 0 0 1rem; }
@media (min-width: 30rem) { main .button { width: auto; min-width: 16rem; } }
@media (forced-colors: active) { .button { border-color: ButtonText; } }
`;

/** Where the style sheet is found: another address for another color, so that browsers may keep it. */
export const styleAddress = (color: string = defaultColor): string => `/style.css?color=${color.slice(1)}`;
