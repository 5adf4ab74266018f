import { distance } from "fastest-levenshtein";
import { z } from "zod";
import { ArgumentError } from "./errors.js";

/** Settings that fit their schema, defaults filled in; or what is wrong with them, for people. */
export type CheckedSettings<T> = { readonly data: T } | { readonly problems: string };

/** Checks settings against their schema. Every problem names its key, what was expected and what came. */
export function checkSettings<S extends z.ZodType>(schema: S, value: unknown): CheckedSettings<z.output<S>> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return { data: result.data };
  return { problems: result.error.issues.map((issue) => describeIssue(issue, schema)).join("; ") };
}

/** @throws ArgumentError that names the settings at fault */
export function parseSettings<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = checkSettings(schema, value);
  if ("problems" in result) throw new ArgumentError(result.problems);
  return result.data;
}

function describeIssue(issue: z.core.$ZodIssue, schema: z.ZodType): string {
  const place = issue.path.length === 0 ? "" : ` for ${z.core.toDotPath(issue.path)}`;
  const received = describeValue(issue.input);
  switch (issue.code) {
    case "unrecognized_keys": {
      const where = issue.path.length === 0 ? "" : ` of ${z.core.toDotPath(issue.path)}`;
      const known = keysAt(z.toJSONSchema(schema, { io: "input" }), issue.path);
      return issue.keys
        .map((key) => `Expected a known key${where} (${nearest(key, known).join(", ")}) but received ${quoted(key)}`)
        .join("; ");
    }
    case "invalid_type":
      return `Expected ${withArticle(issue.expected)}${place} but received ${received}`;
    case "invalid_value":
      return `Expected ${issue.values.map(quoted).join(" or ")}${place} but received ${received}`;
    case "too_small":
      return `Expected a value ${issue.inclusive === true ? "of at least" : "over"} ${issue.minimum}${place} but received ${received}`;
    case "too_big":
      return `Expected a value ${issue.inclusive === true ? "of at most" : "under"} ${issue.maximum}${place} but received ${received}`;
    case "custom":
      return `Expected ${issue.message}${place} but received ${received}`;
    default:
      return `${issue.message}${place}: received ${received}`;
  }
}

function withArticle(type: string): string {
  if (type === "int") return "an integer";
  return `${/^[aeiou]/.test(type) ? "an" : "a"} ${type}`;
}

function describeValue(value: unknown): string {
  if (value === undefined) return "none";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return `the keys ${Object.keys(value).map(quoted).join(", ")}`;
  return typeof value === "string" ? `the string ${quoted(value)}` : quoted(value);
}

const quoted = (value: unknown): string => JSON.stringify(value);

const NEAREST = 3;

/** The keys that are most like a misspelt one, nearest first; of equally near ones in their own order. */
function nearest(key: string, known: readonly string[]): string[] {
  const distanceTo = (other: string): number => distance(key.toLowerCase(), other.toLowerCase());
  return [...known].sort((a, b) => distanceTo(a) - distanceTo(b)).slice(0, NEAREST);
}

/** The keys that a JSON schema knows for the object at a path. */
function keysAt(schema: z.core.JSONSchema._JSONSchema, path: readonly PropertyKey[]): string[] {
  if (typeof schema === "boolean") return [];
  if (schema.anyOf !== undefined) return schema.anyOf.flatMap((option) => keysAt(option, path));
  const [step, ...rest] = path;
  if (step === undefined) return Object.keys(schema.properties ?? {});
  const inner = typeof step === "number" ? schema.items : schema.properties?.[String(step)];
  return inner === undefined || Array.isArray(inner) ? [] : keysAt(inner, rest);
}
