/**
 * Compares an answer with an interface description (OpenAPI 3). Unknown fields and unknown words of an enum are in
 * order, as they are for every client; missing required fields and wrong types are not.
 */
import { readFileSync } from "node:fs";

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const objectOf = (value: unknown): Json => (isObject(value) ? value : {});
const itemsOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

export interface Description {
  /** "GET /users/{id}" and what is wrong with an answer to it, each a sentence; undefined: not described there. */
  complaints(operation: string, status: number, body: unknown): readonly string[] | undefined;
}

const formats: Readonly<Record<string, RegExp>> = {
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/,
  email: /^[^@\s]+@[^@\s]+$/,
};

function typeOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function hasType(value: unknown, type: string): boolean {
  return type === "integer" ? Number.isInteger(value) : typeOf(value) === type;
}

function check(document: Json, rawSchema: unknown, value: unknown, at: string): readonly string[] {
  const schema = resolve(document, rawSchema);
  if (value === null && schema["nullable"] === true) return [];
  return [
    ...checkType(schema, value, at),
    ...itemsOf(schema["allOf"]).flatMap((part) => check(document, part, value, at)),
    ...checkOneOf(document, schema, value, at),
    ...(isObject(value) ? checkObject(document, schema, value, at) : []),
    ...(Array.isArray(value) && schema["items"] !== undefined
      ? itemsOf(value).flatMap((item, index) =>
          check(document, schema["items"], item, `${at}[${String(index)}]`),
        )
      : []),
  ];
}

function checkType(schema: Json, value: unknown, at: string): readonly string[] {
  const types = typeof schema["type"] === "string" ? [schema["type"]] : itemsOf(schema["type"]).map(String);
  if (types.length > 0 && !types.some((type) => hasType(value, type)))
    return [`${at} is ${typeOf(value)} instead of ${types.join(" or ")}`];
  const format = formats[String(schema["format"])];
  if (typeof value === "string" && format !== undefined && !format.test(value))
    return [`${at} is no ${String(schema["format"])}: ${value}`];
  return [];
}

function checkOneOf(document: Json, schema: Json, value: unknown, at: string): readonly string[] {
  const choices = [...itemsOf(schema["anyOf"]), ...itemsOf(schema["oneOf"])];
  const faults = choices.map((choice) => check(document, choice, value, at));
  if (faults.length === 0 || faults.some((found) => found.length === 0)) return [];
  return [`${at} fits none of ${String(choices.length)} choices: ${faults.flat().join("; ")}`];
}

function checkObject(document: Json, schema: Json, value: Json, at: string): readonly string[] {
  const properties = objectOf(schema["properties"]);
  const missing = itemsOf(schema["required"])
    .map(String)
    .filter((name) => value[name] === undefined)
    .map((name) => `${at}.${name} is missing`);
  const faults = Object.entries(value).flatMap(([name, inner]) => {
    const known = properties[name] ?? schema["additionalProperties"];
    return isObject(known) && inner !== undefined ? check(document, known, inner, `${at}.${name}`) : [];
  });
  return [...missing, ...faults];
}

function resolve(document: Json, schema: unknown): Json {
  const { $ref: reference } = objectOf(schema);
  if (typeof reference !== "string") return objectOf(schema);
  const names = reference.replace("#/", "").split("/");
  const target = names.reduce<unknown>((value, name) => objectOf(value)[name], document);
  return resolve(document, target);
}

/** Reads a description from disk. */
export function loadDescription(path: string): Description {
  const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
  const document = objectOf(parsed);
  return {
    complaints(operation, status, body) {
      const [method = "", template = ""] = operation.split(" ");
      const described = objectOf(objectOf(document["paths"])[template])[method.toLowerCase()];
      if (described === undefined) return undefined;
      const response = objectOf(objectOf(described)["responses"])[String(status)];
      if (response === undefined) return [`${operation} does not answer ${String(status)}`];
      const content = objectOf(objectOf(resolve(document, response)["content"])["application/json"]);
      if (content["schema"] === undefined)
        return body === undefined ? [] : [`${operation} answers ${String(status)} without a body`];
      return check(document, content["schema"], body, operation);
    },
  };
}
