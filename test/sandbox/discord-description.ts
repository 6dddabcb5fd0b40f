/** Discord's own description of its interface (OpenAPI), against which requests and answers are checked. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { Reply, SandboxRequest } from "./server.ts";

/** Each fault is a sentence; none: all is as described. */
type Faults = readonly string[];

export interface DiscordDescription {
  /** Whether it knows an operation, such as "GET /guilds/{guild_id}". */
  describes(operation: string): boolean;
  /** What is wrong with what the program sends. */
  requestFaults(request: SandboxRequest): Faults;
  /** What is wrong with what the stand-in answers. */
  replyFaults(request: SandboxRequest, reply: Reply): Faults;
}

/** What Discord documents in words alone. */
export const describedInWords: ReadonlySet<string> = new Set([
  "POST /oauth2/token",
  "POST /oauth2/token/revoke",
]);

// ---- The document -----------------------------------------------------------------------------------------------

const contentShape = z.record(z.string(), z.object({ schema: z.unknown() }));
const parameterShape = z.object({
  name: z.string(),
  in: z.string(),
  required: z.boolean().optional(),
  schema: z.unknown(),
});
const answerShape = z.object({ $ref: z.string().optional(), content: contentShape.optional() });
const operationShape = z.object({
  parameters: z.array(parameterShape).default([]),
  requestBody: z.object({ content: contentShape, required: z.boolean().optional() }).optional(),
  responses: z.record(z.string(), answerShape),
});
const documentShape = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  components: z.object({
    schemas: z.record(z.string(), z.unknown()),
    responses: z.record(z.string(), answerShape),
  }),
});
type Document = z.infer<typeof documentShape>;
type Operation = z.infer<typeof operationShape>;

/** Zod looks for named schemas under $defs. */
function rename(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(rename);
  if (typeof node !== "object" || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      key === "$ref" && typeof value === "string"
        ? value.replace("#/components/schemas/", "#/$defs/")
        : rename(value),
    ]),
  );
}

/** Where the description says less, or more, than what Discord's own documentation says that it sends. */
const asSent: Readonly<Record<string, unknown>> = {
  // It wants a numeric code in every error; those of fields are named by words, and a 429 has none.
  Error: {
    type: "object",
    properties: { code: { type: ["integer", "string"] }, message: { type: "string" } },
    required: ["message"],
  },
  // It knows two of the ten: https://discord.com/developers/docs/resources/entitlement#entitlement-object-entitlement-types
  EntitlementTypes: { type: "integer", minimum: 1, maximum: 10 },
};

// ---- Checks -----------------------------------------------------------------------------------------------------

interface Found {
  readonly name: string;
  readonly operation: Operation;
}

/** Reads the description from disk. */
export function loadDiscordDescription(file: string): DiscordDescription {
  const { paths, components }: Document = documentShape.parse(JSON.parse(readFileSync(file, "utf8")));
  const schemas = { ...z.record(z.string(), z.unknown()).parse(rename(components.schemas)), ...asSent };
  const operationOf = operationsOf(paths);
  const shapes = new Map<unknown, z.ZodType>();
  const shapeOf = (schema: unknown): z.ZodType => {
    const whole = { $defs: schemas, allOf: [rename(schema)] };
    const shape = shapes.get(schema) ?? z.fromJSONSchema(whole as Parameters<typeof z.fromJSONSchema>[0]);
    shapes.set(schema, shape);
    return shape;
  };
  const faultsOf = (schema: unknown, value: unknown, what: string): Faults => {
    const parsed = shapeOf(schema).safeParse(shortened(value));
    return parsed.success ? [] : [`${what}: ${z.prettifyError(parsed.error)}`];
  };

  function queryFaults({ name, operation }: Found, { query }: SandboxRequest): Faults {
    const known = operation.parameters.filter((parameter) => parameter.in === "query");
    const missing = known.filter((parameter) => parameter.required === true && !query.has(parameter.name));
    return [
      ...missing.map((parameter) => `${name} needs ${parameter.name}`),
      ...[...query].flatMap(([key, value]) => {
        const parameter = known.find((each) => each.name === key);
        if (parameter === undefined) return [`${name} takes no ${key}`];
        // A value in a query is a text; the description speaks of what it stands for.
        const isFit = [value, plainOf(value)].some(
          (each) => shapeOf(parameter.schema).safeParse(each).success,
        );
        return isFit ? [] : [`${name} takes no ${key}=${value}`];
      }),
    ];
  }

  function bodyFaults({ name, operation: { requestBody } }: Found, { text, json }: SandboxRequest): Faults {
    const schema = requestBody?.content["application/json"]?.schema;
    if (text === "") return requestBody?.required === true ? [`${name} needs a body`] : [];
    return schema === undefined
      ? [`${name} takes no body`]
      : faultsOf(schema, json, `${name} takes no such body`);
  }

  return {
    describes: (operation) => {
      const [method = "", path = ""] = operation.split(" ");
      return paths[path]?.[method.toLowerCase()] !== undefined;
    },
    requestFaults(request) {
      const found = operationOf(request);
      if (found === undefined) return undescribed(request);
      return [...queryFaults(found, request), ...bodyFaults(found, request)];
    },
    replyFaults(request, { status, body }) {
      const found = operationOf(request);
      if (found === undefined) return undescribed(request);
      const { responses } = found.operation;
      const answer = responses[String(status)] ?? responses[`${String(status).slice(0, 1)}XX`];
      const what = `${found.name} does not answer ${String(status)}`;
      if (answer === undefined) return [what];
      const named = components.responses[answer.$ref?.split("/").at(-1) ?? ""] ?? answer;
      const schema = named.content?.["application/json"]?.schema;
      if (schema === undefined) return body === undefined ? [] : [`${what} with a body`];
      return faultsOf(schema, body, `${what} so`);
    },
  };
}

/** Numbers and truth values as such; an id that is described as a number may be greater than Zod takes for an integer. */
function plainOf(value: string): unknown {
  if (value === "true" || value === "false") return value === "true";
  return /^\d+$/.test(value) ? Math.min(Number(value), Number.MAX_SAFE_INTEGER) : value;
}

const rowsChecked = 50;

/** Of a long list the first rows will do: they are all made alike. */
const shortened = (value: unknown): unknown => (Array.isArray(value) ? value.slice(0, rowsChecked) : value);

const pathOf = ({ path }: SandboxRequest) => path.replaceAll("%40", "@").replace(/^\/api(?:\/v\d+)?/, "");

const undescribed = (request: SandboxRequest): Faults => {
  const name = `${request.method} ${pathOf(request)}`;
  return describedInWords.has(name) ? [] : [`${name} is not in the description`];
};

/** A fixed path goes before one with a blank, as roles/member-counts does before roles/{role_id}. */
function operationsOf(paths: Document["paths"]): (request: SandboxRequest) => Found | undefined {
  const templates = Object.keys(paths)
    .map((path) => ({ path, expression: new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`) }))
    .sort((one, other) => one.path.split("{").length - other.path.split("{").length);
  const operations = new Map<string, Found>();
  return (request) => {
    const path = templates.find(({ expression }) => expression.test(pathOf(request)))?.path;
    if (path === undefined) return undefined;
    const { parameters, [request.method.toLowerCase()]: raw } = paths[path] ?? {};
    const name = `${request.method} ${path}`;
    const known = operations.get(name);
    if (known !== undefined || raw === undefined) return known;
    const operation = operationShape.parse(raw);
    const shared = z.array(parameterShape).parse(parameters ?? []);
    const found = { name, operation: { ...operation, parameters: [...shared, ...operation.parameters] } };
    operations.set(name, found);
    return found;
  };
}

/** The description that DISCORD_OPENAPI names; undefined where it names none. */
export function discordDescription(): DiscordDescription | undefined {
  const file = process.env["DISCORD_OPENAPI"];
  return file === undefined || file === "" ? undefined : loadDiscordDescription(file);
}
