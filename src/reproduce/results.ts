import { z } from "zod";
import { policySchema } from "../inference/policy.js";

const macsSchema = z.object({ paper: z.number(), full: z.number() });

/** One network under one attack, or on clean images. */
const cellSchema = z.object({
  attack: z
    .object({
      method: z.string(),
      form: z.string(),
      norm: z.enum(["linf", "l2"]).exactOptional(),
      eps: z.number(),
      step: z.number(),
      steps: z.int(),
      randomStart: z.boolean(),
      seed: z.int(),
    })
    .nullable(),
  images: z.int(),
  /** Adaptive, a fraction. */
  accuracy: z.number(),
  macs: macsSchema,
  saved: macsSchema,
  exits: z.array(
    z.object({
      exit: z.int(),
      accuracy: z.number(),
      loss: z.number(),
      share: z.number(),
      macs: macsSchema,
    }),
  ),
  /** What measured it. */
  version: z.string(),
});

/** What is known of a network: its weights by their digest, the exits it uses, and the cells that are done. */
const measuredSchema = z.object({
  sha256: z.string(),
  policy: policySchema,
  cells: z.record(z.string(), cellSchema),
});

/** What a figure depends on besides weights and policy; equal for all figures of a table. */
const tableSettingsSchema = z.strictObject({
  table: z.string(),
  dataset: z.string(),
  /** Where exit thresholds come from: a rule, a file, or the weights. */
  calibrate: z.string(),
  cleanImages: z.int(),
  attackedImages: z.int(),
  method: z.string(),
  eps: z.number(),
  step: z.number(),
  steps: z.int(),
  randomStart: z.boolean(),
  seed: z.int(),
  backend: z.string(),
});

export const stateSchema = z.strictObject({
  format: z.literal("rdi-net-table"),
  settings: tableSettingsSchema,
  networks: z.record(z.string(), measuredSchema),
});

export type TableCell = z.output<typeof cellSchema>;
export type MeasuredNetwork = z.output<typeof measuredSchema>;
export type TableSettings = z.output<typeof tableSettingsSchema>;
export type TableState = z.output<typeof stateSchema>;

/** The key of clean images among a network's cells; attacks go by their form. */
export const CLEAN = "clean";

/** A table as far as it is filled in. Nothing in it depends on the clock. */
export interface TableResult {
  readonly table: string;
  readonly title: string;
  readonly settings: TableSettings;
  readonly networks: readonly NetworkResult[];
}

export interface NetworkResult {
  readonly model: string;
  readonly defence: string;
  /** Absent where there are no weights, or nothing is measured yet. */
  readonly sha256?: string;
  readonly policy?: MeasuredNetwork["policy"];
  /** The clean one first, then one a form. */
  readonly cells: readonly NamedCell[];
}

/** A cell, or why there is none. */
export type NamedCell = { readonly form: string } & (TableCell | { readonly missing: "no weights" | "not yet run" });
