/** The link pages as a web application: routes, and around them limits, cookies, headers and the log. */
import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { Config } from "../config/shape.ts";
import { BusyError, OperatorError } from "../errors.ts";
import type { FanId, Platform } from "../ids.ts";
import type { Log } from "../log.ts";
import { clientAddress, limitedNetwork } from "./address.ts";
import { readBody } from "./body.ts";
import { formTokenField, readFields } from "./forms.ts";
import { isFromHere, securityHeaders } from "./headers.ts";
import { createLimits, type Effort, everybody, type Limits } from "./limits.ts";
import type { MembershipOf } from "./membership.ts";
import { layout } from "./pages/layout.ts";
import type { LinkBook, Proofs } from "./proofs.ts";
import { accountRoutes } from "./routes/account.ts";
import { callbackRoutes } from "./routes/callback.ts";
import { fanRoutes } from "./routes/fan.ts";
import { linkRoutes } from "./routes/link.ts";
import { type Answer, type Ask, type Kit, refuse, type Route } from "./routes/route.ts";
import type { Random } from "./secrets.ts";
import { siteOf } from "./site.ts";
import { styleAddress, styleSheet } from "./style.ts";
import type { TroubleName } from "./texts.ts";
import { createTurnstile } from "./turnstile.ts";
import { createVisits, emptyVisit, type VisitId } from "./visits.ts";

export interface LinkAppOptions {
  readonly config: Config;
  readonly proofs: Proofs;
  readonly linkBook: LinkBook;
  readonly membership: MembershipOf;
  /** Asks for a sync of this fan on this platform as soon as may be; returns at once. */
  readonly askForSync: (fan: FanId, platform: Platform) => void;
  readonly now: () => number;
  readonly random?: Random;
  readonly log: Log;
}

interface Env {
  Bindings: Partial<HttpBindings>;
  Variables: {
    /** The route's pattern, for the log: a path itself may hold a secret. */
    route: string | undefined;
    trouble: string | undefined;
  };
}
type Call = Context<Env>;
export type LinkApp = Hono<Env>;

const routes = [...fanRoutes, ...callbackRoutes, ...accountRoutes, ...linkRoutes];

/** Each asks another service, which takes half a second where all is well. */
const mostExchanges = 20;
const mostBodyBytes = 8 * 1024;
const mostUrlCharacters = 4096;

/** All that answers a call. */
interface Service extends Kit {
  readonly limits: Limits;
  readonly cookie: string;
  readonly styleAddress: string;
  readonly log: Log;
}

/** Makes the application. Its visits and limits live in memory, and end with the process. */
export function createLinkApp(options: LinkAppOptions): LinkApp {
  const service = serviceOf(options);
  const { site, log } = service;
  const css = styleSheet(site.color);
  const app: LinkApp = new Hono<Env>({ strict: false });

  app.use(withHeadersAndLog(service));
  app.use(withinLimits(service));
  app.get("/style.css", (call) => {
    call.set("route", "/style.css");
    return call.body(css, 200, {
      "Content-Type": "text/css; charset=utf-8",
      "Cache-Control": "public, max-age=86400",
    });
  });
  for (const route of routes) register(app, route, service);
  app.notFound((call) => tell(call, "not found", service));
  app.onError((error, call) => {
    if (error instanceof BusyError) {
      log.warn(`${error.message} ${error.remedy}`);
      return tell(call, "busy", service);
    }
    if (error instanceof OperatorError) {
      log.error(`${error.message} ${error.remedy}`);
      return tell(call, "busy", service);
    }
    // Nothing but the stack: what libraries hang on their errors may hold what was sent.
    log.error({ stack: error.stack }, "A page could not be shown: this is a bug.");
    return tell(call, "trouble", service);
  });
  return app;
}

function serviceOf({ config, random, ...kit }: LinkAppOptions): Service {
  const { proofs, now } = kit;
  const site = siteOf(config, [
    ...(proofs.discord === undefined ? [] : (["discord"] as const)),
    ...(proofs.matrix === undefined ? [] : (["matrix"] as const)),
  ]);
  return {
    ...kit,
    site,
    visits: createVisits({ now, ...(random === undefined ? {} : { random }) }),
    exchanges: createTurnstile(mostExchanges),
    limits: createLimits({ now }),
    // By the prefix browsers let nobody but this very host set it: https://developer.mozilla.org/docs/Web/HTTP/Guides/Cookies
    cookie: site.isSecure ? "__Host-visit" : "visit",
    styleAddress: styleAddress(site.color),
  };
}

/** HEAD is answered as GET by hono. Every other method is told what there is. */
function register(app: LinkApp, route: Route, service: Service): void {
  const { path, get, post } = route;
  app.use(path, async (call, next) => {
    call.set("route", path);
    await next();
  });
  if (get !== undefined) {
    app.get(path, async (call) => {
      const ask = askOf(call, recognise(call, service) ?? service.visits.issue(), service);
      return reply(call, await get(ask, service), ask, service);
    });
  }
  if (post !== undefined) {
    app.post(path, fromHere(service), (call) => receive(call, { ...route, post }, service));
  }
  const allowed = [...(get === undefined ? [] : ["GET", "HEAD"]), ...(post === undefined ? [] : ["POST"])];
  app.all(path, (call) => {
    call.header("Allow", allowed.join(", "));
    return tell(call, "wrong method", service);
  });
}

// ---- Before a route ---------------------------------------------------------------------------------------------

/** One line a request, with nothing in it that a visitor brought. */
const withHeadersAndLog =
  ({ site, log }: Service): MiddlewareHandler<Env> =>
  async (call, next) => {
    const startedAtMs = performance.now();
    await next();
    for (const [name, value] of Object.entries(securityHeaders(site.isSecure)))
      if (!call.res.headers.has(name)) call.res.headers.set(name, value);
    const { route, trouble } = call.var;
    log.info(
      {
        method: methods.has(call.req.method) ? call.req.method : "another",
        route: route ?? "none",
        status: call.res.status,
        ms: Math.round(performance.now() - startedAtMs),
        ...(trouble === undefined ? {} : { trouble }),
      },
      "answered",
    );
  };

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]);

function withinLimits(service: Service): MiddlewareHandler<Env> {
  const noticeProxy = proxyNotice(service);
  return async (call, next) => {
    noticeProxy(call);
    if (call.req.url.length > mostUrlCharacters) return tell(call, "too long", service);
    const limited = overLimit(call, "pages", service);
    if (limited !== undefined) return limited;
    await next();
    return undefined;
  };
}

/** Says once that the limits may take all visitors for one. */
function proxyNotice({ site, log }: Service): (call: Call) => void {
  let isSaid = site.trustProxy;
  return (call) => {
    if (isSaid || call.req.header("x-forwarded-for") === undefined) return;
    isSaid = true;
    log.warn(
      "A request says by X-Forwarded-For whom it is from, which does not count. If a web server of yours stands before this site, set trust_proxy to true: until then, all visitors share the limits of one.",
    );
  };
}

/** The answer to who asks for more than is given; undefined to everybody else. */
function overLimit(call: Call, effort: Effort, service: Service): Response | Promise<Response> | undefined {
  const { limits, site } = service;
  const address = clientAddress(connectionOf(call), call.req.header("x-forwarded-for"), site.trustProxy);
  const waitSeconds = limits.take(effort, limitedNetwork(address));
  return waitSeconds === 0 ? undefined : tellToWait(call, "too many", waitSeconds, service);
}

/** Unknown for a request that is made in the process, which comes without an environment. */
const connectionOf = ({ env }: { readonly env: Env["Bindings"] | undefined }): string | undefined =>
  env?.incoming?.socket.remoteAddress;

const fromHere =
  (service: Service): MiddlewareHandler<Env> =>
  async (call, next) => {
    const fetchSite = call.req.header("sec-fetch-site");
    const origin = call.req.header("origin");
    return isFromHere({ fetchSite, origin }, service.site.address)
      ? next()
      : tell(call, "forbidden", service);
  };

// ---- Forms ------------------------------------------------------------------------------------------------------

/** Answers a form, once it is sure that it was sent from a page of the visit whose cookie came with it. */
async function receive(
  call: Call,
  { post, effort = "pages", sharedEffort }: Route & Required<Pick<Route, "post">>,
  service: Service,
): Promise<Response> {
  const { visits } = service;
  const body = await readBody(call.req.raw.body, mostBodyBytes);
  if (body.is === "too large") return tell(call, "too large", service);
  if (getCookie(call, service.cookie) === undefined) return tell(call, "no cookies", service);
  const id = recognise(call, service);
  const fields = body.is === "whole" && isForm(call) ? readFields(body.text) : undefined;
  if (fields === undefined) return tell(call, "unreadable", service);
  if (id === undefined || !visits.isFormToken(id, fields[formTokenField] ?? ""))
    return tell(call, "out of date", service);
  const limited = effort === "pages" ? undefined : overLimit(call, effort, service);
  if (limited !== undefined) return limited;
  if (sharedEffort !== undefined) {
    const waitSeconds = service.limits.take(sharedEffort, everybody);
    if (waitSeconds > 0) return tellToWait(call, "busy", waitSeconds, service);
  }
  const ask = askOf(call, id, service);
  return reply(call, await post(fields, ask, service), ask, service);
}

function isForm(call: Call): boolean {
  const [type] = (call.req.header("content-type") ?? "").split(";");
  return type?.trim().toLowerCase() === "application/x-www-form-urlencoded";
}

const recognise = (call: Call, { visits, cookie }: Service): VisitId | undefined =>
  visits.recognise(getCookie(call, cookie));

/** The visit is read last, so that nothing happens between this and the route. */
const askOf = (call: Call, id: VisitId, { visits }: Service): Ask => ({
  id,
  formToken: visits.formToken(id),
  query: new URL(call.req.url).searchParams,
  blank: call.req.param("token") ?? "",
  visit: visits.load(id),
});

// ---- Answers ----------------------------------------------------------------------------------------------------

function reply(call: Call, answer: Answer, { id, visit, formToken }: Ask, service: Service) {
  if (answer.is === "go") {
    if (answer.id !== undefined) keepCookie(call, answer.id, service);
    return call.redirect(answer.to, 303);
  }
  keepCookie(call, id, service);
  if (answer.trouble !== undefined) call.set("trouble", answer.trouble);
  const { site, styleAddress: style } = service;
  const frame = { site, styleAddress: style, fan: visit.fan, formToken };
  return call.html(layout(answer.page, frame), answer.status);
}

/** Gives the browser the id where it has another; a session's cookie, gone when the browser is closed. */
function keepCookie(call: Call, id: VisitId | "ended", { cookie, site }: Service): void {
  const options = { path: "/", httpOnly: true, sameSite: "Lax", secure: site.isSecure } as const;
  if (id === "ended") deleteCookie(call, cookie, options);
  else if (getCookie(call, cookie) !== id) setCookie(call, cookie, id, options);
}

function tellToWait(call: Call, name: TroubleName, waitSeconds: number, service: Service) {
  call.header("Retry-After", String(waitSeconds));
  return tell(call, name, service);
}

/** A page of trouble outside of any visit. */
function tell(call: Call, name: TroubleName, { site, styleAddress: style }: Service) {
  const { page, status } = refuse(name);
  call.set("trouble", name);
  const frame = { site, styleAddress: style, fan: emptyVisit.fan, formToken: "" };
  return call.html(layout(page, frame), status);
}
