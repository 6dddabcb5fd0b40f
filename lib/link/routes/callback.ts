/** Back from another service's page: one address for both, and the attempt that the state belongs to tells whose it is. */
import { accessDenied } from "../../oauth.ts";
import { attemptOf, type OpenAttempt, type Purpose, withUsedAttempt } from "../attempts.ts";
import { forms } from "../forms.ts";
import { callbackPage } from "../pages/sign-in.ts";
import { withAccount } from "./account.ts";
import { withFan } from "./fan.ts";
import {
  again,
  type Answer,
  type Ask,
  fail,
  type Kit,
  type Path,
  posted,
  refuse,
  type Route,
  show,
} from "./route.ts";

const retryAt = { fanvue: "/", discord: "/choose" } as const satisfies Record<Purpose, Path>;

/** Redeems nothing: what the browser was given waits in the form of the page. */
function returned({ visit, query, formToken }: Ask, { now }: Kit): Answer {
  const open = attemptOf(visit.attempts, only(query, "state") ?? "", now());
  if (open === undefined) return fail("expired");
  const error = only(query, "error");
  if (error !== undefined) {
    return fail(error === accessDenied ? "declined" : "service away", again(retryAt[open.purpose]));
  }
  const brought = forms.callback.safeParse({
    code: only(query, "code"),
    state: only(query, "state"),
    iss: only(query, "iss"),
  });
  return brought.success
    ? show(callbackPage(open.purpose, { iss: undefined, ...brought.data }, formToken))
    : refuse("unreadable");
}

/** A parameter that is there once. */
function only(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name);
  return values.length === 1 ? values[0] : undefined;
}

/**
 * The attempt is used up before anything is asked of the service, so that nobody can try twice; but it stays where too many
 * are at it.
 */
async function redeem(parameters: URLSearchParams, { id, visit }: Ask, kit: Kit): Promise<Answer> {
  const open = attemptOf(visit.attempts, parameters.get("state") ?? "", kit.now());
  if (open === undefined) return fail("expired");
  const answer = kit.exchanges.enter(() => {
    kit.visits.change(id, (now) => ({ ...now, attempts: withUsedAttempt(now.attempts, open) }));
    return finish(open, parameters, { id, visit }, kit);
  });
  return answer ?? refuse("busy", again(retryAt[open.purpose]));
}

async function finish(
  { purpose, attempt }: OpenAttempt,
  parameters: URLSearchParams,
  { id, visit }: Pick<Ask, "id" | "visit">,
  kit: Kit,
): Promise<Answer> {
  const { fanvueSignIn, discord } = kit.proofs;
  switch (purpose) {
    case "fanvue":
      return fanvueSignIn === undefined
        ? refuse("not offered")
        : withFan(id, await fanvueSignIn.finish(attempt, parameters), kit);
    case "discord":
      return discord === undefined || visit.fan === undefined
        ? refuse("not offered")
        : withAccount(id, visit.fan, await discord.finish(attempt, parameters), kit);
  }
}

export const callbackRoutes: readonly Route[] = [
  {
    path: "/callback",
    get: returned,
    post: posted(forms.callback, ({ code, state, iss }, ask, kit) =>
      redeem(new URLSearchParams({ code, state, ...(iss === undefined ? {} : { iss }) }), ask, kit),
    ),
    // Whatever is brought, a service is asked about it, and counts what was made up against our address.
    effort: "codes",
  },
];
